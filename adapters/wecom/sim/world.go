package sim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/guanxi-im/guanxi/adapters/sim/stage"
)

// world is what stands on the platform. Nothing but [world.Apply] changes it.
type world struct {
	company
	members  map[string]int // by userid in lower case: userids are the same in any case
	contacts map[string]int
	groups   map[string]int
	tags     map[string]tagAt
}

// company keeps the name Seed for the method.
type company = Seed

// tagAt is where a tag is in TagGroups.
type tagAt struct{ group, tag int }

// Seed makes the world.
func (w *world) Seed(text json.RawMessage) error {
	w.company = Seed{}
	if err := json.Unmarshal(text, &w.company); err != nil {
		return err
	}
	for _, c := range w.Contacts {
		for i := range c.Follows {
			c.Follows[i].Tags = append([]string{}, c.Follows[i].Tags...) // none is [], not null
		}
	}
	for i := range w.Members {
		if w.Members[i].Status == 0 {
			w.Members[i].Status = Activated
		}
	}
	w.index()
	return nil
}

// State is the world without the secrets of its apps.
func (w *world) State() any {
	shown := w.company
	shown.Apps = nil
	return shown
}

func (w *world) index() {
	w.members, w.contacts, w.groups, w.tags = map[string]int{}, map[string]int{}, map[string]int{}, map[string]tagAt{}
	for i, m := range w.Members {
		w.members[strings.ToLower(m.UserID)] = i
	}
	for i, c := range w.Contacts {
		w.contacts[c.ExternalUserID] = i
	}
	for i, g := range w.Groups {
		w.groups[g.ChatID] = i
	}
	for i, g := range w.TagGroups {
		for j, t := range g.Tags {
			w.tags[t.ID] = tagAt{i, j}
		}
	}
}

// find is the row of a key, nil where there is none.
func find[T any](rows []T, index map[string]int, key string) *T {
	if i, ok := index[key]; ok {
		return &rows[i]
	}
	return nil
}

// anyMember is a member, also one who left.
func (w *world) anyMember(userID string) *Member {
	return find(w.Members, w.members, strings.ToLower(userID))
}

// member is a member of the company.
func (w *world) member(userID string) *Member {
	if m := w.anyMember(userID); m != nil && m.Status != Left {
		return m
	}
	return nil
}

func (w *world) contact(id string) *Contact { return find(w.Contacts, w.contacts, id) }
func (w *world) group(id string) *Group     { return find(w.Groups, w.groups, id) }

func (w *world) department(id int64) *Department {
	if i := slices.IndexFunc(w.Departments, func(d Department) bool { return d.ID == id }); i >= 0 {
		return &w.Departments[i]
	}
	return nil
}

func (w *world) app(name string) *App {
	if i := slices.IndexFunc(w.Apps, func(a App) bool { return a.Name == name }); i >= 0 {
		return &w.Apps[i]
	}
	return nil
}

// follow is a member's relation to a contact.
func (c *Contact) follow(userID string) *Follow {
	if i := slices.IndexFunc(c.Follows, func(f Follow) bool { return strings.EqualFold(f.UserID, userID) }); i >= 0 {
		return &c.Follows[i]
	}
	return nil
}

// The kinds of effects.
const (
	tagsAdded          = "tags_added"
	tagsRemoved        = "tags_removed"
	tagsChanged        = "tags_changed" // added and removed
	tagsCreated        = "tags_created"
	remarkChanged      = "remark_changed"
	tokensVoided       = "tokens_voided"
	groupDissolved     = "group_dissolved"
	groupMemberRemoved = "group_member_removed"
	contactDeleted     = "contact_deleted"
	memberUpdated      = "member_updated"
	memberRemoved      = "member_removed"
	memberSignedIn     = "member_signed_in"
	messageSent        = "message_sent"
)

// The details of effects.
type (
	tagChange struct {
		UserID  string   `json:"userid"`
		Added   []string `json:"added,omitempty"`
		Removed []string `json:"removed,omitempty"`
	}
	remarkChange struct {
		UserID         string    `json:"userid"`
		Remark         *string   `json:"remark,omitempty"`
		Description    *string   `json:"description,omitempty"`
		RemarkCorpName *string   `json:"remark_corp_name,omitempty"`
		RemarkMobiles  *[]string `json:"remark_mobiles,omitempty"`
	}
	groupRemoval struct {
		UserID string `json:"userid"`
	}
	contactDeletion struct {
		UserID string `json:"userid"`
		By     string `json:"by"` // byMember or byContact
	}
	memberChange struct {
		Name         *string  `json:"name,omitempty"`
		Alias        *string  `json:"alias,omitempty"`
		Position     *string  `json:"position,omitempty"`
		Department   *[]int64 `json:"department,omitempty"`
		DirectLeader *string  `json:"direct_leader,omitempty"`
		Enable       *int     `json:"enable,omitempty"` // 1 or 0
	}
	signIn struct {
		At int64 `json:"at"`
	}
)

