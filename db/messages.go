package db

import (
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
	"github.com/guanxi-im/guanxi/internal/messaging"
	"github.com/guanxi-im/guanxi/internal/page"
)

var _ messaging.Store = (*Store)(nil)

var placeBody = place{"messages", "body"}

const messageColumns = `g.id, g.workspace_id, g.conversation_id, g.group_id, g.sender_kind, g.sender_id, g.recipient_kind, g.recipient_id,
	g.announcement, g.kind, g.body, g.sent_at, g.recalled_at, g.recalled_by`

// scanMessage reads a message without its mentions, and its sealed body.
func scanMessage(row row) (*im.Message, box, error) {
	m := &im.Message{}
	var sealed []byte
	err := row.Scan(&m.ID, &m.WorkspaceID, &m.ConversationID, &m.GroupID, textOf(&m.Sender.Kind), &m.Sender.ID, textOf(&m.Recipient.Kind),
		&m.Recipient.ID, &m.Announcement, textOf(&m.Kind), blob{&sealed}, stamp{&m.SentAt}, stamp{&m.RecalledAt}, &m.RecalledBy)
	return m, box{sealed: sealed, place: placeBody, row: m.ID, into: &m.Text}, err
}

// whole opens the bodies of messages, but for those that were taken back and are not for the viewer, and reads whom they name.
func (s *Store) whole(ctx context.Context, v im.Viewer, ms []*im.Message, boxes []box) error {
	if len(ms) == 0 {
		return nil
	}
	byID := make(map[im.ID]*im.Message, len(ms))
	var ids []im.ID
	var open []box
	for i, m := range ms {
		byID[m.ID], ids = m, append(ids, m.ID)
		if m.RecalledAt.IsZero() || messaging.ReadsAll(v) {
			open = append(open, boxes[i])
		}
	}
	err := s.read(ctx, new(builder).add("select mm.message_id, mm.member_id from message_mentions mm where mm.message_id in ").in(ids).
		add(" order by mm.message_id, mm.member_id").stmt(func(r row) error {
		var message, member im.ID
		err := r.Scan(&message, &member)
		byID[message].Mentions = append(byID[message].Mentions, member)
		return err
	}))
	if err != nil {
		return unavailable(err, "read mentions")
	}
	return s.keys.open(ctx, open)
}

// took is the messages g in which a member has a part: he sent it, it was sent to him, or to a group while he was in it, as was
// known by then: whom a file enters later, as of whatever day, reads nothing of what was said before it. Each ? is the member's id.
const took = `(g.sender_id = ? or g.recipient_id = ? or exists (select 1 from group_members gm where gm.party_id = ? and gm.group_id = g.group_id
	and gm.id < g.id and gm.joined_at <= g.sent_at and (gm.left_at is null or gm.left_at > g.sent_at)))`

// unread is the kinds of relationships that close what was said before to the two.
var unread = func() (out []im.RelationshipKind) {
	for _, k := range []im.RelationshipKind{im.Block, im.Isolation, im.Blacklist, im.GroupBlock} {
		if (im.Relationship{Kind: k}).Stops(im.MessageHistory, true) || (im.Relationship{Kind: k}).Stops(im.MessageHistory, false) {
			out = append(out, k)
		}
	}
	return out
}()

// readable adds the condition that the viewer may read message g at now. The two whom something like an isolation keeps apart
// do not read what they wrote to each other.
func (q *builder) readable(v im.Viewer, now time.Time) *builder {
	if messaging.ReadsAll(v) {
		return q.add("true")
	}
	if !v.Scopes[im.KindMessage].Has(im.ScopeOwn) {
		return q.add("false")
	}
	me := v.ID()
	kinds, args := in(unread)
	return q.add(took, me, me, me).add(` and not (g.group_id is null and exists (select 1 from relationships r where r.workspace_id = g.workspace_id
		and (r.target_id = g.sender_id and (r.initiator_id = g.recipient_id or r.scope = 'WORKSPACE')
			or r.target_id = g.recipient_id and (r.initiator_id = g.sender_id or r.scope = 'WORKSPACE'))
		and `+inEffect+` and (r.expires_at is null or r.expires_at > ?) and r.kind in `, us(now)).add(kinds, args...).add("))")
}

// Messages reads messages by id.
func (s *Store) Messages(ctx context.Context, v im.Viewer, ids []im.ID, now time.Time) (map[im.ID]im.Message, error) {
	var ms []*im.Message
	var boxes []box
	err := s.read(ctx, new(builder).add("select "+messageColumns+" from messages g where g.id in ").in(ids).add(" and ").readable(v, now).
		stmt(func(r row) error {
			m, b, err := scanMessage(r)
			ms, boxes = append(ms, m), append(boxes, b)
			return err
		}))
	if err != nil {
		return nil, unavailable(err, "read messages")
	}
	if err := s.whole(ctx, v, ms, boxes); err != nil {
		return nil, err
	}
	out := make(map[im.ID]im.Message, len(ms))
	for _, m := range ms {
		out[m.ID] = *m
	}
	return out, nil
}

