package resolvers

import (
	"context"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/guanxi-im/guanxi/graph/model"
	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/audit"
	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/directory"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/messaging"
	"github.com/guanxi-im/guanxi/resolvers/view"
)

// collect keeps the first error of several look-ups, so that a filter reads as a list of its fields.
type collect struct {
	ids
	err error
}

func (c *collect) optional(path string, id *string, kind im.Kind) im.ID {
	v, err := c.ids.optional(path, id, kind)
	c.keep(err)
	return v
}

func (c *collect) any(path string, id *string) im.ID {
	v, err := c.ids.any(path, id)
	c.keep(err)
	return v
}

func (c *collect) target(path, id string) im.Ref {
	v, err := c.ids.target(path, id)
	c.keep(err)
	return v
}

func (c *collect) party(path, id string) im.Ref {
	v, err := c.ids.party(path, id)
	c.keep(err)
	return v
}

// text is a text to look for. PostgreSQL holds none with a NUL, so there is none to find.
func (c *collect) text(path string, s *string) string {
	if s != nil && strings.ContainsRune(*s, 0) {
		c.keep(&fault.Error{Code: c.code, Key: "text_malformed", Path: []string{path}})
	}
	return value(s)
}

// wordsMax is more than anybody types into a search box, and less than a database refuses as a pattern.
const wordsMax = 200

// words are what to search by; what stands around them was pasted along.
func (c *collect) words(path string, s *string) string {
	w := strings.TrimSpace(c.text(path, s))
	if n := utf8.RuneCountInString(w); n > wordsMax {
		c.keep(&fault.Error{Code: c.code, Key: "text_too_long", Args: []string{strconv.Itoa(wordsMax), strconv.Itoa(n)}, Path: []string{path}})
	}
	return w
}

func (c *collect) keep(err error) {
	if c.err == nil {
		c.err = err
	}
}

func blockInput(in model.BlockInput) (blocking.BlockInput, error) {
	c := collect{ids: ids{fault.InvalidInput}}
	out := blocking.BlockInput{
		Initiator: c.optional("initiatorId", in.InitiatorID, im.KindMember),
		Target:    c.target("targetId", in.TargetID),
		Kind:      im.RelationshipKind(in.Kind),
		GroupID:   c.optional("groupId", in.GroupID, im.KindGroup),
		Scope:     im.RelationshipScope(value(in.Scope)),
		Source:    im.Source(value(in.Source)),
		Reason:    im.Text(in.Reason),
		ExpiresAt: when(in.ExpiresAt),

		DelegateID: c.optional("approvalDelegateId", in.ApprovalDelegateID, im.KindMember),
		Declared:   value(in.DeclaredOnly),
	}
	if out.Source == "" {
		out.Source = im.FromAPI
	}
	if in.WorkspaceIds != nil && len(in.WorkspaceIds) == 0 { // who chose none did not mean all
		c.keep(fault.Input("workspaceIds", "workspace_none"))
	}
	for _, w := range in.WorkspaceIds {
		out.WorkspaceIDs = append(out.WorkspaceIDs, c.optional("workspaceIds", &w, im.KindWorkspace))
	}
	return out, c.err
}

func checkInput(in model.ContactCheckInput) (blocking.CheckInput, error) {
	c := collect{ids: ids{fault.BadUserInput}}
	return blocking.CheckInput{Channel: im.Channel(in.Channel), Pair: blocking.Pair{From: c.party("fromId", in.FromID), To: c.party("toId", in.ToID),
		Workspace: c.optional("workspaceId", in.WorkspaceID, im.KindWorkspace), Group: c.optional("groupId", in.GroupID, im.KindGroup)}}, c.err
}

func memberKey(id, employeeNo, accountName *string) (by directory.MemberKey, err error) {
	n := 0
	for _, p := range []*string{id, employeeNo, accountName} {
		if p != nil {
			n++
		}
	}
	if n != 1 {
		return by, fault.New(fault.BadUserInput, "exactly_one", "id, employeeNo, accountName")
	}
	c := collect{ids: ids{fault.BadUserInput}}
	return directory.MemberKey{ID: c.optional("id", id, im.KindMember), EmployeeNo: c.text("employeeNo", employeeNo),
		AccountName: c.text("accountName", accountName)}, c.err
}

func memberOrder(o *model.MemberOrder) string {
	switch value(o) {
	case model.MemberOrderName:
		return directory.MembersByName
	case model.MemberOrderEmployeeNo:
		return directory.MembersByEmployeeNo
	case model.MemberOrderRankDesc:
		return directory.MembersByRank
	}
	return directory.MembersByID
}

func memberFilter(in *model.MemberFilter) (directory.MemberFilter, error) {
	if in == nil {
		return directory.MemberFilter{}, nil
	}
	c := collect{ids: ids{fault.BadUserInput}}
	return directory.MemberFilter{Query: c.words("query", in.Query), DepartmentID: c.optional("departmentId", in.DepartmentID, im.KindDepartment),
		IncludeDescendants: value(in.IncludeDescendants), Role: c.text("role", in.Role), JobFunction: im.JobFunction(value(in.JobFunction)),
		WorkspaceID: c.optional("workspaceId", in.WorkspaceID, im.KindWorkspace), Employment: im.Employment(value(in.Employment)),
		LinkedToPersonal: in.LinkedToPersonal}, c.err
}

