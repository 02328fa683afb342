package wecom

import (
	"context"
	"net/url"
	"time"

	"github.com/guanxi-im/guanxi/adapters"
)

// This file is WeCom's calls, each as its page has it and nothing beside: what they mean to guanxi is in directory.go,
// contacts.go, blacklist.go and notice.go. Fields that nobody here reads are left out, phone numbers and pictures above all.

//go:generate go test -run TestCallTable -update

// params is a query of names and values; one without a value is left out.
func params(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v
}

type department struct {
	ID       int64    `json:"id"`
	Name     string   `json:"name"`
	ParentID int64    `json:"parentid"`
	Leaders  []string `json:"department_leader"`
}

// departments are all departments that the secret can see; the call has no pages.
//
//vendor:op GET /cgi-bin/department/list
//vendor:doc https://developer.work.weixin.qq.com/document/path/90208 2026-02-12
func (a *Adapter) departments(ctx context.Context) ([]department, error) {
	var out struct {
		Departments []department `json:"department"`
	}
	err := a.client.call(ctx, a.directory, request{path: "/cgi-bin/department/list"}, &out)
	return out.Departments, err
}

type user struct {
	UserID         string   `json:"userid"`
	Name           string   `json:"name"`
	Position       string   `json:"position"`
	Departments    []int64  `json:"department"`
	Leads          []int    `json:"is_leader_in_dept"` // 1 or 0, beside Departments
	MainDepartment int64    `json:"main_department"`
	DirectLeaders  []string `json:"direct_leader"`
	Status         int      `json:"status"`
}

// users are the members of one department, without those below it; the call has no pages.
//
//vendor:op GET /cgi-bin/user/list
//vendor:doc https://developer.work.weixin.qq.com/document/path/90201 2026-02-12
func (a *Adapter) users(ctx context.Context, department string) ([]user, error) {
	var out struct {
		Users []user `json:"userlist"`
	}
	err := a.client.call(ctx, a.directory, request{path: "/cgi-bin/user/list", query: params("department_id", department)}, &out)
	return out.Users, err
}

// followUsers are the members in the app's range that have customer contact (客户联系).
//
//vendor:op GET /cgi-bin/externalcontact/get_follow_user_list
//vendor:doc https://developer.work.weixin.qq.com/document/path/92571 2026-02-12
func (a *Adapter) followUsers(ctx context.Context) ([]string, error) {
	var out struct {
		Users []string `json:"follow_user"`
	}
	err := a.client.call(ctx, a.app, request{path: "/cgi-bin/externalcontact/get_follow_user_list"}, &out)
	return out.Users, err
}

type externalContact struct {
	ID       string `json:"external_userid"`
	Name     string `json:"name"`
	CorpName string `json:"corp_name"` // of a WeCom user only
}

// The kinds of tags on a contact. Those of a member's own have no id, and those of a rule group (规则组) can be changed
// only by the app that made the group.
const (
	corpTag     = 1
	personalTag = 2
	ruleTag     = 3
)

type followTag struct {
	Group string `json:"group_name"`
	Name  string `json:"tag_name"`
	ID    string `json:"tag_id"`
	Type  int    `json:"type"`
}

type followUser struct {
	UserID     string      `json:"userid"`
	Remark     string      `json:"remark"`
	CreateTime int64       `json:"createtime"`
	Tags       []followTag `json:"tags"`
}

type contactAnswer struct {
	Contact externalContact `json:"external_contact"`
	Follows []followUser    `json:"follow_user"`
	Next    string          `json:"next_cursor"` // where more than 500 members follow the contact
}

// contact is a contact with a page of those who follow it.
//
//vendor:op GET /cgi-bin/externalcontact/get
//vendor:doc https://developer.work.weixin.qq.com/document/path/92114 2026-02-12
func (a *Adapter) contact(ctx context.Context, id adapters.ContactID, cursor string) (out contactAnswer, err error) {
	err = a.client.call(ctx, a.app, request{path: "/cgi-bin/externalcontact/get", query: params("external_userid", string(id), "cursor", cursor)}, &out)
	return out, err
}

type batchAnswer struct {
	List []struct {
		Contact externalContact `json:"external_contact"`
		Follow  struct {
			followUser
			TagIDs []string `json:"tag_id"` // of the company's tags, and of rule groups
		} `json:"follow_info"`
	} `json:"external_contact_list"`
	Next string `json:"next_cursor"`
}

// contacts is a page, of 100 at most, of the contacts that a member follows.
//
//vendor:op POST /cgi-bin/externalcontact/batch/get_by_user
//vendor:doc https://developer.work.weixin.qq.com/document/path/92994 2026-02-12
func (a *Adapter) contacts(ctx context.Context, owner adapters.MemberID, cursor string, limit int) (out batchAnswer, err error) {
	err = a.client.call(ctx, a.app, request{path: "/cgi-bin/externalcontact/batch/get_by_user", body: struct {
		Users  []string `json:"userid_list"`
		Cursor string   `json:"cursor"`
		Limit  int      `json:"limit"`
	}{[]string{string(owner)}, cursor, limit}}, &out)
	return out, err
}