// ListMessages reads one page of messages, newest first.
func (s *Store) ListMessages(ctx context.Context, v im.Viewer, f messaging.Filter, now time.Time, r page.Request) (page.Result[im.Message], error) {
	where := new(builder).readable(v, now)
	if f.Text != "" {
		grams := s.grams(f.Text)
		if len(grams) == 0 {
			return page.Result[im.Message]{}, fault.New(fault.BadUserInput, "search_short")
		}
		_, all := in(grams)
		for _, g := range all {
			where.add(" and exists (select 1 from message_grams mg where mg.gram = ? and mg.message_id = g.id)", g)
		}
	}
	if !f.SenderID.IsZero() {
		where.add(" and g.sender_id = ?", f.SenderID)
	}
	if !f.ConversationID.IsZero() {
		where.add(" and g.conversation_id = ?", f.ConversationID)
	}
	if !f.GroupID.IsZero() {
		where.add(" and g.group_id = ?", f.GroupID)
	}
	if !f.WithID.IsZero() {
		where.add(" and (g.recipient_id = ? or g.group_id is null and g.sender_id = ?)", f.WithID, f.WithID)
	}
	if !f.From.IsZero() {
		where.add(" and g.sent_at >= ?", us(f.From))
	}
	if !f.Until.IsZero() {
		where.add(" and g.sent_at < ?", us(f.Until))
	}
	if !f.IncludeRecalled || f.Text != "" && !messaging.ReadsAll(v) { // nobody finds by its text what he may not read
		where.add(" and g.recalled_at is null")
	}
	var boxes []box
	out, err := list(ctx, s, listing[*im.Message]{columns: messageColumns, from: "messages g", where: where, order: order{id: "g.id", desc: true},
		scan: func(row row) (*im.Message, page.Position, error) {
			m, b, err := scanMessage(row)
			boxes = append(boxes, b)
			return m, page.Position{ID: m.ID}, err
		}}, r)
	if err != nil {
		return page.Result[im.Message]{}, err
	}
	byRow := make(map[im.ID]box, len(boxes)) // the page is one row shorter, and may be turned round
	for _, b := range boxes {
		byRow[b.row] = b
	}
	boxes = boxes[:0:0]
	for _, m := range out.Nodes {
		boxes = append(boxes, byRow[m.ID])
	}
	if err := s.whole(ctx, v, out.Nodes, boxes); err != nil {
		return page.Result[im.Message]{}, err
	}
	return page.Map(out, func(m *im.Message) im.Message { return *m }), nil
}

// Announcements reads what messages tell their groups.
func (s *Store) Announcements(ctx context.Context, messages []im.ID) (map[im.ID]im.Text, error) {
	var ms []*im.Message
	var boxes []box
	err := s.read(ctx, new(builder).add("select "+messageColumns+" from messages g where g.announcement and g.recalled_at is null and g.id in ").
		in(messages).stmt(func(r row) error {
		m, b, err := scanMessage(r)
		ms, boxes = append(ms, m), append(boxes, b)
		return err
	}))
	if err != nil {
		return nil, unavailable(err, "read announcements")
	}
	if err := s.keys.open(ctx, boxes); err != nil {
		return nil, err
	}
	out := make(map[im.ID]im.Text, len(ms))
	for _, m := range ms {
		out[m.ID] = m.Text
	}
	return out, nil
}

// Takes reports whether a member ever took part in a conversation, and was in a group, where those are named.
func (s *Store) Takes(ctx context.Context, member, conversation, group im.ID) (yes bool, err error) {
	q := new(builder).add("select true")
	if !conversation.IsZero() {
		q.add(" and exists (select 1 from messages g where g.conversation_id = ? and "+took+")", conversation, member, member, member)
	}
	if !group.IsZero() {
		q.add(" and exists (select 1 from group_members gm where gm.party_id = ? and gm.group_id = ?)", member, group)
	}
	err = s.read(ctx, q.stmt(func(r row) error { return r.Scan(&yes) }))
	return yes, unavailable(err, "read a conversation")
}

// Others are those of some messages in which a member has no part.
func (s *Store) Others(ctx context.Context, member im.ID, messages []im.ID) (map[im.ID]bool, error) {
	out := map[im.ID]bool{}
	err := s.read(ctx, new(builder).add("select g.id from messages g where g.id in ").in(messages).add(" and not coalesce("+took+", false)", member, member, member).
		stmt(func(r row) error {
			var id im.ID
			err := r.Scan(&id)
			out[id] = true
			return err
		}))
	return out, unavailable(err, "read whose messages they are")
}

