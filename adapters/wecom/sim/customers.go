package sim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/guanxi-im/guanxi/adapters/sim/stage"
)

// Lists the members who have customer contact (客户联系).
//
//vendor:op GET /cgi-bin/externalcontact/get_follow_user_list
//vendor:doc https://developer.work.weixin.qq.com/document/path/92571
func (c *call) followUserList() (any, error) {
	out := []string{}
	for _, m := range c.Members {
		if m.CustomerContact && m.Status != Left {
			out = append(out, m.UserID)
		}
	}
	return struct {
		head
		Users []string `json:"follow_user"`
	}{ok, out}, nil
}

// Lists a member's customers. Of a member without any it is no empty list but 84061, which the page does not say and a
// log of the vendor's answer shows: https://github.com/binarywang/WxJava/issues/1528.
//
//vendor:op GET /cgi-bin/externalcontact/list
//vendor:doc https://developer.work.weixin.qq.com/document/path/92113
func (c *call) contactList() (any, error) {
	m, err := c.named(c.query.Get("userid"))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, x := range c.Contacts {
		if m.CustomerContact && x.follow(m.UserID) != nil {
			out = append(out, x.ExternalUserID)
		}
	}
	if out == nil {
		return nil, noRelation
	}
	return struct {
		head
		Contacts []string `json:"external_userid"`
	}{ok, out}, nil
}

// contact is a contact as calls show it: what only a WeCom user has is left out of the others.
type contact struct {
	ID           string      `json:"external_userid"`
	Name         string      `json:"name"`
	Position     string      `json:"position,omitempty"`
	Avatar       string      `json:"avatar"`
	CorpName     string      `json:"corp_name,omitempty"`
	CorpFullName string      `json:"corp_full_name,omitempty"`
	Type         ContactType `json:"type"`
	Gender       int         `json:"gender"`
	UnionID      string      `json:"unionid,omitempty"`
}

func shown(x *Contact) contact {
	out := contact{ID: x.ExternalUserID, Name: x.Name, Avatar: x.Avatar, Type: x.Type, Gender: x.Gender}
	if x.Type == WeComUser {
		out.Position, out.CorpName, out.CorpFullName = x.Position, x.CorpName, x.CorpFullName
	} else {
		out.UnionID = x.UnionID
	}
	return out
}

// relation is what two calls show of a [Follow].
type relation struct {
	UserID         string   `json:"userid"`
	Remark         string   `json:"remark"`
	Description    string   `json:"description"`
	CreateTime     int64    `json:"createtime"`
	RemarkCorpName string   `json:"remark_corp_name,omitempty"`
	RemarkMobiles  []string `json:"remark_mobiles"`
	Operator       string   `json:"oper_userid"`
	AddWay         int      `json:"add_way"`
	State          string   `json:"state,omitempty"`
}

func (f *Follow) relation() relation {
	r := relation{f.UserID, f.Remark, f.Description, f.CreateTime, f.RemarkCorpName, f.RemarkMobiles, f.Operator, f.AddWay, f.State}
	if r.RemarkMobiles == nil {
		r.RemarkMobiles = []string{}
	}
	if r.Operator == "" {
		r.Operator = f.UserID
	}
	return r
}

// followersPerPage is how many followers an answer holds before it is paged.
const followersPerPage = 500

// Reads one contact with those who follow it. One whom nobody follows any more is 84061.
//
//vendor:op GET /cgi-bin/externalcontact/get
//vendor:doc https://developer.work.weixin.qq.com/document/path/92114
func (c *call) contactGet() (any, error) {
	type tag struct {
		Group string `json:"group_name"`
		Name  string `json:"tag_name"`
		ID    string `json:"tag_id,omitempty"` // a member's own tag has none
		Type  int    `json:"type"`             // 1 the company's, 2 the member's own
	}
	type follow struct {
		relation
		Tags []tag `json:"tags"`
	}
	x := c.contact(c.query.Get("external_userid"))
	if x == nil {
		return nil, badContact
	}
	var rows []row[follow]
	for _, f := range x.Follows {
		if c.member(f.UserID) == nil {
			continue
		}
		tags := []tag{}
		for _, id := range f.Tags {
			at := c.tags[id]
			g := c.TagGroups[at.group]
			tags = append(tags, tag{g.Name, g.Tags[at.tag].Name, id, 1})
		}
		for _, name := range f.PersonalTags {
			tags = append(tags, tag{"", name, "", 2})
		}
		rows = append(rows, row[follow]{strings.ToLower(f.UserID), follow{f.relation(), tags}})
	}
	if len(rows) == 0 {
		return nil, noRelation
	}
	follows, next, err := page(rows, "get/"+x.ExternalUserID, c.query.Get("cursor"), followersPerPage)
	return struct {
		head
		Contact contact  `json:"external_contact"`
		Follows []follow `json:"follow_user"`
		Next    string   `json:"next_cursor,omitempty"`
	}{ok, shown(x), follows, next}, err
}

