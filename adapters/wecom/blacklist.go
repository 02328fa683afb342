package wecom

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf16"

	"github.com/guanxi-im/guanxi/adapters"
)

// remarkLimit is how long a remark may be (https://developer.work.weixin.qq.com/document/path/92115). The page says
// characters and not which: by UTF-16's units a remark fits either way.
const remarkLimit = 20

// Blacklist marks the owner's remark for the contact and takes the company's tags off it. It reads first and does only
// what is left to do; the remark goes first, as it can be taken back without a snapshot. Personal tags and those of rule
// groups stay: the app cannot take them off.
func (a *Adapter) Blacklist(ctx context.Context, req adapters.BlacklistRequest) (res adapters.BlacklistResult, err error) {
	res.Enforcement = adapters.Emulated
	if req.Held != nil {
		res.Snapshot = *req.Held
	}
	leave, err := a.pairs.enter(ctx, pair{fold(string(req.Owner)), req.Contact})
	if err != nil {
		return res, err
	}
	defer leave()
	_, f, err := a.relation(ctx, req.Owner, req.Contact)
	if err != nil {
		return res, err
	}
	s := a.read(f)
	if req.Held == nil {
		res.Snapshot.Remark = s.now.Remark
	}
	res.Snapshot.Tags = union(res.Snapshot.Tags, s.now.Tags)
	res.Short = s.stays
	if !s.marked {
		if err := a.remark(ctx, req.Owner, req.Contact, a.marked(s.now.Remark)); err != nil {
			return res, err
		}
		res.Changed = true
	}
	if len(s.now.Tags) > 0 {
		if err := a.markTag(ctx, req.Owner, req.Contact, nil, idsOfTags(s.now.Tags)); err != nil {
			return res, err
		}
		res.Changed = true
	}
	return res, nil
}

// Unblacklist takes the mark off the remark, and puts the tags back that are held and still in the company's library.
// A remark that somebody has rewritten behind the mark stays as rewritten.
func (a *Adapter) Unblacklist(ctx context.Context, req adapters.BlacklistRequest) (res adapters.BlacklistResult, err error) {
	res.Enforcement = adapters.Emulated
	leave, err := a.pairs.enter(ctx, pair{fold(string(req.Owner)), req.Contact})
	if err != nil {
		return res, err
	}
	defer leave()
	contact, f, err := a.relation(ctx, req.Owner, req.Contact)
	if err != nil {
		return res, err
	}
	s := a.read(f)
	if s.marked {
		remark := s.now.Remark
		if req.Held != nil && f.Remark == a.marked(req.Held.Remark) { // the mark may have cut its end off
			remark = req.Held.Remark
		}
		if remark == "" {
			remark = cut(contact.Name)
			res.Short = append(res.Short, adapters.Shortfall{Code: adapters.ShortEmpty, What: "remark", Why: "there was none, and WeCom takes no empty one: it is now the contact's own name"})
		}
		if err := a.remark(ctx, req.Owner, req.Contact, remark); err != nil {
			return res, err
		}
		res.Changed = true
	}
	var back []adapters.TagID
	if req.Held != nil {
		back = without(idsOfTags(req.Held.Tags), idsOfTags(s.now.Tags))
	}
	if len(back) == 0 {
		return res, nil
	}
	library, err := a.corpTags(ctx) // one tag that is gone would have the whole call refused
	if err != nil {
		return res, err
	}
	back = slices.DeleteFunc(back, func(id adapters.TagID) bool {
		_, there := library[id]
		if !there {
			res.Short = append(res.Short, adapters.Shortfall{Code: adapters.ShortGone, What: string(id), Why: "the tag is no longer in the company's library"})
		}
		return !there
	})
	if len(back) > 0 {
		if err := a.markTag(ctx, req.Owner, req.Contact, back, nil); err != nil {
			return res, err
		}
		res.Changed = true
	}
	return res, nil
}

