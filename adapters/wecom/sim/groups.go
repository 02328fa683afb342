package sim

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// The following up of a group (跟进状态) as calls show it. 2 and 3, being inherited and inherited, come with handovers.
const (
	groupNormal    = 0
	groupOwnerLeft = 1
)

func (w *world) groupStatus(g *Group) int {
	if w.member(g.Owner) == nil {
		return groupOwnerLeft
	}
	return groupNormal
}

// Pages through the customer groups (客户群). Those whose owner left show only to who names him.
//
//vendor:op POST /cgi-bin/externalcontact/groupchat/list
//vendor:doc https://developer.work.weixin.qq.com/document/path/92120
func (c *call) groupList() (any, error) {
	const most, owners, scope, lastStatus = 1000, 100, 1000, 3
	var in struct {
		Status int `json:"status_filter"`
		Owners struct {
			UserIDs []string `json:"userid_list"`
		} `json:"owner_filter"`
		Cursor string `json:"cursor"`
		Limit  int    `json:"limit"`
	}
	if err := c.in(&in); err != nil {
		return nil, err
	}
	if in.Limit < 1 || in.Limit > most || len(in.Owners.UserIDs) > owners || in.Status < 0 || in.Status > lastStatus {
		return nil, badParameter
	}
	if len(in.Owners.UserIDs) == 0 {
		present := 0
		for _, m := range c.Members {
			if m.Status != Left {
				present++
			}
		}
		if present > scope {
			return nil, tooManyInScope
		}
	}
	type group struct {
		ID     string `json:"chat_id"`
		Status int    `json:"status"`
	}
	var rows []row[group]
	for i := range c.Groups {
		g := &c.Groups[i]
		status := c.groupStatus(g)
		named := containsFold(in.Owners.UserIDs, g.Owner)
		if g.Internal || g.Dissolved || in.Status != 0 && status != in.Status ||
			!named && (len(in.Owners.UserIDs) > 0 || status == groupOwnerLeft) {
			continue
		}
		rows = append(rows, row[group]{g.ChatID, group{g.ChatID, status}})
	}
	groups, next, err := page(rows, fmt.Sprint("groups/", in.Status, strings.Join(in.Owners.UserIDs, ",")), in.Cursor, in.Limit)
	return struct {
		head
		Groups []group `json:"group_chat_list"`
		Next   string  `json:"next_cursor"`
	}{ok, groups, next}, err
}

// Reads one customer group. That a group without customers is 90501 is read from the table of codes, not from the page.
//
//vendor:op POST /cgi-bin/externalcontact/groupchat/get
//vendor:doc https://developer.work.weixin.qq.com/document/path/92122
func (c *call) groupGet() (any, error) {
	var in struct {
		ID    string `json:"chat_id"`
		Names int    `json:"need_name"`
	}
	if err := c.in(&in); err != nil {
		return nil, err
	}
	g := c.group(in.ID)
	switch {
	case g == nil:
		return nil, noSuchChat
	case g.Internal:
		return nil, notCustomerChat
	case g.Dissolved:
		return nil, chatDissolved
	}
	type person struct {
		UserID string `json:"userid"`
	}
	type member struct {
		UserID    string  `json:"userid"`
		Type      int     `json:"type"` // 1 a member, 2 a contact
		UnionID   string  `json:"unionid,omitempty"`
		JoinTime  int64   `json:"join_time"`
		JoinScene int     `json:"join_scene"`
		Invitor   *person `json:"invitor,omitempty"`
		Nickname  string  `json:"group_nickname"`
		Name      string  `json:"name,omitempty"` // to those who ask for it
	}
	type group struct {
		ID         string   `json:"chat_id"`
		Name       string   `json:"name"`
		Owner      string   `json:"owner"`
		CreateTime int64    `json:"create_time"`
		Notice     string   `json:"notice"`
		Members    []member `json:"member_list"`
		Admins     []person `json:"admin_list"`
		Version    string   `json:"member_version"`
	}
	out := group{g.ChatID, g.Name, g.Owner, g.CreateTime, g.Notice, []member{}, []person{}, g.version()}
	for _, m := range g.Members {
		shown := member{UserID: m.ID, Type: 1, JoinTime: m.JoinTime, JoinScene: m.JoinScene, Nickname: m.Nickname}
		name := ""
		if m.External {
			shown.Type = 2
			if x := c.contact(m.ID); x != nil {
				name = x.Name
				if x.Type == WeChatUser {
					shown.UnionID = x.UnionID
				}
			}
		} else if x := c.anyMember(m.ID); x != nil {
			name = x.Name
		}
		if in.Names == 1 {
			shown.Name = name
		}
		if m.Invitor != "" {
			shown.Invitor = &person{m.Invitor}
		}
		out.Members = append(out.Members, shown)
	}
	for _, id := range g.Admins {
		out.Admins = append(out.Admins, person{id})
	}
	return struct {
		head
		Group group `json:"group_chat"`
	}{ok, out}, nil
}

// version is a word for who is in the group.
func (g *Group) version() string {
	text, _ := json.Marshal(slices.SortedFunc(slices.Values(g.Members), func(a, b GroupMember) int { return strings.Compare(a.ID, b.ID) }))
	sum := sha256.Sum256(text)
	return fmt.Sprintf("%x", sum[:16])
}