const (
	byMember  = "member"
	byContact = "contact"
)

// Apply makes an effect happen.
func (w *world) Apply(e stage.Effect) error {
	f, ok := effects[e.Kind]
	if !ok {
		return fmt.Errorf("no effect is called %q", e.Kind)
	}
	if !f(w, e.Subject, e.Detail) {
		return fmt.Errorf("%s of %s: there is no such thing, or the detail does not fit", e.Kind, e.Subject)
	}
	return nil
}

// effects are how each kind changes the world; false: it cannot, and did not.
var effects = map[string]func(w *world, subject string, detail json.RawMessage) bool{
	tagsAdded: onFollow(changeTags), tagsRemoved: onFollow(changeTags), tagsChanged: onFollow(changeTags),
	tagsCreated: func(w *world, _ string, detail json.RawMessage) bool {
		var g TagGroup
		if json.Unmarshal(detail, &g) != nil {
			return false
		}
		if i := slices.IndexFunc(w.TagGroups, func(o TagGroup) bool { return o.ID == g.ID }); i >= 0 {
			w.TagGroups[i].Tags = append(w.TagGroups[i].Tags, g.Tags...)
		} else {
			w.TagGroups = append(w.TagGroups, g)
		}
		w.index()
		return true
	},
	remarkChanged: onFollow(func(f *Follow, d remarkChange) {
		set(&f.Remark, d.Remark)
		set(&f.Description, d.Description)
		set(&f.RemarkCorpName, d.RemarkCorpName)
		set(&f.RemarkMobiles, d.RemarkMobiles)
	}),
	tokensVoided: on((*world).app, func(a *App, _ struct{}) { a.TokenEpoch++ }),
	groupDissolved: on((*world).group, func(g *Group, _ struct{}) {
		g.Dissolved = true
	}),
	groupMemberRemoved: on((*world).group, func(g *Group, d groupRemoval) {
		g.Members = slices.DeleteFunc(g.Members, func(m GroupMember) bool { return strings.EqualFold(m.ID, d.UserID) })
		g.Admins = slices.DeleteFunc(g.Admins, func(id string) bool { return strings.EqualFold(id, d.UserID) })
	}),
	contactDeleted: func(w *world, subject string, detail json.RawMessage) bool {
		var d contactDeletion
		c := w.contact(subject)
		if c == nil || json.Unmarshal(detail, &d) != nil || c.follow(d.UserID) == nil {
			return false
		}
		if d.By == byContact {
			c.follow(d.UserID).DeletedByContact = true
		} else {
			c.Follows = slices.DeleteFunc(c.Follows, func(f Follow) bool { return strings.EqualFold(f.UserID, d.UserID) })
		}
		return true
	},
	memberUpdated: on((*world).member, func(m *Member, d memberChange) {
		set(&m.Name, d.Name)
		set(&m.Alias, d.Alias)
		set(&m.Position, d.Position)
		set(&m.Departments, d.Department)
		set(&m.DirectLeader, d.DirectLeader)
		if d.Enable != nil {
			m.Status = Activated
			if *d.Enable == 0 {
				m.Status = Disabled
			}
		}
	}),
	messageSent: func(w *world, _ string, detail json.RawMessage) bool {
		var m Message
		if json.Unmarshal(detail, &m) != nil {
			return false
		}
		w.Messages = append(w.Messages, m)
		return true
	},
	memberRemoved:  on((*world).member, func(m *Member, _ struct{}) { m.Status = Left }),
	memberSignedIn: on((*world).member, func(m *Member, d signIn) { m.Status, m.SignedInAt = Activated, d.At }),
}

// on is an effect on one row, with a detail of one type.
func on[T, D any](row func(*world, string) *T, change func(*T, D)) func(*world, string, json.RawMessage) bool {
	return func(w *world, subject string, detail json.RawMessage) bool {
		var d D
		at := row(w, subject)
		if at == nil || json.Unmarshal(detail, &d) != nil {
			return false
		}
		change(at, d)
		return true
	}
}

// onFollow is an effect on a relation: the subject is the contact, the detail names the member.
func onFollow[D interface{ member() string }](change func(*Follow, D)) func(*world, string, json.RawMessage) bool {
	return func(w *world, subject string, detail json.RawMessage) bool {
		var d D
		c := w.contact(subject)
		if c == nil || json.Unmarshal(detail, &d) != nil || c.follow(d.member()) == nil {
			return false
		}
		change(c.follow(d.member()), d)
		return true
	}
}

func (d tagChange) member() string    { return d.UserID }
func (d remarkChange) member() string { return d.UserID }

func changeTags(f *Follow, d tagChange) {
	f.Tags = slices.DeleteFunc(f.Tags, func(id string) bool { return slices.Contains(d.Removed, id) })
	f.Tags = append(f.Tags, d.Added...)
}

func set[T any](field *T, to *T) {
	if to != nil {
		*field = *to
	}
}
