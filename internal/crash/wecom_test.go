package crash

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	wecomsim "github.com/guanxi-im/guanxi/adapters/wecom/sim"
)

// wecom is the simulated platform of a run: a process of its own, so that what it has seen survives every kill.
type wecom struct {
	*process
	journal string
	read    int64 // so much of it
	counted int   // changes in that
	last    int   // of these, changes of tags, which are the last of each delivery

	world    wecomsim.Seed      // before the run
	contacts map[string]contact // likewise, as the gateway shows them; by the platform's id
}

// slowness has WeCom take its time, so that kills find deliveries at every step, and lose the answer to what takes tags
// off or puts them on: until that has been read back, something has happened that is not written down.
const slowness = `{"seed":7,"rules":[{"match":"/cgi-bin/externalcontact/*","delay":"20ms"},
	{"match":"/cgi-bin/externalcontact/mark_tag","dropResponse":true,"rate":0.9}]}`

func openWeCom(t *testing.T, bin string) *wecom {
	t.Helper()
	w := &wecom{journal: filepath.Join(t.TempDir(), "wecom.sim")}
	w.process = &process{t: t, name: "WeCom", bin: bin, listen: free, args: []string{"sim", "wecom", "--state", w.journal}}
	w.ready = func() { w.control(http.MethodPost, "faults", slowness, &struct{}{}) } // they do not survive
	w.start()
	url, _ := w.where()
	w.listen = strings.TrimPrefix(url, "http://") // which the gateways are told once
	w.control(http.MethodGet, "state", "", &w.world)
	return w
}

// control asks the simulator's own surface.
func (w *wecom) control(method, what, body string, into any) {
	w.t.Helper()
	url, _ := w.where()
	send(w.t, method, url+"/_sim/"+what, body, into)
}

// send sends a request that is no GraphQL and reads the answer.
func send(t *testing.T, method, url, body string, into any) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s: %v: %s", method, url, resp.Status, err, b)
	}
}

// changes is how many WeCom has seen so far.
func (w *wecom) changes() int { w.look(); return w.counted }

// carriedOut is how many deliveries have done all there is to do.
func (w *wecom) carriedOut() int { w.look(); return w.last }

// look reads on in the journal, which can be done at any moment and costs WeCom nothing.
func (w *wecom) look() {
	w.t.Helper()
	f, err := os.Open(w.journal)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	more, err := io.ReadAll(io.NewSectionReader(f, w.read, 1<<30))
	if err != nil {
		w.t.Fatal(err)
	}
	more = more[:bytes.LastIndexByte(more, '\n')+1]
	w.read += int64(len(more))
	w.counted += bytes.Count(more, []byte(`"effect":{`))
	w.last += bytes.Count(more, []byte(`"effect":{"kind":"tags_`))
}

// call is a line of WeCom's ledger.
type call struct {
	At      time.Time
	Request struct {
		Contact string `json:"external_userid"`
	}
	Effect *struct{ Kind, Subject string }
}

// ledger is what WeCom has seen, by contact.
func (w *wecom) ledger() map[string][]call {
	w.t.Helper()
	var lines []call
	w.control(http.MethodGet, "ledger", "", &lines)
	out := map[string][]call{}
	for _, l := range lines {
		out[l.Request.Contact] = append(out[l.Request.Contact], l)
	}
	return out
}

// contact is a contact as the gateway shows it.
type contact struct {
	ID, PlatformID, Importance, Status string
	Verified                           bool
	Tags                               []string
	Opportunities                      []struct{ Open bool }
}

// ordinary: whoever is no more than this is blacklisted without review (C-06).
func (c contact) ordinary() bool {
	return c.Verified && c.Importance == "NORMAL" && c.Status == "ACTIVE" && len(c.Opportunities) == 0
}

// onWeCom is the demo's workspace there.
const onWeCom = "wecom-hq"

// listContacts are all contacts on WeCom, in the order in which they are listed.
func (r *run) listContacts() (out []contact) {
	r.t.Helper()
	p := r.people[0]
	workspace := r.workspace(p, onWeCom)
	for after := any(nil); ; {
		var page struct {
			ExternalContacts struct {
				Nodes    []contact
				PageInfo pageInfo
			}
		}
		r.read(p, `query($w:ID!,$a:String){externalContacts(first:100,after:$a,filter:{workspaceId:$w}){
			nodes{id platformId importance status verified tags opportunities{open}} pageInfo{hasNextPage endCursor}}}`,
			map[string]any{"w": workspace, "a": after}, &page)
		out = append(out, page.ExternalContacts.Nodes...)
		if !page.ExternalContacts.PageInfo.HasNextPage {
			return out
		}
		after = page.ExternalContacts.PageInfo.EndCursor
	}
}