// SendFacts reads what a message is decided on.
func (s *Store) SendFacts(ctx context.Context, q messaging.SendQuery) (f messaging.SendFacts, err error) {
	me := q.Viewer.ID()
	yes := func(into *bool) func(row) error { return func(r row) error { return r.Scan(into) } }
	ss := []stmt{new(builder).add("select "+workspaceColumns+", ").account(me, s.now()).add(" from workspaces w where w.id = ?", q.WorkspaceID).stmt(func(r row) error {
		var w im.Workspace
		var a im.Account
		err := r.Scan(&w.ID, &w.Name, &w.Platform, &w.Region, &w.TimeZone, &w.CustomerContact, textOf(&a.Status), textOf(&a.StatusScope))
		f.Workspace, f.Standing = &w, a.Standing()
		return err
	})}
	switch q.To.Kind {
	case im.KindMember:
		ss = append(ss, new(builder).add("select true from members m where m.id = ? and ", q.To.ID).visibleTo(q.Viewer, im.KindMember).stmt(yes(&f.To)),
			new(builder).add("select coalesce(").standingOf(q.To.ID, q.WorkspaceID, s.now()).add(" = 'ACTIVE', false)").stmt(yes(&f.ToHere)))
	case im.KindContact:
		ss = append(ss, new(builder).add("select true from external_contacts c where c.id = ? and ", q.To.ID).visibleTo(q.Viewer, im.KindContact).stmt(yes(&f.To)),
			stmt{text: "select true from external_contacts c where c.id = ? and c.workspace_id = ?", args: []any{q.To.ID, q.WorkspaceID}, scan: yes(&f.ToHere)})
	}
	if !q.GroupID.IsZero() {
		ss = append(ss, new(builder).add("select "+groupColumns+" from groups g where g.id = ? and g.workspace_id = ? and g.dissolved_at is null and ",
			q.GroupID, q.WorkspaceID).visibleTo(q.Viewer, im.KindGroup).stmt(func(r row) error {
			g, err := scanGroup(r)
			f.Group = &g
			return err
		}), new(builder).add("select "+placeInGroup+` from group_members gm join groups g on g.id = gm.group_id
			where gm.group_id = ? and gm.party_id = ? and gm.left_at is null`, q.GroupID, me).stmt(func(r row) error { return r.Scan(&f.Place) }))
	}
	if len(q.Mentions) > 0 {
		f.Mentioned = map[im.ID]bool{}
		ss = append(ss, new(builder).add(`select m.id from members m join group_members gm on gm.party_id = m.id and gm.group_id = ? and gm.left_at is null
			where m.id in `, q.GroupID).in(q.Mentions).add(" and ").visibleTo(q.Viewer, im.KindMember).stmt(func(r row) error {
			var id im.ID
			err := r.Scan(&id)
			f.Mentioned[id] = true
			return err
		}))
	}
	return f, unavailable(s.read(ctx, ss...), "read facts of a message")
}

// wholeWorkspace is the lock of relationships that hold for everybody.
const wholeWorkspace = 0x67756e78

// lockStmts begins a unit that writes messages, relationships that are in effect afterwards, or accounts: a message shares the
// locks of the two, a relationship has its initiator's alone and an account its person's, so that the one sees the other whichever
// commits first. Everybody takes them in the same order.
func (s *Store) lockStmts(u ledger.Unit) (ss []stmt) {
	locks := map[int64]bool{} // whether it is taken alone
	alone := func(rs []im.Relationship) {
		for _, r := range rs {
			if !r.State.InEffect() {
				continue
			}
			locks[oneAtATime(r.InitiatorID)] = true
			if r.Scope == im.WorkspaceScope {
				locks[wholeWorkspace] = true
			}
		}
	}
	alone(u.Relationships)
	alone(u.Steps)
	if u.Counted != nil {
		locks[oneAtATime(u.Counted.InitiatorID)] = true
	}
	for _, t := range u.AccountSteps {
		if t.Counted != nil || t.SuperAdmins != nil {
			locks[accountsLock] = true
		}
		if m := t.Account.MemberID; !m.IsZero() {
			locks[oneAtATime(m)] = true
		}
	}
	for _, b := range u.Bindings {
		if b.SuperAdmins != nil {
			locks[accountsLock] = true
		}
		for _, m := range []im.ID{b.Account.MemberID, b.Before} {
			if !m.IsZero() {
				locks[oneAtATime(m)] = true
			}
		}
	}
	share := func(lock int64) {
		if !locks[lock] {
			locks[lock] = false
		}
	}
	if len(u.Bindings) > 0 {
		share(bindingsLock)
	}
	for _, x := range u.Sent {
		share(oneAtATime(x.Message.Sender.ID))
		for _, way := range x.Ways {
			share(wholeWorkspace)
			share(oneAtATime(way.From.ID))
			share(oneAtATime(way.To.ID))
		}
	}
	order := make([]int64, 0, len(locks))
	for l := range locks {
		order = append(order, l)
	}
	slices.Sort(order)
	for _, l := range order {
		if locks[l] {
			ss = append(ss, s.eng.alone(l)...)
		} else {
			ss = append(ss, s.eng.together(l)...)
		}
	}
	return ss
}