// Blacklisted reads the mark and the tags.
func (a *Adapter) Blacklisted(ctx context.Context, owner adapters.MemberID, contact adapters.ContactID) (adapters.BlacklistState, error) {
	_, f, err := a.relation(ctx, owner, contact)
	if err != nil {
		return adapters.BlacklistState{}, err
	}
	s := a.read(f)
	return adapters.BlacklistState{Listed: s.marked && len(s.now.Tags) == 0, Snapshot: s.now}, nil
}

// standing is what of a blacklisting is there.
type standing struct {
	marked bool
	now    adapters.Snapshot // the company's tags, and the remark without the mark
	stays  []adapters.Shortfall
}

func (a *Adapter) read(f followUser) (s standing) {
	s.now.Remark, s.marked = strings.CutPrefix(f.Remark, a.mark)
	left := map[int]int{}
	for _, t := range f.Tags {
		if t.Type == corpTag && t.ID != "" {
			s.now.Tags = append(s.now.Tags, adapters.Tag{ID: adapters.TagID(t.ID), Name: t.Name, Group: t.Group})
		} else {
			left[t.Type]++
		}
	}
	for _, kind := range []struct {
		id        int
		what, why string
	}{
		{personalTag, "personal tags", "only the member can take off tags of his own"},
		{ruleTag, "rule group tags", "only the app that made the rule group can take them off"},
	} {
		if n := left[kind.id]; n > 0 {
			s.stays = append(s.stays, adapters.Shortfall{Code: adapters.ShortNotOurs, What: fmt.Sprintf("%s: %d", kind.what, n), Why: kind.why})
		}
	}
	return s
}

// marked is the remark of a blacklisted contact.
func (a *Adapter) marked(remark string) string { return cut(a.mark + remark) }

// cut is as much of a remark as WeCom takes.
func cut(remark string) string {
	n := 0
	for i, r := range remark {
		if n += utf16.RuneLen(r); n > remarkLimit {
			return remark[:i]
		}
	}
	return remark
}

// length is how long a text is as remarks are measured.
func length(s string) int { return len(utf16.Encode([]rune(s))) }

func idsOfTags(tags []adapters.Tag) []adapters.TagID {
	out := make([]adapters.TagID, len(tags))
	for i, t := range tags {
		out[i] = t.ID
	}
	return out
}

// union is have, and what of more is not in it.
func union(have, more []adapters.Tag) []adapters.Tag {
	have = slices.Clone(have)
	for _, t := range more {
		if !slices.ContainsFunc(have, func(h adapters.Tag) bool { return h.ID == t.ID }) {
			have = append(have, t)
		}
	}
	return have
}

func without(ids, these []adapters.TagID) []adapters.TagID {
	return slices.DeleteFunc(ids, func(id adapters.TagID) bool { return id == "" || slices.Contains(these, id) })
}

// pair is one relation. WeCom refuses two writes to one at once (45035), and two that read before they write would undo
// each other's work; so here each pair is written by one at a time.
type pair struct {
	owner   string
	contact adapters.ContactID
}

type serial struct {
	mu   sync.Mutex
	busy map[pair]chan struct{}
}

// enter waits until nobody else writes the pair.
func (s *serial) enter(ctx context.Context, p pair) (leave func(), err error) {
	for {
		s.mu.Lock()
		done, taken := s.busy[p]
		if !taken {
			done = make(chan struct{})
			if s.busy == nil {
				s.busy = map[pair]chan struct{}{}
			}
			s.busy[p] = done
			s.mu.Unlock()
			return func() {
				s.mu.Lock()
				delete(s.busy, p)
				s.mu.Unlock()
				close(done)
			}, nil
		}
		s.mu.Unlock()
		select {
		case <-done:
		case <-ctx.Done():
			return nil, &adapters.Error{Code: adapters.Unavailable, Op: platform + ".Blacklist", Message: "the call's time was over before its turn came", Err: ctx.Err()}
		}
	}
}
