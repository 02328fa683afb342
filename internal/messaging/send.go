package messaging

import (
	"bytes"
	"context"
	"slices"
	"strconv"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// SendInput asks to send a message: to one party, or to a group.
type SendInput struct {
	WorkspaceID  im.ID
	To           im.Ref
	GroupID      im.ID
	Text         im.Text
	Mentions     []im.ID
	Announcement bool
}

// Limits of a message.
const (
	TextMax     = 2000 // characters
	MentionsMax = 100
)

// Send sends a message. Whoever cannot be reached, for whatever reason, is answered of in the same words: CONFLICT; what stopped
// it is named to those who may read it. A mention that is stopped is taken out, and the message goes. Faults, in this order:
// INVALID_INPUT, NOT_FOUND, UNSUPPORTED_BY_PLATFORM, POLICY_DENIED, CONFLICT.
func (s *Service) Send(ctx context.Context, c Call, in SendInput) (Result, error) {
	slices.SortFunc(in.Mentions, func(a, b im.ID) int { return bytes.Compare(a[:], b[:]) })
	in.Mentions = slices.Compact(in.Mentions)
	return s.run(ctx, authz.ActionSendMessage, c, in, func() (res Result, u ledger.Unit, err error) {
		if f := checkSend(c.Viewer, in); f != nil {
			return failed(f)
		}
		f, err := s.store.SendFacts(ctx, SendQuery{Viewer: c.Viewer, WorkspaceID: in.WorkspaceID, To: in.To, GroupID: in.GroupID, Mentions: in.Mentions})
		switch {
		case err != nil:
			return res, u, err
		case f.Workspace == nil:
			return missing("workspaceId", "not_found_workspace")
		case !in.GroupID.IsZero() && f.Group == nil:
			return missing("groupId", "not_found_group")
		case in.GroupID.IsZero() && !f.To:
			return missing("toId", "not_found_target")
		case slices.ContainsFunc(in.Mentions, func(id im.ID) bool { return !f.Mentioned[id] }):
			return missing("mentionIds", "not_found_mention")
		case !s.o.Own(f.Workspace.Platform):
			unsupported := fault.New(fault.Unsupported, "unsupported_messages")
			unsupported.Workspace = in.WorkspaceID
			return failed(unsupported)
		}
		to := in.To
		if !in.GroupID.IsZero() {
			to = im.Ref{Kind: im.KindGroup, ID: in.GroupID}
		}
		d, err := s.decide(ctx, c.Viewer, question{action: authz.ActionSendMessage, standing: f.Standing, workspace: *f.Workspace, target: to,
			object: authz.Object{Type: authz.TypeMessage, Mine: true, Announcement: in.Announcement, ActorPlace: f.Place}})
		if err != nil {
			return res, u, err
		}
		u.Decisions = []im.Decision{d}
		u.Events = []im.AuditEvent{s.event(c, authz.ActionSendMessage, d, to)}
		switch refused := refusal(d); {
		case refused != nil:
			return prevented(u, d, refused)
		case c.Viewer.IsService():
			return failed(fault.New(fault.InvalidInput, "persons_only"))
		case !in.GroupID.IsZero() && f.Place == "":
			return prevented(u, d, fault.New(fault.Conflict, "message_outside"))
		}
		return s.compose(ctx, c, in, f, d, u)
	})
}

// compose writes the message, as far as what stands between its sender and those whom it names lets it.
func (s *Service) compose(ctx context.Context, c Call, in SendInput, f SendFacts, d im.Decision, u ledger.Unit) (res Result, _ ledger.Unit, err error) {
	me, now := c.Viewer.Ref(), s.o.Now()
	pair := func(to im.Ref) blocking.Pair {
		return blocking.Pair{From: me, To: to, Workspace: in.WorkspaceID, Group: in.GroupID}
	}
	var ways []blocking.Pair
	if in.GroupID.IsZero() {
		ways = append(ways, pair(in.To))
	}
	for _, id := range in.Mentions {
		ways = append(ways, pair(im.Ref{Kind: im.KindMember, ID: id}))
	}
	facts, err := s.store.CheckFacts(ctx, c.Viewer, now, ways)
	if err != nil {
		return res, u, err
	}
	m := im.Message{ID: s.o.IDs.New(), WorkspaceID: in.WorkspaceID, GroupID: in.GroupID, Sender: me, Recipient: in.To, Announcement: in.Announcement,
		Kind: im.TextMessage, Text: in.Text, SentAt: now}
	m.ConversationID = s.conversation(m)
	sending := ledger.Sending{Standing: f.Standing}
	for i, way := range ways {
		sending.Ways = append(sending.Ways, ledger.Way(way))
		for _, r := range facts[i].Active {
			sending.Known = append(sending.Known, r.ID)
		}
		channel := im.GroupMention
		if in.GroupID.IsZero() {
			channel = im.DirectMessage
		}
		stops := facts[i].Stops(channel)
		switch {
		case len(stops) == 0 && channel == im.GroupMention:
			m.Mentions = append(m.Mentions, way.To.ID)
		case channel == im.GroupMention:
			res.Dropped = append(res.Dropped, way.To.ID)
		case len(stops) > 0 || !f.ToHere:
			var seen []im.ID
			for _, r := range stops {
				if r.Seen {
					seen = append(seen, r.ID)
				}
			}
			res, u, err = prevented(u, d, fault.New(fault.Conflict, "unreachable"))
			res.Stopped = seen
			return res, u, err
		}
	}
	sending.Message = m
	u.Sent = []ledger.Sending{sending}
	u.Events[0].Subject = m.Ref()
	if m.Announcement {
		u.Changes = append(u.Changes, im.DirectoryChange(s.o.IDs.New(), now, im.Ref{Kind: im.KindGroup, ID: m.GroupID}, im.Updated, m.WorkspaceID))
	}
	res.Decision, res.Message, res.MessageID = &d, &m, m.ID
	return res, u, nil
}

// conversation names what a message belongs to: it is stable, and tells nobody who the two are.
func (s *Service) conversation(m im.Message) (id im.ID) {
	of := append([]byte("conversation|"), m.WorkspaceID[:]...)
	if m.GroupID.IsZero() {
		a, b := m.Sender.ID, m.Recipient.ID
		if bytes.Compare(a[:], b[:]) > 0 {
			a, b = b, a
		}
		of = append(append(of, a[:]...), b[:]...)
	} else {
		of = append(of, m.GroupID[:]...)
	}
	copy(id[:], s.store.Fingerprint(of))
	return id
}

func checkSend(v im.Viewer, in SendInput) *fault.Error {
	direct := !in.To.IsZero()
	switch {
	case direct != in.GroupID.IsZero():
		return fault.Input("toId", "message_to")
	case direct && in.To.ID == v.ID():
		return fault.Input("toId", "message_self")
	case direct && len(in.Mentions) > 0:
		return fault.Input("mentionIds", "message_group_only")
	case direct && in.Announcement:
		return fault.Input("announcement", "message_group_only")
	case len(in.Mentions) > MentionsMax:
		return fault.Input("mentionIds", "too_many", strconv.Itoa(MentionsMax), strconv.Itoa(len(in.Mentions)))
	case slices.Contains(in.Mentions, v.ID()):
		return fault.Input("mentionIds", "message_self")
	case fault.Blank(in.Text):
		return fault.Input("text", "message_empty")
	}
	return fault.CheckText("text", in.Text, TextMax)
}