// corpTags is the company's tag library, by tag id. What was deleted is not in it.
//
//vendor:op POST /cgi-bin/externalcontact/get_corp_tag_list
//vendor:doc https://developer.work.weixin.qq.com/document/path/92117 2026-02-12
func (a *Adapter) corpTags(ctx context.Context) (map[adapters.TagID]adapters.Tag, error) {
	var out struct {
		Groups []struct {
			Name    string `json:"group_name"`
			Deleted bool   `json:"deleted"`
			Tags    []struct {
				ID      adapters.TagID `json:"id"`
				Name    string         `json:"name"`
				Deleted bool           `json:"deleted"`
			} `json:"tag"`
		} `json:"tag_group"`
	}
	err := a.client.call(ctx, a.app, request{path: "/cgi-bin/externalcontact/get_corp_tag_list", body: struct{}{}}, &out)
	tags := map[adapters.TagID]adapters.Tag{}
	for _, g := range out.Groups {
		for _, t := range g.Tags {
			if !g.Deleted && !t.Deleted {
				tags[t.ID] = adapters.Tag{ID: t.ID, Name: t.Name, Group: g.Name}
			}
		}
	}
	return tags, err
}

// markTag puts a member's tags on a contact, and takes them off. One of the two must be there, and the two related. A
// second call about the same two while this runs is refused with 45035.
//
//vendor:op POST /cgi-bin/externalcontact/mark_tag
//vendor:doc https://developer.work.weixin.qq.com/document/path/92118 2026-02-12
func (a *Adapter) markTag(ctx context.Context, owner adapters.MemberID, contact adapters.ContactID, add, remove []adapters.TagID) error {
	return a.client.call(ctx, a.app, request{path: "/cgi-bin/externalcontact/mark_tag", writes: true, body: struct {
		Owner   adapters.MemberID  `json:"userid"`
		Contact adapters.ContactID `json:"external_userid"`
		Add     []adapters.TagID   `json:"add_tag,omitempty"`
		Remove  []adapters.TagID   `json:"remove_tag,omitempty"`
	}{owner, contact, add, remove}}, nil)
}

// remark sets the member's name for a contact, of 20 characters at most. What the page does not say is whether an empty
// one clears it; alone it is refused, as then nothing is given.
//
//vendor:op POST /cgi-bin/externalcontact/remark
//vendor:doc https://developer.work.weixin.qq.com/document/path/92115 2026-02-12
func (a *Adapter) remark(ctx context.Context, owner adapters.MemberID, contact adapters.ContactID, remark string) error {
	return a.client.call(ctx, a.app, request{path: "/cgi-bin/externalcontact/remark", writes: true, body: struct {
		Owner   adapters.MemberID  `json:"userid"`
		Contact adapters.ContactID `json:"external_userid"`
		Remark  string             `json:"remark"`
	}{owner, contact, remark}}, nil)
}

// textLimit is how many bytes of a text WeCom sends; it cuts what is longer.
const textLimit = 2048

// duplicateInterval is how long WeCom knows a message again that it was sent: the longest that can be asked for.
const duplicateInterval = 4 * time.Hour

type messageAnswer struct {
	Invalid    string `json:"invaliduser"`    // whom there is not, or whom the app may not write to
	Unlicensed string `json:"unlicenseduser"` // who has no licence for the API (基础接口许可)
	ID         string `json:"msgid"`
}

// sendText sends a member a text in the app's name. A member who cannot be sent to is named in an answer without a
// code, and only where there was none but such the code is 81013. The same text is not sent to him twice within the
// interval. Who has got 30 messages of the app within a minute, or 1,000 within an hour, gets no more, and nobody is told.
//
//vendor:op POST /cgi-bin/message/send
//vendor:doc https://developer.work.weixin.qq.com/document/path/90236 2026-02-12
func (a *Adapter) sendText(ctx context.Context, agent int, to adapters.MemberID, text string) (out messageAnswer, err error) {
	type content struct {
		Content string `json:"content"`
	}
	err = a.client.call(ctx, a.app, request{path: "/cgi-bin/message/send", writes: true, body: struct {
		To        adapters.MemberID `json:"touser"`
		Type      string            `json:"msgtype"`
		Agent     int               `json:"agentid"`
		Text      content           `json:"text"`
		Duplicate int               `json:"enable_duplicate_check"`
		Interval  int               `json:"duplicate_check_interval"` // seconds
	}{to, "text", agent, content{text}, 1, int(duplicateInterval / time.Second)}}, &out)
	return out, err
}