// clients are more than the attempts that a gateway makes at once (8), so that there are deliveries that wait.
const clients = 12

// castAdmin makes the clients of an admin, who is reviewed by nobody, and shares the contacts out among them. It answers
// how many commands there will be.
func (r *run) castAdmin(e extent, seed uint64) (total int) {
	r.t.Helper()
	for range clients {
		r.person("linyue002", seed)
	}
	workspace := r.workspace(r.people[0], onWeCom)
	r.wecom.contacts = map[string]contact{}
	n := 0
	for _, c := range r.listContacts() {
		r.wecom.contacts[c.PlatformID] = c
		if !c.ordinary() || n == e.commands {
			continue
		}
		p := r.people[n%clients]
		on := &pair{target: c.ID, platformID: c.PlatformID, workspace: workspace, makes: blacklist, ends: undo, left: 1}
		if n++; n%e.undone == 0 {
			on.left = 2
		}
		p.pairs = append(p.pairs, on)
		p.todo += on.left
		total += on.left
	}
	if n < e.commands {
		r.t.Fatalf("the demo has only %d ordinary contacts", n)
	}
	return total
}

// resumeMax is how long after a kill deliveries must go on by themselves. Where a replica died and no other has anything to
// do, its leases must run out first.
func (r *run) resumeMax() time.Duration {
	if isSQLite(r.dsn) {
		return 10 * time.Second
	}
	return 90 * time.Second
}

// drainMax is how long after the last kill everything must be delivered, what has piled up before included.
const drainMax = 90 * time.Second