// Pages through the contacts of up to 100 members, each with one relation. An unknown member refuses the whole call,
// which the page does not say.
//
//vendor:op POST /cgi-bin/externalcontact/batch/get_by_user
//vendor:doc https://developer.work.weixin.qq.com/document/path/92994
func (c *call) contactBatch() (any, error) {
	const most, usual, members = 100, 50, 100
	in := struct {
		UserIDs []string `json:"userid_list"`
		Cursor  string   `json:"cursor"`
		Limit   int      `json:"limit"`
	}{}
	if err := c.in(&in); err != nil {
		return nil, err
	}
	if len(in.UserIDs) == 0 || len(in.UserIDs) > members || in.Limit < 0 {
		return nil, badParameter
	}
	if in.Limit == 0 {
		in.Limit = usual
	}
	type follow struct {
		relation
		Tags []string `json:"tag_id"`
	}
	type item struct {
		Contact contact `json:"external_contact"`
		Follow  follow  `json:"follow_info"`
	}
	var rows []row[item]
	var unlicensed []string
	asked := map[string]bool{}
	for i, id := range in.UserIDs {
		m := c.member(id)
		if m == nil {
			return nil, badUserIDs
		}
		if asked[m.UserID] {
			continue
		}
		asked[m.UserID] = true
		if m.Unlicensed {
			unlicensed = append(unlicensed, m.UserID)
			continue
		}
		for j := range c.Contacts {
			x := &c.Contacts[j]
			if f := x.follow(m.UserID); f != nil && m.CustomerContact {
				rows = append(rows, row[item]{fmt.Sprintf("%03d/%s", i, x.ExternalUserID), item{shown(x), follow{f.relation(), f.Tags}}})
			}
		}
	}
	if len(unlicensed) == len(asked) {
		return nil, nobodyLicensed
	}
	type failed struct {
		Unlicensed []string `json:"unlicensed_userid_list"`
	}
	var fail *failed
	if unlicensed != nil {
		fail = &failed{unlicensed}
	}
	items, next, err := page(rows, "batch/"+strings.Join(in.UserIDs, ","), in.Cursor, min(in.Limit, most))
	return struct {
		head
		Items []item  `json:"external_contact_list"`
		Next  string  `json:"next_cursor"`
		Fail  *failed `json:"fail_info,omitempty"`
	}{ok, items, next, fail}, err
}

// related is a relation that a call wants to write on.
func (c *call) related(userID, contactID string) (*Contact, *Follow, error) {
	m, err := c.named(userID)
	if err != nil {
		return nil, nil, err
	}
	x := c.contact(contactID)
	if x == nil {
		return nil, nil, badContact
	}
	f := x.follow(m.UserID)
	if f == nil {
		return nil, nil, noRelation
	}
	return x, f, nil
}