// messageStmts writes new messages, if nothing stands in their way that was not looked at, and takes others back.
func (s *Store) messageStmts(w *writing, u ledger.Unit) (ss []stmt) {
	for _, x := range u.Sent {
		m := x.Message
		q := new(builder).add(`insert into messages (id, workspace_id, conversation_id, group_id, sender_kind, sender_id, recipient_kind, recipient_id,
			announcement, kind, body, sent_at) select ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? where `,
			m.ID, m.WorkspaceID, m.ConversationID, m.GroupID, m.Sender.Kind, m.Sender.ID, null(m.Recipient.Kind), m.Recipient.ID,
			m.Announcement, m.Kind, w.seal(m.Sender.ID, m.Text, placeBody, m.ID), us(m.SentAt)).
			standingOf(m.Sender.ID, m.WorkspaceID, m.SentAt).add(" = ?", x.Standing)
		if m.Recipient.Kind == im.KindMember {
			q.add(" and ").standingOf(m.Recipient.ID, m.WorkspaceID, m.SentAt).add(" = 'ACTIVE'")
		}
		if !m.GroupID.IsZero() {
			q.add(` and exists (select 1 from group_members gm join groups g on g.id = gm.group_id where gm.group_id = ? and gm.party_id = ?
				and gm.left_at is null and g.dissolved_at is null)`, m.GroupID, m.Sender.ID)
		}
		if len(x.Ways) > 0 {
			pairs := make([]blocking.Pair, len(x.Ways))
			for i, way := range x.Ways {
				pairs[i] = blocking.Pair(way)
			}
			between := s.between(pairs, m.SentAt)
			q.add(" and not exists (").add(between.b.String(), between.args...).add("select 1 from stand")
			if len(x.Known) > 0 {
				q.add(" where stand.id not in ").in(x.Known)
			}
			q.add(")")
		}
		insert := q.stmt(nil)
		insert.want = 1
		ss = append(ss, insert)
		for _, id := range m.Mentions {
			ss = append(ss, stmt{text: "insert into message_mentions (message_id, member_id) values (?, ?)", args: []any{m.ID, id}})
		}
		if m.Announcement {
			ss = append(ss, stmt{text: "update groups set announcement_id = ? where id = ?", args: []any{m.ID, m.GroupID}})
		}
		ss = append(ss, indexStmts(m.ID, s.grams(string(m.Text)))...)
	}
	for _, m := range u.Recalled {
		ss = append(ss, stmt{text: "update messages set recalled_at = ?, recalled_by = ? where id = ? and recalled_at is null", want: 1,
			args: []any{us(m.RecalledAt), m.RecalledBy, m.ID}})
	}
	return ss
}

// gramsAtOnce is how many pairs of letters one statement inserts.
const gramsAtOnce = 128

func indexStmts(message im.ID, grams []int64) (ss []stmt) {
	for len(grams) > 0 {
		n := min(len(grams), gramsAtOnce)
		_, all := in(grams[:n])
		args := make([]any, 0, 2*len(all))
		for _, g := range all {
			args = append(args, g, message)
		}
		ss = append(ss, stmt{text: "insert into message_grams (gram, message_id) values " + strings.Repeat("(?, ?), ", len(all)-1) + "(?, ?) on conflict do nothing", args: args})
		grams = grams[n:]
	}
	return ss
}

// grams is the keyed hashes of the pairs of letters of a text, as a search goes by them: letters of any width and case are one, and
// what does not show is not there.
func (s *Store) grams(text string) []int64 {
	var letters []rune
	for _, r := range strings.ToLower(norm.NFKC.String(text)) {
		switch {
		case unicode.IsSpace(r):
			if n := len(letters); n > 0 && letters[n-1] != ' ' {
				letters = append(letters, ' ')
			}
		case unicode.IsGraphic(r) && !unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Mc, r):
			letters = append(letters, r)
		}
	}
	if n := len(letters); n > 0 && letters[n-1] == ' ' {
		letters = letters[:n-1]
	}
	seen := map[string]bool{}
	var out []int64
	for i := 1; i < len(letters); i++ {
		pair := string(letters[i-1 : i+1])
		if seen[pair] {
			continue
		}
		seen[pair] = true
		out = append(out, int64(binary.BigEndian.Uint64(s.Fingerprint(append([]byte("gram|"), pair...)))))
	}
	slices.Sort(out)
	return slices.Compact(out)
}
