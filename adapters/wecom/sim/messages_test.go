package sim_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/adapters/wecom/sim"
)

// inbox is what a member got.
func (w *world) inbox(userID string) (texts []string) {
	w.Helper()
	var state sim.Seed
	if err := json.Unmarshal([]byte(w.state()), &state); err != nil {
		w.Fatal(err)
	}
	for _, m := range state.Messages {
		for _, to := range m.To {
			if to == userID {
				texts = append(texts, m.Text)
			}
		}
	}
	return texts
}

func TestMessages(t *testing.T) {
	w := start(t, seed(), sim.Options{})
	const send = "/cgi-bin/message/send"
	message := func(to, text, more string) string {
		return fmt.Sprintf(`{"touser":%q,"msgtype":"text","agentid":1000002,"text":{"content":%q}%s}`, to, text, more)
	}
	const check = `,"enable_duplicate_check":1`
	for i, c := range []struct {
		wait    time.Duration
		body    string
		code    int
		invalid string
		got     int // by Fang, in all
	}{
		{0, message("fang", "一", ""), 0, "", 1},
		{0, message("Fang|Nobody|boss", "二", ""), 0, "nobody", 2},
		{0, message("nobody|Gone", "三", ""), 81013, "", 2},
		{0, message("", "三", ""), 82001, "", 2},
		{0, message("Fang", "", ""), 44004, "", 2},
		{0, message("Fang", "一", ""), 0, "", 3}, // nobody asked for the check
		{0, message("Fang", "一", check), 0, "", 3},
		{0, message("boss", "一", check), 0, "", 3},
		{29 * time.Minute, message("Fang", "一", check), 0, "", 3},
		{2 * time.Minute, message("Fang", "一", check), 0, "", 4}, // after half an hour
		{3 * time.Hour, message("Fang", "一", check+`,"duplicate_check_interval":14400`), 0, "", 4},
		{0, message("Fang", "一", check+`,"duplicate_check_interval":14401`), 40058, "", 4},
		{0, message("@all", "四", ""), 0, "", 5},
		{0, strings.Replace(message("Fang", "五", ""), "1000002", "1000003", 1), 301002, "", 5},
		{0, strings.Replace(message("Fang", "五", ""), "1000002", "7", 1), 40056, "", 5},
		{0, strings.Replace(message("Fang", "五", ""), `"agentid":1000002,`, "", 1), 41011, "", 5},
		{0, strings.Replace(message("Fang", "五", ""), `"msgtype":"text"`, `"msgtype":"news"`, 1), 40008, "", 5},
		{0, strings.Replace(message("Fang", "五", ""), `"touser"`, `"toparty"`, 1), 40058, "", 5},
	} {
		w.setClock(c.wait)
		w.token = w.newToken("app-secret")
		m := w.post(send, c.body)
		w.code(m, c.code)
		if c.code == 0 && m["invaliduser"] != c.invalid {
			t.Errorf("%d: invalid are %v, not %q", i, m["invaliduser"], c.invalid)
		}
		if got := w.inbox("Fang"); len(got) != c.got {
			t.Errorf("%d: %s: then she has %q", i, c.body, got)
		}
	}
	if got := w.inbox("boss"); strings.Join(got, "") != "二一四" {
		t.Errorf("the boss has %q", got)
	}
	w.code(w.post(send, message("qiang", strings.Repeat("长", 1000), "")), 0)
	if got := w.inbox("qiang"); len(got) != 2 || got[1] != strings.Repeat("长", 682) {
		t.Errorf("of a long text came %d", len(got[1]))
	}
}

// What is too much is dropped, and the answer is as if it were not.
func TestMessagesAreDropped(t *testing.T) {
	w := start(t, seed(), sim.Options{Limits: sim.Limits{MemberMinute: 3, MemberHour: 5}})
	n := 0
	for i, c := range []struct {
		wait      time.Duration
		send, got int
	}{{0, 4, 3}, {30 * time.Second, 1, 3}, {time.Minute, 3, 5}, {time.Hour, 1, 6}} {
		w.setClock(c.wait)
		w.token = w.newToken("app-secret")
		for range c.send {
			n++
			w.code(w.post("/cgi-bin/message/send", fmt.Sprintf(`{"touser":"Fang|boss","msgtype":"text","agentid":1000002,"text":{"content":"%d"}}`, n)), 0)
		}
		if got := w.inbox("Fang"); len(got) != c.got {
			t.Errorf("step %d: she has %q", i, got)
		}
	}
}