// delivered waits until nothing waits to be delivered.
func (r *run) delivered() {
	r.t.Helper()
	last := r.kills[len(r.kills)-1].at
	changes, since := 0, time.Now()
	for {
		var at struct {
			Workspaces []struct {
				Name   string
				Health struct{ PendingDeliveries int }
			}
		}
		r.read(r.people[0], `{workspaces{name health{pendingDeliveries}}}`, nil, &at)
		waiting := 0
		for _, w := range at.Workspaces {
			waiting += w.Health.PendingDeliveries
		}
		took := time.Since(last).Round(time.Millisecond)
		if waiting == 0 {
			r.t.Logf("everything was delivered %v after the last kill", took)
			return
		}
		if took > drainMax {
			r.violate("%d deliveries still wait %v after the last kill", waiting, took)
			return
		}
		if now := r.wecom.changes(); now > changes {
			changes, since = now, time.Now()
		} else if r.extent.hurry && time.Since(since) > time.Second {
			_, url := r.open(0)
			send(r.t, http.MethodPost, url+"/demo/clock", `{"advance":"31s"}`, &struct{}{})
			since = time.Now()
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// What a violation says of something that was answered.
const (
	notDone = "was answered and not carried out"
	notBack = "was answered and did not put back"
)

// mark is what the remark for a blacklisted contact begins with.
const mark = "【黑名单】"

// checkWeCom holds WeCom to what was answered: each blacklisting was carried out there once, in order, and each undo
// too; nothing else has happened, and what stands there now is what should.
func (r *run) checkWeCom() {
	r.t.Helper()
	want := map[string][]string{}  // the changes of each contact
	about := map[string]*command{} // the latest command
	listed := map[string]bool{}
	for _, c := range r.commands {
		if !c.answered {
			continue
		}
		id := c.on.platformID
		about[id], listed[id] = c, c.ends == nil
		if c.ends == nil {
			want[id] = append(want[id], "remark_changed", "tags_removed")
		} else {
			want[id] = append(want[id], "remark_changed", "tags_added")
		}
	}
	got := map[string][]string{}
	for _, calls := range r.wecom.ledger() {
		for _, c := range calls {
			if c.Effect != nil {
				got[c.Effect.Subject] = append(got[c.Effect.Subject], c.Effect.Kind)
			}
		}
	}
	for id, c := range about {
		missing := notDone
		if c.ends != nil && slices.Equal(got[id][:min(2, len(got[id]))], want[id][:2]) {
			missing = notBack
		}
		switch g, w := got[id], want[id]; {
		case slices.Equal(g, w):
		case len(g) < len(w):
			r.violate("%s %s: WeCom's ledger has %q of %s, want %q", c, missing, g, id, w)
		default:
			r.violate("%s: WeCom's ledger has %q of %s, want %q: something has happened twice, or in another order", c, g, id, w)
		}
		delete(got, id)
	}
	for id, kinds := range got {
		r.violate("WeCom's ledger has %q of %q, which was answered to nobody", kinds, id)
	}

	var after wecomsim.Seed
	r.wecom.control(http.MethodGet, "state", "", &after)
	if diff := cmp.Diff(r.expected(listed), after); diff != "" {
		r.violate("WeCom's state is another than it should be (-want +got):\n%s", diff)
	}
}

// expected is WeCom's state before, but for those who are now listed: on the side of the member in charge, who comes first,
// they are marked and have no tags. An admin's blacklisting is about no other side but with the workspace for its scope.
func (r *run) expected(listed map[string]bool) wecomsim.Seed {
	want := r.wecom.world
	want.Contacts = slices.Clone(want.Contacts)
	for i := range want.Contacts {
		if !listed[want.Contacts[i].ExternalUserID] {
			continue
		}
		follows := slices.Clone(want.Contacts[i].Follows)
		follows[0].Remark, follows[0].Tags = mark+follows[0].Remark, []string{}
		want.Contacts[i].Follows = follows
	}
	return want
}

// checkContacts holds the gateway's own view of all contacts to what was answered.
func (r *run) checkContacts() {
	r.t.Helper()
	made, undone := map[string]*command{}, map[string]*command{}
	for _, c := range r.commands {
		switch {
		case c.answered && c.ends == nil:
			made[c.on.platformID] = c
		case c.answered:
			undone[c.on.platformID] = c
		}
	}
	for _, now := range r.listContacts() {
		want, m, u := r.wecom.contacts[now.PlatformID], made[now.PlatformID], undone[now.PlatformID]
		what := "nobody has touched it"
		if m != nil {
			what = fmt.Sprintf("%s is to be seen there", m)
			want.Status, want.Tags = "BLACKLISTED", []string{}
		}
		if u != nil {
			want.Status, want.Tags = "ACTIVE", r.wecom.contacts[now.PlatformID].Tags
			what = fmt.Sprintf("%s %s", u, notBack)
		}
		if diff := cmp.Diff(want, now); diff != "" {
			r.violate("contact %s: %s (-want +got):\n%s", now.PlatformID, what, diff)
		}
	}
}

// trip is one delivery, as WeCom's ledger and the tables tell of it.
type trip struct {
	calls, changes []time.Time
	settled        time.Time
}

// trips are the deliveries of a run that is over.
func (r *run) trips() (out []trip) {
	ledger := r.wecom.ledger()
	for _, c := range r.commands { // an undo comes after what it takes back
		if c.settled.IsZero() {
			continue
		}
		one := trip{settled: c.settled}
		calls := ledger[c.on.platformID]
		for len(calls) > 0 && !calls[0].At.After(c.settled) {
			one.calls = append(one.calls, calls[0].At)
			if calls[0].Effect != nil {
				one.changes = append(one.changes, calls[0].At)
			}
			calls = calls[1:]
		}
		ledger[c.on.platformID] = calls
		out = append(out, one)
	}
	return out
}

// underWay are the deliveries that a kill found under way, by how far they had come: it had read, it had changed one of
// two things, it had changed both and not written that down.
func (k *kill) underWay(trips []trip) (n [3]int) {
	const recent = time.Second // what was called for earlier waits for another try
	for _, t := range trips {
		before := func(times []time.Time) int {
			i, _ := slices.BinarySearchFunc(times, k.before, time.Time.Compare)
			return i
		}
		i := before(t.calls)
		if i > 0 && k.before.Sub(t.calls[i-1]) < recent && t.settled.After(k.at) {
			n[min(before(t.changes), 2)]++
		}
	}
	return n
}

// resumed is how long after a kill the next delivery was settled; zero where the next kill, at a time, came first.
func (k *kill) resumed(trips []trip, next time.Time) (d time.Duration) {
	for _, t := range trips {
		if after := t.settled.Sub(k.at); after > 0 && t.settled.Before(next) && (d == 0 || after < d) {
			d = after
		}
	}
	return d
}
