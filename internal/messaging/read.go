package messaging

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
	"github.com/guanxi-im/guanxi/internal/page"
)

// Newest is the order of lists of messages.
const Newest = "messages.newest"

// ReadsAll reports whether somebody reads other people's messages, and what was taken back.
func ReadsAll(v im.Viewer) bool { return v.Scopes[im.KindMessage].Has(im.ScopeAll) }

// List reads one page of messages, newest first: those that the viewer sent, or was sent, or that a group was while he was in it.
// Whoever asks for a conversation of others, or a group's that he was never in, is refused: FORBIDDEN, or APPROVAL_REQUIRED
// where he could ask for access to the archive. What somebody reads of others is written down before he gets it.
func (s *Service) List(ctx context.Context, c Call, f Filter, r page.Request) (none page.Result[im.Message], _ error) {
	if !ReadsAll(c.Viewer) {
		mine, err := s.concerns(ctx, c.Viewer.ID(), f)
		if err != nil {
			return none, err
		}
		if !mine {
			return none, s.refuse(ctx, c)
		}
	}
	res, err := s.store.ListMessages(ctx, c.Viewer, f, s.o.Now(), r)
	if err != nil {
		return none, err
	}
	if err := s.record(ctx, c, res.Nodes); err != nil {
		return none, err
	}
	return res, nil
}

// concerns reports whether what is asked for is the caller's own.
func (s *Service) concerns(ctx context.Context, me im.ID, f Filter) (bool, error) {
	if !f.SenderID.IsZero() && !f.WithID.IsZero() && f.SenderID != f.WithID && f.SenderID != me && f.WithID != me {
		return false, nil
	}
	if f.ConversationID.IsZero() && f.GroupID.IsZero() {
		return true, nil
	}
	return s.store.Takes(ctx, me, f.ConversationID, f.GroupID)
}

// refuse refuses to show other people's messages. Whoever may ask for access to them learns that; there is no difference between
// what is not there and what is others'.
func (s *Service) refuse(ctx context.Context, c Call) error {
	d, err := s.decide(ctx, c.Viewer, question{action: authz.ActionRequestArchiveAccess, standing: c.Viewer.Standing(),
		object: authz.Object{Type: authz.TypeArchive}})
	if err != nil {
		return err
	}
	if d.Outcome == im.Deny {
		return s.o.Refuse(ctx, c, d, fault.New(fault.Forbidden, "forbidden"))
	}
	return s.o.Refuse(ctx, c, d, fault.New(fault.ApprovalRequired, "archive_grant"))
}

// Messages reads messages by id; what somebody reads of others is written down.
func (s *Service) Messages(ctx context.Context, c Call, ids []im.ID) (map[im.ID]im.Message, error) {
	found, err := s.store.Messages(ctx, c.Viewer, ids, s.o.Now())
	if err != nil {
		return nil, err
	}
	return found, s.record(ctx, c, slices.Collect(maps.Values(found)))
}

// Announcements is what messages tell their groups, for those who see the groups.
func (s *Service) Announcements(ctx context.Context, messages []im.ID) (map[im.ID]im.Text, error) {
	return s.store.Announcements(ctx, messages)
}

// ActionArchiveRead is what the trail calls it that somebody read other people's messages.
const ActionArchiveRead = "archive.read"

// record writes down that somebody read messages in which he has no part: once for each member who wrote or was written to.
func (s *Service) record(ctx context.Context, c Call, read []im.Message) error {
	if len(read) == 0 || !ReadsAll(c.Viewer) {
		return nil
	}
	ids := make([]im.ID, len(read))
	for i, m := range read {
		ids[i] = m.ID
	}
	others, err := s.store.Others(ctx, c.Viewer.ID(), ids)
	if err != nil || len(others) == 0 {
		return err
	}
	count := map[im.ID]int{}
	for _, m := range read {
		for _, p := range []im.Ref{m.Sender, m.Recipient} {
			if others[m.ID] && p.Kind == im.KindMember {
				count[p.ID]++
			}
		}
	}
	people := slices.SortedFunc(maps.Keys(count), func(a, b im.ID) int { return bytes.Compare(a[:], b[:]) })
	names, err := s.store.Members(ctx, im.Viewer{Scopes: map[im.Kind]im.Scope{im.KindMember: {im.ScopeAll}}}, people)
	if err != nil {
		return err
	}
	var u ledger.Unit
	for _, p := range people {
		e := s.event(c, ActionArchiveRead, im.Decision{}, im.Ref{Kind: im.KindMember, ID: p})
		e.SubjectName, e.About, e.Detail = names[p].Name, p, im.Text(strconv.Itoa(count[p]))
		u.Events = append(u.Events, e)
	}
	if err := s.store.Post(ctx, u); err != nil {
		return err
	}
	s.o.Wake()
	return nil
}
