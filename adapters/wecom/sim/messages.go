package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/guanxi-im/guanxi/adapters/sim/stage"
)

// What the page says of a message.
const (
	toMost            = 1000 // members at once
	textLimit         = 2048 // bytes of a text; the rest is cut off
	duplicateUsual    = 1800 // seconds
	duplicateLongest  = 4 * 3600
	everybody         = "@all"
	textMessage       = "text"
	receiverSeparator = "|"
)

// Sends members a text in an app's name. Whom there is not the answer names, in lower case, and the message goes to the
// others; where nobody is left it is 81013. Those who have got as many as they can by the minute or by the hour get
// none, and the answer does not say so. Of a message that was sent already, the page says that it is checked for and not
// what is answered: here it is the first one's id, and nobody gets it again. Other types than text, departments and
// labels are not simulated.
//
//vendor:op POST /cgi-bin/message/send
//vendor:doc https://developer.work.weixin.qq.com/document/path/90236
func (c *call) sendMessage() (any, error) {
	in := struct {
		To    string `json:"touser"`
		Party string `json:"toparty"`
		Label string `json:"totag"`
		Type  string `json:"msgtype"`
		Agent int    `json:"agentid"`
		Text  struct {
			Content string `json:"content"`
		} `json:"text"`
		Duplicate int `json:"enable_duplicate_check"`
		Interval  int `json:"duplicate_check_interval"`
	}{}
	if err := c.in(&in); err != nil {
		return nil, err
	}
	if err := c.mayWriteAs(in.Agent); err != nil {
		return nil, err
	}
	switch {
	case in.Type != textMessage:
		return nil, badMessageType
	case in.Text.Content == "":
		return nil, emptyText
	case in.To == "" && in.Party == "" && in.Label == "":
		return nil, toNobody
	case in.Party != "" || in.Label != "" || in.Interval < 0 || in.Interval > duplicateLongest:
		return nil, badParameter
	}
	if in.Interval == 0 {
		in.Interval = duplicateUsual
	}
	text := in.Text.Content
	for len(text) > textLimit || !utf8.ValidString(text) {
		text = text[:min(len(text)-1, textLimit)]
	}
	to, invalid, err := c.receivers(in.To)
	if err != nil {
		return nil, err
	}
	m := Message{ID: fmt.Sprintf("msg%06d", len(c.Messages)+1), AgentID: in.Agent, Text: text, SentAt: c.now.Unix()}
	again := ""
	for _, id := range to {
		if was := c.sentAlready(in.Agent, id, text, time.Duration(in.Interval)*time.Second); in.Duplicate == 1 && was != "" {
			again = was
		} else if !c.crowded(in.Agent, id) {
			m.To = append(m.To, id)
		}
	}
	if len(m.To) > 0 {
		c.effect = stage.NewEffect(messageSent, m.ID, m)
	} else if again != "" {
		m.ID = again
	}
	return struct {
		head
		Invalid      string `json:"invaliduser"`
		InvalidParty string `json:"invalidparty"`
		InvalidLabel string `json:"invalidtag"`
		Unlicensed   string `json:"unlicenseduser"`
		ID           string `json:"msgid"`
	}{head: ok, Invalid: strings.Join(invalid, receiverSeparator), ID: m.ID}, nil
}

// mayWriteAs fails unless the call's app has the agentid.
func (c *call) mayWriteAs(agent int) error {
	app, err := c.appOf(c.query.Get("access_token"), c.now)
	switch {
	case err != nil:
		return err
	case agent == 0:
		return noAgentID
	case app.AgentID == agent:
		return nil
	case slices.ContainsFunc(c.Apps, func(a App) bool { return a.AgentID == agent }):
		return otherAgentID
	}
	return badAgentID
}

// receivers are the members that a message is to, each once, and those that there are not.
func (c *call) receivers(text string) (to, invalid []string, err error) {
	if text == everybody {
		for _, m := range c.Members {
			if m.Status != Left {
				to = append(to, m.UserID)
			}
		}
		return to, nil, nil
	}
	ids := strings.Split(text, receiverSeparator)
	if len(ids) > toMost {
		return nil, nil, badParameter
	}
	for _, id := range ids {
		m := c.member(id)
		switch {
		case m == nil:
			invalid = append(invalid, strings.ToLower(id))
		case !slices.Contains(to, m.UserID):
			to = append(to, m.UserID)
		}
	}
	if len(to) == 0 {
		return nil, nil, nobodyReached
	}
	return to, invalid, nil
}

// recent calls f with what a member got of an app since some time ago, the latest first, until it says that it has seen enough.
func (c *call) recent(agent int, userID string, since time.Duration, f func(Message) (enough bool)) {
	for _, m := range slices.Backward(c.Messages) {
		if m.SentAt <= c.now.Add(-since).Unix() || m.AgentID == agent && slices.Contains(m.To, userID) && f(m) {
			return
		}
	}
}

// sentAlready is the id of a message with the same text, empty where there is none.
func (c *call) sentAlready(agent int, userID, text string, within time.Duration) (id string) {
	c.recent(agent, userID, within, func(m Message) bool {
		if m.Text == text {
			id = m.ID
		}
		return id != ""
	})
	return id
}

// crowded reports whether a member has got as much of an app as he can.
func (c *call) crowded(agent int, userID string) bool {
	count := func(since time.Duration) (n int) {
		c.recent(agent, userID, since, func(Message) bool { n++; return false })
		return n
	}
	return count(time.Minute) >= c.limits.MemberMinute || count(time.Hour) >= c.limits.MemberHour
}
