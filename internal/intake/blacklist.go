package intake

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

// Blacklist is the kind of import whose rows blacklist contacts of one workspace. A row is decided as a blacklisting that its
// requester asks for himself, once the file as a whole is let in.
type Blacklist struct {
	Store    Stands
	Blocking *blocking.Service
	// Viewer reads a member with the rights of this moment.
	Viewer func(ctx context.Context, id im.ID) (im.Viewer, error)
}

// The columns of a blacklist.
const (
	columnContact = "platform_id"
	columnName    = "name" // with the company, where there is no id
	columnCompany = "company"
	columnReason  = "reason"
	columnExpires = "expires_at"
)

var blacklistColumns = []string{columnContact, columnName, columnCompany, columnReason, columnExpires}

// columnOf is what a file calls the fields of a wish.
var columnOf = map[string]string{"targetId": columnContact, "expiresAt": columnExpires}

// Check refuses a file without a header, with a column that no row has, or without one that each has.
func (k *Blacklist) Check(header []string) *fault.Error {
	for _, h := range header {
		if !slices.Contains(blacklistColumns, h) {
			f := form{row: &Row{Type: "blacklist", Fields: []Field{{Name: h}}}, asked: blacklistColumns}
			return f.done()
		}
	}
	named := slices.Contains(header, columnName) && slices.Contains(header, columnCompany)
	switch {
	case !named && !slices.Contains(header, columnContact):
		return fault.Input("file", "import_required", columnContact)
	case !slices.Contains(header, columnReason):
		return fault.Input("file", "import_required", columnReason)
	}
	return nil
}

// listedRow is what a row says.
type listedRow struct {
	platformID    string // "": the contact is named
	name, company string
	reason        string
	expires       time.Time
}

// listed reads a row.
func (r *Row) listed() (l listedRow, _ *fault.Error) {
	if r.Fault != nil {
		return l, r.Fault
	}
	const idMax, nameMax, reasonMax = 128, 200, 1000
	f := form{row: r}
	f.text(columnContact, &l.platformID, idMax)
	f.text(columnName, &l.name, nameMax)
	f.text(columnCompany, &l.company, nameMax)
	if l.platformID == "" && (l.name == "" || l.company == "") {
		f.refuse(columnContact, "import_nobody")
	}
	f.text(columnReason, &l.reason, reasonMax)
	f.moment(columnExpires, &l.expires)
	return l, f.done()
}

// Key: a contact that is named again stands there by then.
func (k *Blacklist) Key(*Row) string { return "" }

// Person: none of the rows shows that somebody is there.
func (k *Blacklist) Person(*Row) string { return "" }

// Ask asks policy about the file as a whole. Faults, in this order: INVALID_INPUT, NOT_FOUND, UNSUPPORTED_BY_PLATFORM.
func (k *Blacklist) Ask(ctx context.Context, v im.Viewer, gone bool, i *im.Import, file io.Reader) (d im.Decision, _ *fault.Error, err error) {
	rows, f, err := k.count(file, Encoding(i.Encoding))
	if f != nil || err != nil {
		return d, f, err
	}
	w, err := workspaceOf(ctx, k.Store, i.WorkspaceID)
	if err != nil {
		return d, nil, err
	}
	if w == nil {
		f := fault.New(fault.NotFound, "not_found_workspace")
		f.Path = []string{"workspaceId"}
		return d, f, nil
	}
	i.Bulk, i.Rows = authz.BulkPlain, rows
	return k.Blocking.DecideFile(ctx, blocking.FileQuery{Viewer: v, Workspace: *w, Rows: rows, Import: i.ID, At: i.CreatedAt, Gone: gone})
}

// Place is where an import is, and how a viewer stands there; nil where that is gone.
func (k *Blacklist) Place(ctx context.Context, v im.Viewer, i im.Import) (*im.Workspace, string, error) {
	w, err := workspaceOf(ctx, k.Store, i.WorkspaceID)
	if err != nil || w == nil || v.ID().IsZero() {
		return w, "", err
	}
	standing, err := k.Blocking.Standing(ctx, v, w.ID)
	return w, standing, err
}

// count counts the rows of a file.
func (k *Blacklist) count(file io.Reader, e Encoding) (n int, _ *fault.Error, err error) {
	r, err := NewReader(file, e)
	if f := (*fault.Error)(nil); errors.As(err, &f) && f.Code == fault.InvalidInput {
		return 0, f, nil
	}
	if err != nil {
		return 0, nil, err
	}
	if f := k.Check(r.Header); f != nil {
		return 0, at(1, f), nil
	}
	for {
		if _, err := r.Next(); errors.Is(err, io.EOF) {
			return n, nil, nil
		} else if err != nil {
			return 0, nil, err
		}
		n++
	}
}

func workspaceOf(ctx context.Context, s Stands, id im.ID) (*im.Workspace, error) {
	all, err := s.Workspaces(ctx)
	for i := range all {
		if all[i].ID == id {
			return &all[i], err
		}
	}
	return nil, err
}

// Begin readies the kind for an import.
func (k *Blacklist) Begin(_ context.Context, i im.Import) (Judge, error) {
	return &blacklistJudge{Blacklist: k, imp: i, file: k.Blocking.FileRows(i.WorkspaceID), made: map[im.ID]im.ID{}}, nil
}

// blacklistJudge judges the rows of one blacklist.
type blacklistJudge struct {
	*Blacklist
	imp    im.Import
	viewer im.Viewer
	file   *blocking.FileRows
	made   map[im.ID]im.ID // the relationship of a contact, where a row before made it
}