func accountFilter(in *model.AccountFilter) (directory.AccountFilter, error) {
	if in == nil {
		return directory.AccountFilter{}, nil
	}
	c := collect{ids: ids{fault.BadUserInput}}
	return directory.AccountFilter{Query: c.words("query", in.Query), WorkspaceID: c.optional("workspaceId", in.WorkspaceID, im.KindWorkspace),
		MemberID: c.optional("memberId", in.MemberID, im.KindMember), Status: im.AccountStatus(value(in.Status)),
		Kind: im.AccountKind(value(in.Kind)), Orphan: in.Orphan, Leaver: in.Leaver}, c.err
}

// daysMax is longer than anyone has had an account.
const daysMax = 36_500

// idleSince is so many days ago.
func idleSince(now time.Time, days int) (time.Time, error) {
	if days < 0 || days > daysMax {
		f := fault.New(fault.BadUserInput, "page_size", "days", strconv.Itoa(daysMax), strconv.Itoa(days))
		f.Path = []string{"days"}
		return now, f
	}
	return now.AddDate(0, 0, -days), nil
}

// accounts answers a list of accounts.
func (r *Resolver) accounts(ctx context.Context, f directory.AccountFilter, first *int, after *string, last *int, before *string) (*view.AccountConnection, error) {
	b, v, err := r.begin(ctx)
	if err != nil {
		return nil, err
	}
	p, err := paging(ctx, directory.AccountsByID, first, after, last, before)
	if err != nil {
		return nil, err
	}
	res, err := r.Sources.Directory.ListAccounts(ctx, v, f, p)
	if err != nil {
		return nil, err
	}
	return b.AccountPage(res), nil
}

// endOf is the end of relationships that a direction asks for.
func endOf(d *model.Direction) blocking.End {
	if d == nil {
		return blocking.Outgoing
	}
	return blocking.End(*d)
}

func contactFilter(in *model.ExternalContactFilter) (directory.ContactFilter, error) {
	if in == nil {
		return directory.ContactFilter{}, nil
	}
	c := collect{ids: ids{fault.BadUserInput}}
	return directory.ContactFilter{Query: c.words("query", in.Query), WorkspaceID: c.optional("workspaceId", in.WorkspaceID, im.KindWorkspace),
		OwnerID: c.optional("ownerId", in.OwnerID, im.KindMember), PoolID: c.optional("poolDepartmentId", in.PoolDepartmentID, im.KindDepartment),
		Status:     im.ContactStatus(value(in.Status)),
		Importance: im.Importance(value(in.Importance)), Tag: c.text("tag", in.Tag), Verified: in.Verified}, c.err
}

func groupFilter(in *model.GroupFilter) (directory.GroupFilter, error) {
	if in == nil {
		return directory.GroupFilter{}, nil
	}
	c := collect{ids: ids{fault.BadUserInput}}
	return directory.GroupFilter{Query: c.words("query", in.Query), WorkspaceID: c.optional("workspaceId", in.WorkspaceID, im.KindWorkspace),
		Kind: im.GroupKind(value(in.Kind)), OwnerID: c.optional("ownerId", in.OwnerID, im.KindMember),
		MemberID: c.optional("memberId", in.MemberID, im.KindMember)}, c.err
}

func relationshipFilter(in *model.RelationshipFilter) (blocking.RelationshipFilter, error) {
	if in == nil {
		return blocking.RelationshipFilter{}, nil
	}
	c := collect{ids: ids{fault.BadUserInput}}
	f := blocking.RelationshipFilter{WorkspaceID: c.optional("workspaceId", in.WorkspaceID, im.KindWorkspace),
		InitiatorID: c.optional("initiatorId", in.InitiatorID, im.KindMember), TargetID: c.any("targetId", in.TargetID),
		CreatedAfter: when(in.CreatedAfter), CreatedBefore: when(in.CreatedBefore)}
	for _, k := range in.Kinds {
		f.Kinds = append(f.Kinds, im.RelationshipKind(k))
	}
	for _, s := range in.States {
		f.States = append(f.States, im.RelationshipState(s))
	}
	return f, c.err
}

func approvalFilter(state *model.ApprovalState, mine *bool, requestedBy, subject *string) (blocking.ApprovalFilter, error) {
	c := collect{ids: ids{fault.BadUserInput}}
	return blocking.ApprovalFilter{State: im.ApprovalState(value(state)), Mine: value(mine),
		RequestedByID: c.optional("requestedById", requestedBy, im.KindMember), SubjectID: c.any("subjectId", subject)}, c.err
}

func auditFilter(in *model.AuditFilter) (audit.Filter, error) {
	if in == nil {
		return audit.Filter{}, nil
	}
	c := collect{ids: ids{fault.BadUserInput}}
	for _, a := range in.Actions {
		c.text("actions", &a)
	}
	return audit.Filter{ActorID: c.optional("actorId", in.ActorID, im.KindMember), SubjectID: c.any("subjectId", in.SubjectID),
		Actions: in.Actions, From: when(in.From), Until: when(in.Until),
		WorkspaceID: c.optional("workspaceId", in.WorkspaceID, im.KindWorkspace), Outcome: im.Outcome(value(in.Outcome))}, c.err
}