// Writes what a member notes about a contact. What is empty is taken as not given: the page says only how mobile numbers
// are cleared, by one that is empty. A picture is taken and shown nowhere, as no call reads it.
//
//vendor:op POST /cgi-bin/externalcontact/remark
//vendor:doc https://developer.work.weixin.qq.com/document/path/92115
func (c *call) remark() (any, error) {
	const short, long = 20, 150
	var in struct {
		UserID      string   `json:"userid"`
		ContactID   string   `json:"external_userid"`
		Remark      string   `json:"remark"`
		Description string   `json:"description"`
		Company     string   `json:"remark_company"`
		Mobiles     []string `json:"remark_mobiles"`
		Picture     string   `json:"remark_pic_mediaid"`
	}
	if err := c.in(&in); err != nil {
		return nil, err
	}
	x, f, err := c.related(in.UserID, in.ContactID)
	if err != nil {
		return nil, err
	}
	if in.Remark+in.Description+in.Company+in.Picture == "" && len(in.Mobiles) == 0 {
		return nil, badParameter
	}
	if longer(in.Remark, short) || longer(in.Description, long) || longer(in.Company, short) {
		return nil, badParameter
	}
	d, changed := remarkChange{UserID: f.UserID}, false
	write := func(field **string, is, to string) {
		if to != "" && to != is {
			*field, changed = &to, true
		}
	}
	write(&d.Remark, f.Remark, in.Remark)
	write(&d.Description, f.Description, in.Description)
	if x.Type == WeChatUser {
		write(&d.RemarkCorpName, f.RemarkCorpName, in.Company)
	}
	mobiles := slices.DeleteFunc(in.Mobiles, func(m string) bool { return m == "" })
	if len(in.Mobiles) > 0 && !slices.Equal(mobiles, f.RemarkMobiles) {
		d.RemarkMobiles, changed = &mobiles, true
	}
	if changed {
		c.effect = stage.NewEffect(remarkChanged, x.ExternalUserID, d)
	}
	return ok, nil
}

func longer(text string, n int) bool { return utf8.RuneCountInString(text) > n }

// Adds tags to a relation and removes others. A tag that is there already, or is not, is no error; one that does not
// exist is 40068.
//
//vendor:op POST /cgi-bin/externalcontact/mark_tag
//vendor:doc https://developer.work.weixin.qq.com/document/path/92118
func (c *call) markTag() (any, error) {
	var in struct {
		UserID    string   `json:"userid"`
		ContactID string   `json:"external_userid"`
		Add       []string `json:"add_tag"`
		Remove    []string `json:"remove_tag"`
	}
	if err := c.in(&in); err != nil {
		return nil, err
	}
	x, f, err := c.related(in.UserID, in.ContactID)
	if err != nil {
		return nil, err
	}
	if len(in.Add)+len(in.Remove) == 0 {
		return nil, badParameter
	}
	d := tagChange{UserID: f.UserID}
	for _, id := range in.Remove {
		if _, known := c.tags[id]; !known {
			return nil, badTag
		}
		if slices.Contains(f.Tags, id) && !slices.Contains(d.Removed, id) && !slices.Contains(in.Add, id) {
			d.Removed = append(d.Removed, id)
		}
	}
	for _, id := range in.Add {
		if _, known := c.tags[id]; !known {
			return nil, badTag
		}
		if !slices.Contains(f.Tags, id) && !slices.Contains(d.Added, id) {
			d.Added = append(d.Added, id)
		}
	}
	switch {
	case d.Added != nil && d.Removed != nil:
		c.effect = stage.NewEffect(tagsChanged, x.ExternalUserID, d)
	case d.Added != nil:
		c.effect = stage.NewEffect(tagsAdded, x.ExternalUserID, d)
	case d.Removed != nil:
		c.effect = stage.NewEffect(tagsRemoved, x.ExternalUserID, d)
	}
	return ok, nil
}

// pair is the relation that a body of mark_tag writes on: two writes on one at the same time are 45035.
func pair(body []byte) string {
	var in struct {
		UserID    string `json:"userid"`
		ContactID string `json:"external_userid"`
	}
	_ = json.Unmarshal(body, &in) // what is malformed is on nothing, and refused later
	if in.UserID == "" || in.ContactID == "" {
		return ""
	}
	return strings.ToLower(in.UserID) + "/" + in.ContactID
}

// tagGroup is a group of tags as calls show it.
type tagGroup struct {
	ID         string `json:"group_id"`
	Name       string `json:"group_name"`
	CreateTime int64  `json:"create_time"`
	Order      int64  `json:"order"`
	Deleted    *bool  `json:"deleted,omitempty"` // only to those who ask for certain tags or groups
	Tags       []tag  `json:"tag"`
}

type tag struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	CreateTime int64  `json:"create_time"`
	Order      int64  `json:"order"`
	Deleted    *bool  `json:"deleted,omitempty"`
}

