package intake

import (
	"context"
	"time"

	"github.com/guanxi-im/guanxi/internal/command"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
	"github.com/guanxi-im/guanxi/internal/page"
)

// Store is what files are taken into.
type Store interface {
	Jobs
	Stands
}

// Jobs are the imports themselves.
type Jobs interface {
	command.Store
	// KeepChunk keeps a piece of a file for an import that is about to be opened.
	KeepChunk(ctx context.Context, imp im.ID, n int, b []byte) error
	// Chunk reads a piece; nil after the last.
	Chunk(ctx context.Context, imp im.ID, n int) ([]byte, error)
	// ClaimImport takes the oldest import of a kind that runs and that nobody has, or the one that is named. Of a kind, one
	// runs at a time. What whoever had it last has begun to write and not finished is undone.
	ClaimImport(ctx context.Context, kind im.ImportKind, id im.ID, now, until time.Time) (im.Import, bool, error)
	// RestartImport forgets all verdicts of a claimed import.
	RestartImport(ctx context.Context, i im.Import) error
	// ReleaseImport lets go of a claimed import that is not done.
	ReleaseImport(ctx context.Context, i im.Import) error
	// UnfinishedImport finds an import of the same file that was begun on the database itself and has not ended.
	UnfinishedImport(ctx context.Context, like im.Import) (im.Import, bool, error)
	// PrepareRows readies a batch to be written. The write fails with ledger.ErrStale where somebody else has the import by now, and
	// with [ErrOthers] where the batch has to be judged anew. What it does not read is read while a batch is made ready, so that
	// one can be while the one before it is being written.
	PrepareRows(ctx context.Context, b Batch) (write func(context.Context) error, err error)
	// WaitingRows reads rows that wait, from after a line on.
	WaitingRows(ctx context.Context, imp im.ID, after, limit int) ([]Row, error)
	// KeepRoster notes who is in a file that says that it is complete, and holds the import until then.
	KeepRoster(ctx context.Context, i im.Import, employees []string, until time.Time) error
	// Missing counts the employed, and those of them who are not in the file.
	Missing(ctx context.Context, imp im.ID) (missing, employed int, err error)
	// MissingMembers lists them, by id.
	MissingMembers(ctx context.Context, imp, after im.ID, limit int) ([]im.ID, error)

	Import(ctx context.Context, id im.ID) (im.Import, bool, error)
	Imports(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.Import, error)
	// ListImports reads a page of imports that the viewer may see.
	ListImports(ctx context.Context, v im.Viewer, f ImportFilter, r page.Request) (page.Result[im.Import], error)
	// ImportRows reads a page of the rows of each of some imports.
	ImportRows(ctx context.Context, imps []im.Import, onlyRejected bool, r page.Request) (map[im.ID]page.Result[Verdict], error)
	ImportRowsByID(ctx context.Context, ids []im.ID) (map[im.ID]RowOf, error)
	Rejected(ctx context.Context, imp im.ID, after, limit int) ([]Verdict, error)
}

// RowOf is a row with the import that it is of.
type RowOf struct {
	Verdict
	Import im.ID
}

// Batch is what comes of some rows, in one transaction.
type Batch struct {
	Import  im.Import // as it shall be
	ID      im.ID     // of the rows that were read; zero where these have waited
	Rows    []Verdict // in the order of the file; of rows that have waited those that are settled now
	Waiting []Row     // rows that wait from now on
	Until   time.Time // the import is held
	Writes  Writes
	Unit    ledger.Unit       // what the rows come to beside that, each with its decision; a dry run writes none of it
	Scratch map[string][]byte // what a dry run would have written, for its later rows
}

// Set is what of one kind is made and what is changed.
type Set[T any] struct{ Made, Changed []T }

// Writes is what rows of the directory come to.
type Writes struct {
	Workspaces    Set[im.Workspace]
	Departments   Set[im.Department]
	Members       Set[im.Member]
	Accounts      Set[im.Account]
	Bindings      Set[im.AccountBinding] // whose an account is from now on: of a new one, and of one whose binding until now ends
	Contacts      Set[im.ExternalContact]
	Follows       Set[im.Follow]
	Opportunities Set[im.Opportunity]
	Groups        Set[im.Group]
	Memberships   Set[im.Membership]
	Changes       []im.Change // what subscribers hear of
}

// Place is where something is known by the platform's own id.
type Place struct {
	Workspace  im.ID
	PlatformID string
}

// Called is a contact by what people call it.
type Called struct {
	Workspace     im.ID
	Name, Company string
}

// Tie is what ties two.
type Tie [2]im.ID

// Chance names an opportunity: of a contact, by its title.
type Chance struct {
	Contact im.ID
	Title   string
}

// Question is what a batch asks about: all of a row, or its id alone.
type Question struct {
	Members                    []string // by employee number
	People                     []string
	AccountNames               []string
	Accounts, Contacts, Groups map[Place]bool
	ContactIDs, GroupIDs       map[Place]bool
	Named                      map[Called]bool // contacts
	FollowsOf, OpportunitiesOf []im.ID         // contacts
	Memberships                []Tie           // groups, each with a party
	Own                        []Tie           // workspaces, each with somebody who may have an account of his own there
}

// Answer is what stands there of it.
type Answer struct {
	Members              map[string]im.Member
	People               map[string]im.ID
	Gone                 map[im.ID]bool // who of them has left
	AccountNames         map[string]bool
	Accounts             map[Place]im.Account
	Contacts             map[Place]im.ExternalContact
	Groups               map[Place]im.Group
	ContactIDs, GroupIDs map[Place]im.ID
	Named                map[Called][]im.ID
	Follows              map[Tie]im.Follow
	Opportunities        map[Chance]im.Opportunity
	Memberships          map[Tie]im.Membership
	Own                  map[Tie][]im.ID // somebody's own accounts on a workspace
}

// NewAnswer makes an empty one.
func NewAnswer() Answer {
	return Answer{map[string]im.Member{}, map[string]im.ID{}, map[im.ID]bool{}, map[string]bool{}, map[Place]im.Account{}, map[Place]im.ExternalContact{},
		map[Place]im.Group{}, map[Place]im.ID{}, map[Place]im.ID{}, map[Called][]im.ID{}, map[Tie]im.Follow{}, map[Chance]im.Opportunity{}, map[Tie]im.Membership{},
		map[Tie][]im.ID{}}
}

// Stands is what the rows of the directory are held against.
type Stands interface {
	Workspaces(ctx context.Context) ([]im.Workspace, error)
	AllDepartments(ctx context.Context) ([]im.Department, error)
	SuperAdmins(ctx context.Context) ([]im.ID, error)
	// Followed reports whether there were changes that somebody may have heard of, and wants to hear of the next.
	Followed(ctx context.Context) (bool, error)
	// Look reads what stands there, with a number of statements that depends on what kinds of things are asked about.
	Look(ctx context.Context, q Question, into *Answer) error
	// ManagersOf reads the managers of members who have one.
	ManagersOf(ctx context.Context, ids []im.ID) (map[im.ID]im.ID, error)
	// Scratch reads what a dry run has kept under some keys.
	Scratch(ctx context.Context, imp im.ID, keys []string) (map[string][]byte, error)
}
