package sim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/guanxi-im/guanxi/adapters/sim/stage"
)

// acts are what the platform's own people do. No call of this simulator hands customers over, so that there is nothing
// yet for a customer to accept or refuse.
var acts = map[string]func(w *world, a stage.Act, now time.Time) (stage.Effect, error){
	"dissolve_group":      (*world).dissolveGroup,
	"remove_group_member": (*world).removeGroupMember,
	"delete_contact":      (*world).deleteContact,
	"update_member":       (*world).updateMember,
	"remove_member":       (*world).removeMember,
	"sign_in":             (*world).signIn,
}

// Actions are the names of acts.
func (w *world) Actions() []string {
	return []string{"delete_contact", "dissolve_group", "remove_group_member", "remove_member", "sign_in", "update_member"}
}

// Act says what something comes to that the platform's people do.
func (w *world) Act(a stage.Act, now time.Time) (stage.Effect, error) {
	return acts[a.Action](w, a, now)
}

// nothing is what an act comes to that changes nothing.
var nothing stage.Effect

// detail reads an act's detail.
func detail(a stage.Act, v any) error {
	if len(a.Detail) == 0 {
		return nil
	}
	if err := json.Unmarshal(a.Detail, v); err != nil {
		return stage.Refuse(http.StatusBadRequest, "detail: %v", err)
	}
	return nil
}

func missing(what, id string) error { return stage.Refuse(http.StatusNotFound, "no %s %q", what, id) }

func (w *world) dissolveGroup(a stage.Act, _ time.Time) (stage.Effect, error) {
	g := w.group(a.Subject)
	if g == nil {
		return nothing, missing("group", a.Subject)
	}
	if g.Dissolved {
		return nothing, nil
	}
	return stage.NewEffect(groupDissolved, g.ChatID, struct{}{}), nil
}

// removeGroupMember takes the person of detail.userid out of a group.
func (w *world) removeGroupMember(a stage.Act, _ time.Time) (stage.Effect, error) {
	var d groupRemoval
	if err := detail(a, &d); err != nil {
		return nothing, err
	}
	g := w.group(a.Subject)
	switch {
	case g == nil || g.Dissolved:
		return nothing, missing("group", a.Subject)
	case strings.EqualFold(g.Owner, d.UserID):
		return nothing, stage.Refuse(http.StatusConflict, "%s owns the group", d.UserID)
	case !slices.ContainsFunc(g.Members, func(m GroupMember) bool { return strings.EqualFold(m.ID, d.UserID) }):
		return nothing, missing("member of the group", d.UserID)
	}
	return stage.NewEffect(groupMemberRemoved, g.ChatID, d), nil
}

// deleteContact ends a relation. Where the member ends it (detail.by "member", the default) it is gone: 84061. Where the
// contact does ("contact") it stays on the member's side, and calls still work:
// https://developer.work.weixin.qq.com/document/path/90313, 84061.
func (w *world) deleteContact(a stage.Act, _ time.Time) (stage.Effect, error) {
	d := contactDeletion{By: byMember}
	if err := detail(a, &d); err != nil {
		return nothing, err
	}
	x := w.contact(a.Subject)
	if x == nil {
		return nothing, missing("contact", a.Subject)
	}
	if d.By != byMember && d.By != byContact {
		return nothing, stage.Refuse(http.StatusBadRequest, "detail.by: expected member or contact, found %q", d.By)
	}
	if d.UserID == "" && len(x.Follows) == 1 {
		d.UserID = x.Follows[0].UserID
	}
	f := x.follow(d.UserID)
	switch {
	case f == nil:
		return nothing, missing("follower of the contact: detail.userid", d.UserID)
	case f.DeletedByContact && d.By == byContact:
		return nothing, nil
	}
	return stage.NewEffect(contactDeleted, x.ExternalUserID, d), nil
}

// updateMember changes a member as an administrator would: detail has the fields of user/update.
func (w *world) updateMember(a stage.Act, _ time.Time) (stage.Effect, error) {
	var d memberChange
	if err := detail(a, &d); err != nil {
		return nothing, err
	}
	m := w.member(a.Subject)
	if m == nil {
		return nothing, missing("member", a.Subject)
	}
	if d.Department != nil {
		for _, id := range *d.Department {
			if w.department(id) == nil {
				return nothing, stage.Refuse(http.StatusNotFound, "no department %d", id)
			}
		}
		if len(*d.Department) == 0 {
			return nothing, stage.Refuse(http.StatusBadRequest, "detail.department: expected one at least")
		}
	}
	if d.DirectLeader != nil && *d.DirectLeader != "" && w.member(*d.DirectLeader) == nil {
		return nothing, missing("member", *d.DirectLeader)
	}
	drop(&d.Name, m.Name)
	drop(&d.Alias, m.Alias)
	drop(&d.Position, m.Position)
	drop(&d.DirectLeader, m.DirectLeader)
	if d.Department != nil && slices.Equal(*d.Department, m.Departments) {
		d.Department = nil
	}
	if d.Enable != nil {
		switch {
		case *d.Enable != 0 && *d.Enable != 1:
			return nothing, stage.Refuse(http.StatusBadRequest, "detail.enable: expected 1 or 0, found %d", *d.Enable)
		case (*d.Enable == 0) == (m.Status == Disabled): // whom nobody disabled need not be enabled
			d.Enable = nil
		}
	}
	if d == (memberChange{}) {
		return nothing, nil
	}
	return stage.NewEffect(memberUpdated, m.UserID, d), nil
}

// drop forgets a value that is there already.
func drop[T comparable](to **T, is T) {
	if *to != nil && **to == is {
		*to = nil
	}
}

// removeMember deletes a member: his userid is gone, his groups have no owner.
func (w *world) removeMember(a stage.Act, _ time.Time) (stage.Effect, error) {
	m := w.anyMember(a.Subject)
	if m == nil {
		return nothing, missing("member", a.Subject)
	}
	if m.Status == Left {
		return nothing, nil
	}
	return stage.NewEffect(memberRemoved, m.UserID, struct{}{}), nil
}

// signIn has a member use the client, which activates an account that was not.
func (w *world) signIn(a stage.Act, now time.Time) (stage.Effect, error) {
	m := w.member(a.Subject)
	if m == nil {
		return nothing, missing("member", a.Subject)
	}
	if m.Status == Disabled {
		return nothing, stage.Refuse(http.StatusConflict, "%s is disabled", m.UserID)
	}
	return stage.NewEffect(memberSignedIn, m.UserID, signIn{now.Unix()}), nil
}
