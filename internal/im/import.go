package im

import (
	"encoding/binary"
	"time"
)

// KindImport and KindImportRow are an import and one of its rows.
const (
	KindImport    Kind = "import"
	KindImportRow Kind = "import_row"
)

// JobState is where an import or export stands.
type JobState string

// The states of a job.
const (
	JobPending   JobState = "PENDING_APPROVAL"
	JobRunning   JobState = "RUNNING"
	JobDone      JobState = "DONE"
	JobCancelled JobState = "CANCELLED"
	JobFailed    JobState = "FAILED"
)

// RowVerdict is what came of one row of an import.
type RowVerdict string

// The verdicts.
const (
	RowAccepted  RowVerdict = "ACCEPTED"
	RowRejected  RowVerdict = "REJECTED"
	RowUnchanged RowVerdict = "UNCHANGED"
	RowInReview  RowVerdict = "IN_REVIEW"
	RowWaiting   RowVerdict = "WAITING" // for what other rows may bring; never shown once the import has ended
)

// ImportKind says what an import is of.
type ImportKind string

// DirectoryImport takes in the organisation itself.
const DirectoryImport ImportKind = "DIRECTORY"

// BlacklistImport blacklists contacts of one workspace.
const BlacklistImport ImportKind = "BLACKLIST"

// Import is a file that is taken in, and how far that is.
type Import struct {
	ID         ID         `json:"id"`
	Kind       ImportKind `json:"kind"`
	State      JobState   `json:"state"`
	DryRun     bool       `json:"dryRun,omitempty"`
	Complete   bool       `json:"complete,omitempty"` // whoever is not in the file is gone
	Shrink     bool       `json:"shrink,omitempty"`   // that many are gone is known and right
	Privileged bool       `json:"privileged,omitempty"`
	// RequestedBy is zero where it was done on the database itself.
	RequestedBy ID `json:"requestedBy,omitzero"`
	DecisionID  ID `json:"decision,omitzero"`
	WorkspaceID ID `json:"workspace,omitzero"` // of a blacklist
	// Bulk is what policy said of its rows as a whole (authz.BulkPlain …); empty where nobody asked.
	Bulk      string    `json:"bulk,omitempty"`
	Rows      int       `json:"rows,omitempty"` // of the file, where they were counted before it was let in
	FileHash  []byte    `json:"fileHash"`       // SHA-256
	FileSize  int64     `json:"fileSize"`
	Lines     int       `json:"lines,omitempty"` // of the file, as its line ends tell; 0: nobody has counted
	Encoding  string    `json:"encoding"`
	Stored    bool      `json:"stored,omitempty"` // the file is kept in the store until the import has ended
	CreatedAt time.Time `json:"createdAt"`
	EndedAt   time.Time `json:"endedAt,omitzero"`
	Error     []byte    `json:"-"` // JSON of the fault that it failed with

	Line    int `json:"line"` // rows that begin up to here are done
	Tally       // of the rows up to there
	Attempt int // counts who has it: whoever claimed later has counted one more
}

// Tally counts rows by their verdict.
type Tally struct {
	Accepted  int `json:"accepted"`
	Rejected  int `json:"rejected"`
	Unchanged int `json:"unchanged"`
	InReview  int `json:"inReview,omitempty"`
	Waiting   int `json:"waiting,omitempty"`
}

// Total counts all rows.
func (t Tally) Total() int { return t.Accepted + t.Rejected + t.Unchanged + t.InReview + t.Waiting }

// Add counts n rows more with a verdict.
func (t *Tally) Add(v RowVerdict, n int) {
	switch v {
	case RowAccepted:
		t.Accepted += n
	case RowRejected:
		t.Rejected += n
	case RowUnchanged:
		t.Unchanged += n
	case RowInReview:
		t.InReview += n
	case RowWaiting:
		t.Waiting += n
	}
}

// Rows of an import are kept by the batch; the id of one is that of its batch with the row's place in it, which the last
// two bytes of a batch leave free.

// BatchOf is the batch of a row, and its place there.
func BatchOf(row ID) (batch ID, place int) {
	place = int(binary.BigEndian.Uint16(row[14:]))
	row[14], row[15] = 0, 0
	return row, place
}

// RowOf is the id of a row.
func RowOf(batch ID, place int) ID {
	binary.BigEndian.PutUint16(batch[14:], uint16(place))
	return batch
}