func sendInput(in model.SendMessageInput) (messaging.SendInput, error) {
	c := collect{ids: ids{fault.InvalidInput}}
	out := messaging.SendInput{WorkspaceID: c.optional("workspaceId", &in.WorkspaceID, im.KindWorkspace),
		GroupID: c.optional("groupId", in.GroupID, im.KindGroup), Text: im.Text(in.Text), Announcement: value(in.Announcement)}
	if in.ToID != nil {
		out.To = c.party("toId", *in.ToID)
	}
	if len(in.MentionIds) > messaging.MentionsMax {
		c.keep(tooMany("mentionIds", fault.InvalidInput, len(in.MentionIds)))
		return out, c.err
	}
	for _, id := range in.MentionIds {
		out.Mentions = append(out.Mentions, c.optional("mentionIds", &id, im.KindMember))
	}
	return out, c.err
}

// searchMax bounds the letters that messages are searched for.
const searchMax = 50

func messageFilter(in model.MessageFilter) (messaging.Filter, error) {
	c := collect{ids: ids{fault.BadUserInput}}
	out := messaging.Filter{Text: c.text("text", in.Text), SenderID: c.any("senderId", in.SenderID),
		ConversationID: c.optional("conversationId", in.ConversationID, im.KindConversation), GroupID: c.optional("groupId", in.GroupID, im.KindGroup),
		WithID: c.any("withId", in.WithID), From: when(in.From), Until: when(in.Until), IncludeRecalled: value(in.IncludeRecalled)}
	if n := utf8.RuneCountInString(out.Text); n > searchMax {
		c.keep(&fault.Error{Code: fault.BadUserInput, Key: "text_too_long", Args: []string{strconv.Itoa(searchMax), strconv.Itoa(n)}, Path: []string{"text"}})
	}
	return out, c.err
}

// tooMany is the fault of a list that is longer than it may be.
func tooMany(path string, code fault.Code, n int) *fault.Error {
	return &fault.Error{Code: code, Key: "too_many", Args: []string{strconv.Itoa(blocking.ManyMax), strconv.Itoa(n)}, Path: []string{path}}
}

// at says of a fault in which entry of a list it lies.
func at(err error, list string, i int) error {
	f := fault.As(err)
	f.Path = append([]string{list, strconv.Itoa(i)}, f.Path...)
	return f
}

// verdict carries a command on an approval out.
func (r *Resolver) verdict(ctx context.Context, do func(context.Context, blocking.Call, blocking.VerdictInput) (blocking.Result, error),
	approvalID string, approve bool, comment, key *string) (*view.DecideApprovalPayload, error) {
	b, c, err := r.command(ctx, key)
	if err != nil {
		return nil, err
	}
	id, err := ids{fault.InvalidInput}.one("approvalId", approvalID, im.KindApproval)
	if err != nil {
		res, err := bad(err)
		return b.DecideApprovalPayload(res), err
	}
	res, err := do(ctx, c, blocking.VerdictInput{ApprovalID: id, Approve: approve, Comment: im.Text(value(comment))})
	if err != nil {
		return nil, err
	}
	return b.DecideApprovalPayload(res), nil
}

// nodes looks several things up, in the order of the question.
func nodes(ctx context.Context, b *view.Batch, in []string) ([]view.Node, error) {
	refs := make([]im.Ref, len(in))
	for i, id := range in {
		ref, ok := nodeid.Decode(id)
		if !ok {
			return nil, ids{fault.BadUserInput}.bad("ids", id, "thing")
		}
		refs[i] = ref
	}
	return b.Nodes(ctx, refs)
}

// factsMax bounds the facts of one question.
const factsMax = 50

// askInput maps a question to policy.
func askInput(in model.DecisionInput) (out blocking.AskInput, err error) {
	c := collect{ids: ids{fault.BadUserInput}}
	out = blocking.AskInput{Action: in.Action, At: when(in.At), ActorID: c.optional("actorId", in.ActorID, im.KindMember),
		GroupID: c.optional("groupId", in.GroupID, im.KindGroup), WorkspaceID: c.optional("workspaceId", in.WorkspaceID, im.KindWorkspace)}
	if in.TargetID != nil {
		ref, ok := nodeid.Decode(*in.TargetID)
		if !ok {
			c.keep(c.bad("targetId", *in.TargetID, "thing"))
		}
		out.Target = ref
	}
	if c.err != nil {
		return out, c.err
	}
	if len(in.Facts) > factsMax {
		f := fault.New(fault.BadUserInput, "too_many", strconv.Itoa(factsMax), strconv.Itoa(len(in.Facts)))
		f.Path = []string{"facts"}
		return out, f
	}
	for _, f := range in.Facts {
		out.Facts = append(out.Facts, blocking.FactInput{Name: f.Name, Value: f.Value})
	}
	return out, nil
}