// Lists the company's tags: all, or those of certain groups, or certain ones.
//
//vendor:op POST /cgi-bin/externalcontact/get_corp_tag_list
//vendor:doc https://developer.work.weixin.qq.com/document/path/92117
func (c *call) tagList() (any, error) {
	var in struct {
		Tags   []string `json:"tag_id"`
		Groups []string `json:"group_id"`
	}
	if err := c.in(&in); err != nil {
		return nil, err
	}
	if len(in.Groups) > 0 {
		in.Tags = nil
	}
	known := func(id string) bool { _, is := c.tags[id]; return is }
	group := func(id string) bool {
		return slices.ContainsFunc(c.TagGroups, func(g TagGroup) bool { return g.ID == id })
	}
	if !all(in.Tags, known) || !all(in.Groups, group) {
		return nil, badTag
	}
	var deleted *bool
	if len(in.Tags)+len(in.Groups) > 0 {
		deleted = new(bool)
	}
	out := []tagGroup{}
	for _, g := range c.TagGroups {
		if len(in.Groups) > 0 && !slices.Contains(in.Groups, g.ID) {
			continue
		}
		shown := tagGroup{g.ID, g.Name, g.CreateTime, g.Order, deleted, []tag{}}
		for _, t := range g.Tags {
			if len(in.Tags) == 0 || slices.Contains(in.Tags, t.ID) {
				shown.Tags = append(shown.Tags, tag{t.ID, t.Name, t.CreateTime, t.Order, deleted})
			}
		}
		if len(shown.Tags) > 0 {
			out = append(out, shown)
		}
	}
	return struct {
		head
		Groups []tagGroup `json:"tag_group"`
	}{ok, out}, nil
}

func all(ids []string, known func(string) bool) bool {
	return !slices.ContainsFunc(ids, func(id string) bool { return !known(id) })
}

// Makes tags, in a group that there is or in a new one. The tags of a group have different names: of equal ones one is
// made, and one that the group has already is answered and not made again.
//
//vendor:op POST /cgi-bin/externalcontact/add_corp_tag
//vendor:doc https://developer.work.weixin.qq.com/document/path/92117
func (c *call) addTag() (any, error) {
	const longest, most = 30, 10_000
	var in struct {
		GroupID   string `json:"group_id"`
		GroupName string `json:"group_name"`
		Order     int64  `json:"order"`
		Tags      []struct {
			Name  string `json:"name"`
			Order int64  `json:"order"`
		} `json:"tag"`
	}
	if err := c.in(&in); err != nil {
		return nil, err
	}
	if len(in.Tags) == 0 || in.GroupID == "" && in.GroupName == "" || longer(in.GroupName, longest) {
		return nil, badParameter
	}
	at := slices.IndexFunc(c.TagGroups, func(g TagGroup) bool {
		return g.ID == in.GroupID || in.GroupID == "" && g.Name == in.GroupName
	})
	group := TagGroup{ID: fmt.Sprintf("et_group_%d", len(c.TagGroups)+1), Name: in.GroupName, CreateTime: c.now.Unix(), Order: in.Order}
	switch {
	case at >= 0:
		group = c.TagGroups[at]
	case in.GroupID != "":
		return nil, badTag
	}
	made := group
	made.Tags = nil
	answer := tagGroup{ID: group.ID, Name: group.Name, CreateTime: group.CreateTime, Order: group.Order, Tags: []tag{}}
	for _, t := range in.Tags {
		if t.Name == "" || longer(t.Name, longest) {
			return nil, badParameter
		}
		same := func(o Tag) bool { return o.Name == t.Name }
		if slices.ContainsFunc(made.Tags, same) {
			continue
		}
		row := Tag{ID: fmt.Sprintf("et_tag_%d", len(c.tags)+len(made.Tags)+1), Name: t.Name, CreateTime: c.now.Unix(), Order: t.Order}
		if i := slices.IndexFunc(group.Tags, same); i >= 0 {
			row = group.Tags[i]
		} else {
			made.Tags = append(made.Tags, row)
		}
		answer.Tags = append(answer.Tags, tag{row.ID, row.Name, row.CreateTime, row.Order, nil})
	}
	if len(c.tags)+len(made.Tags) > most {
		return nil, badParameter // the page gives the number and no code
	}
	if made.Tags != nil {
		c.effect = stage.NewEffect(tagsCreated, group.ID, made)
	}
	return struct {
		head
		Group tagGroup `json:"tag_group"`
	}{ok, answer}, nil
}