// Forget drops what is remembered: what was written stands in the store.
func (j *blacklistJudge) Forget() {
	clear(j.made)
	j.file.Forget()
}

// Ahead: whom a batch before has blacklisted is remembered, and it names nobody else.
func (j *blacklistJudge) Ahead() bool { return true }

// Batch judges rows, with the rights that who asked for them has at this moment. Fault: POLICY_DENIED, where he has left.
func (j *blacklistJudge) Batch(ctx context.Context, rows []Row, _ bool, b *Batch) (err error) {
	if j.viewer, err = j.Viewer(ctx, j.imp.RequestedBy); fault.Is(err, fault.Unauthenticated) {
		return fault.New(fault.PolicyDenied, "import_requester_gone")
	} else if err != nil {
		return err
	}
	stand := NewAnswer()
	q := Question{Accounts: map[Place]bool{}, ContactIDs: map[Place]bool{}, Named: map[Called]bool{}}
	all, faults := make([]listedRow, len(rows)), make([]*fault.Error, len(rows))
	for i := range rows {
		all[i], faults[i] = rows[i].listed()
		switch l := all[i]; {
		case faults[i] != nil:
		case l.platformID == "":
			q.Named[j.named(l)] = true
		default:
			at := Place{j.imp.WorkspaceID, l.platformID}
			q.Accounts[at], q.ContactIDs[at] = true, true
		}
	}
	if err := j.Store.Look(ctx, q, &stand); err != nil {
		return err
	}
	var contacts []im.ID
	ask := func(id im.ID) {
		if _, again := j.made[id]; !again {
			contacts = append(contacts, id)
		}
	}
	for _, id := range stand.ContactIDs {
		ask(id)
	}
	for _, ids := range stand.Named {
		for _, id := range ids {
			ask(id)
		}
	}
	if err = j.file.Read(ctx, j.viewer, contacts); err != nil {
		return err
	}
	b.Unit.Reserve(len(contacts))
	b.Rows = make([]Verdict, 0, len(rows))
	for i := range rows {
		o := refused(faults[i])
		if faults[i] == nil {
			if o, err = j.row(ctx, all[i], stand, b); err != nil {
				return err
			}
		}
		v := Verdict{ID: rows[i].ID, Line: rows[i].Line, Verdict: o.verdict, Subject: o.subject, Note: o.note}
		if v.Verdict == im.RowRejected {
			v.Text = rows[i].Text
		}
		b.Rows = append(b.Rows, v)
	}
	return nil
}

// named is whom a row names.
func (j *blacklistJudge) named(l listedRow) Called {
	return Called{j.imp.WorkspaceID, l.name, l.company}
}

// target finds whom a row is about. Of several of one name only those count whom the requester sees.
func (j *blacklistJudge) target(l listedRow, stand Answer) (im.Ref, *fault.Error) {
	if l.platformID != "" {
		at := Place{j.imp.WorkspaceID, l.platformID}
		if id := stand.ContactIDs[at]; !id.IsZero() {
			return im.Ref{Kind: im.KindContact, ID: id}, nil
		}
		if id := stand.Accounts[at].MemberID; !id.IsZero() {
			return im.Ref{Kind: im.KindMember, ID: id}, nil
		}
		return im.Ref{}, unseen(columnContact)
	}
	var found []im.ID
	for _, id := range stand.Named[j.named(l)] {
		if _, made := j.made[id]; made || j.file.Sees(id) {
			found = append(found, id)
		}
	}
	switch len(found) {
	case 0:
		return im.Ref{}, unseen(columnName)
	case 1:
		return im.Ref{Kind: im.KindContact, ID: found[0]}, nil
	}
	return im.Ref{}, fault.Input(columnName, "import_several", strconv.Itoa(len(found)))
}

func unseen(column string) *fault.Error {
	miss := fault.New(fault.NotFound, "not_found_target")
	miss.Path = []string{column}
	return miss
}

// row judges one row that says something.
func (j *blacklistJudge) row(ctx context.Context, l listedRow, stand Answer, b *Batch) (outcome, error) {
	target, miss := j.target(l, stand)
	if miss != nil {
		return refused(miss), nil
	}
	if id, again := j.made[target.ID]; again {
		o := outcome{verdict: im.RowUnchanged}
		if !j.imp.DryRun { // else it does not stand there
			o.subject = im.Ref{Kind: im.KindRelationship, ID: id}
		}
		return o, nil
	}
	out, err := j.file.Blacklist(ctx, blocking.BlacklistRow{Target: target, Reason: im.Text(l.reason), ExpiresAt: l.expires, Bulk: j.imp.Bulk})
	if err != nil {
		return outcome{}, err
	}
	b.Unit.Add(out.Unit)
	switch {
	case out.Fault != nil:
		if column := columnOf[strings.Join(out.Fault.Path, ".")]; column == columnContact && l.platformID == "" {
			out.Fault.Path = []string{columnName}
		} else if column != "" {
			out.Fault.Path = []string{column}
		}
		if out.Fault.Code == fault.PolicyDenied {
			out.Fault.Args = ruleNames(out.Unit.Decisions)
		}
		return refused(out.Fault), nil
	case out.Stands:
		return outcome{verdict: im.RowUnchanged, subject: out.Relationship}, nil
	}
	j.made[target.ID] = out.Relationship.ID
	o := outcome{verdict: im.RowAccepted}
	if out.InReview {
		o.verdict = im.RowInReview
	}
	if !j.imp.DryRun {
		o.subject = out.Relationship
	}
	return o, nil
}
