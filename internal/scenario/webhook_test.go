package scenario

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// Two secrets that systems may have.
const (
	oldSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	newSecret = "whsec_bmV3LXNlY3JldC1vZi10aGUtY3JtLWVuZHBvaW50"
)

// endpoint is one of the settings.
type endpoint struct {
	name, url, purposes string
	secrets             []string // none: the old one
}

// hooked opens a company whose settings have the endpoints.
func hooked(t *testing.T, dsn string, endpoints []endpoint, args ...string) company {
	t.Helper()
	return open(t, dsn, append([]string{"--config", hooks(t, endpoints)}, args...)...)
}

// hooks writes settings with endpoints into a file.
func hooks(t *testing.T, endpoints []endpoint) string {
	t.Helper()
	dir := t.TempDir()
	text := "webhooks:\n"
	for _, e := range endpoints {
		if e.secrets == nil {
			e.secrets = []string{oldSecret}
		}
		file := filepath.Join(dir, e.name)
		if err := os.WriteFile(file, []byte(strings.Join(e.secrets, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintf("  %s:\n    url: %s\n    secret_file: %s\n    purposes: %s\n", e.name, e.url, file, e.purposes)
	}
	path := filepath.Join(dir, "guanxi.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// tellsOfBlocks is a company's policy with which blocks of contacts on WeCom have more duties.
func tellsOfBlocks(t *testing.T, duties string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "acme.csv"), []byte("p, acme.tell, wecom, employee, block, contact, true, allow, , "+duties+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// loopback lets webhooks go to this machine, where receivers of tests are.
const loopback = "127.0.0.0/8"

// told is what the systems were told of a relationship, as a person reads it.
func (p person) told(id string) string {
	p.c.t.Helper()
	var out []string
	for _, n := range read[struct {
		Notices []struct {
			To, Channel, Purpose string
			Delivery             struct {
				State, LastErrorCode, LastError string
				Attempts                        int
			}
		}
	}](p.c.t, p.Do(`query($id:ID!){relationship(id:$id){notices{to channel purpose delivery{state attempts lastErrorCode lastError}}}}`, vars{"id": id})).Notices {
		if n.Channel != "webhook" {
			continue
		}
		if (n.Delivery.LastErrorCode == "") != (n.Delivery.LastError == "") || strings.Contains(n.Delivery.LastError, "delivery_") {
			p.c.t.Errorf("%s is said to be %q", n.Delivery.LastErrorCode, n.Delivery.LastError)
		}
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s %d %s", n.To, n.Purpose, n.Delivery.State, n.Delivery.Attempts, n.Delivery.LastErrorCode)))
	}
	return strings.Join(out, "; ")
}

// until waits until what the systems were told reads so.
func (p person) toldUntil(id, want string) {
	p.c.t.Helper()
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		got := p.told(id)
		if got == want {
			return
		}
		if time.Now().After(end) {
			p.c.t.Fatalf("the systems were told: got %s, want %s", got, want)
		}
	}
}

// A blacklisting is told to the systems that take it, once, signed by both secrets, with ids and without names; one that failed
// is tried again under the same id, and what was told of is told of when it ends.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		old, changed, oa := testkit.Receive(t, oldSecret), testkit.Receive(t, newSecret), testkit.Receive(t, oldSecret)
		both := []string{oldSecret, newSecret}
		c := hooked(t, dsn, []endpoint{{name: "crm", url: old.URL + "/hooks?key=k", secrets: both}, {name: "erp", url: changed.URL, secrets: both, purposes: "OPPORTUNITY_LOSS"},
			{name: "oa", url: oa.URL, purposes: "ACME, ACME_TOO"}}, "--outbound-networks", loopback)
		lin := c.person("linyue002")
		old.Answers(http.StatusInternalServerError, http.StatusNoContent)
		r := lin.blocks("wm_lanhai", as("BLACKLIST"), because("卖我们的价格"))
		first, there := old.Until(t, 1)[0], changed.Until(t, 1)[0]
		lin.toldUntil(r.ID, "crm OPPORTUNITY_LOSS PENDING 1 EndpointFails; erp OPPORTUNITY_LOSS DELIVERED 1")
		if there.Body == "" || there.Body != first.Body || there.ID == first.ID {
			t.Errorf("of the same two are told %v and %v", first, there)
		}
		expect(t, "what is told", first.Type+" "+first.Data.Relationship.Kind+" "+first.Data.Relationship.State, "OPPORTUNITY_LOSS BLACKLIST ACTIVE")
		expect(t, "of which", first.Data.Relationship.ID+" "+first.Data.Target.ID+" "+first.Data.Target.PlatformID+" "+first.Data.Initiator.ID,
			r.ID+" "+c.contact("wm_lanhai")+" wm_lanhai "+c.member("linyue002"))
		expect(t, "where", first.Data.Workspace.Name+" "+first.Data.Workspace.Platform, "wecom-hq wecom")
		for _, canary := range []string{"蓝海", "林悦", "卖我们的价格"} {
			if strings.Contains(first.Body, canary) {
				t.Errorf("%s is sent: %s", canary, first.Body)
			}
		}
		c.Advance(4 * time.Second)
		expect(t, "before its time", len(old.Got()), 1)
		c.Advance(2 * time.Second)
		again := old.Until(t, 2)[1]
		expect(t, "again", again, first)
		lin.toldUntil(r.ID, "crm OPPORTUNITY_LOSS DELIVERED 2; erp OPPORTUNITY_LOSS DELIVERED 1")

		lin.lift(r.ID, "算了")
		ended := old.Until(t, 3)[2]
		expect(t, "its end", ended.Type+" "+ended.Data.Relationship.State+" "+ended.Data.Relationship.ID, "RELATIONSHIP_ENDED LIFTED "+r.ID)
		if ended.Data.Relationship.Version <= first.Data.Relationship.Version || ended.ID == first.ID {
			t.Errorf("%v is no later than %v", ended, first)
		}
		expect(t, "who was told of it is told of its end", changed.Until(t, 2)[1].Type, "RELATIONSHIP_ENDED")
		lin.toldUntil(r.ID, "crm OPPORTUNITY_LOSS DELIVERED 2; erp OPPORTUNITY_LOSS DELIVERED 1; crm RELATIONSHIP_ENDED DELIVERED 1; erp RELATIONSHIP_ENDED DELIVERED 1")
		other := c.person("wangfang004").blocks("wm_spam")
		c.person("wangfang004").lift(other.ID, "算了")
		expect(t, "of what nobody was told, nor of its end", c.person("wangfang004").told(other.ID), "")
		c.Advance(time.Minute)
		expect(t, "who takes other things", len(oa.Got()), 0)
		expect(t, "in all", len(old.Got())+len(changed.Got()), 5)
		var trail []string
		for _, e := range c.person("guping012").trail("webhook.deliver", "webhook.fail") {
			trail = append(trail, e.Action)
		}
		expect(t, "trail", strings.Join(trail, " "), "webhook.deliver webhook.deliver webhook.deliver webhook.deliver")
	})
}

// What is held back is told to systems once it takes effect, and not at all where it never does.
func TestWebhooksCooldown(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		crm := testkit.Receive(t, oldSecret)
		c := hooked(t, dsn, []endpoint{{name: "crm", url: crm.URL}}, "--outbound-networks", loopback,
			"--policies", tellsOfBlocks(t, "notify:systems | cooldown:10m"))
		wang := c.person("wangfang004")
		dropped, kept := wang.stages("wm_spam"), wang.stages("wm_lanhai")
		wang.lift(dropped.ID, "算了")
		c.Advance(time.Minute)
		expect(t, "while it cools down", len(crm.Got()), 0)
		c.Set(*kept.EffectiveAt)
		expect(t, "then", crm.Until(t, 1)[0].Data.Relationship.State+" "+crm.Got()[0].Type, "ACTIVE BLOCK")
		c.Advance(time.Minute)
		expect(t, "in all", len(crm.Got()), 1)
		expect(t, "of what was dropped", wang.told(dropped.ID), "")
	})
}

// Outgoing requests go where they may and nowhere else: not to a cloud's metadata, not to a name once it means this machine, not
// where they are sent on to, and not to loopback where nobody lists it.
func TestWebhooksRefused(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		name := fmt.Sprintf("crm-%d.rebinds.test", time.Now().UnixNano())
		port, there, here := twins(t)
		dns.mean(name, "127.0.0.2")
		redirects, unlisted := testkit.Receive(t, oldSecret, "127.0.0.3"), testkit.Receive(t, oldSecret)
		redirects.Answers(http.StatusTemporaryRedirect)
		elsewhere := "elsewhere-" + name
		dns.mean(elsewhere, "127.0.0.1")
		c := hooked(t, dsn, []endpoint{{name: "metadata", url: "https://169.254.169.254/latest/meta-data/"}, {name: "rebinds", url: "https://" + name + ":" + port},
			{name: "redirects", url: redirects.URL}, {name: "unlisted", url: "https://" + elsewhere + unlisted.URL[strings.LastIndex(unlisted.URL, ":"):]}},
			"--outbound-networks", "127.0.0.2/31")
		lin := c.person("linyue002")
		r := lin.blocks("wm_lanhai", as("BLACKLIST"))
		lin.toldUntil(r.ID, "metadata OPPORTUNITY_LOSS PENDING 1 EndpointForbidden; rebinds OPPORTUNITY_LOSS PENDING 1 EndpointSilent; "+
			"redirects OPPORTUNITY_LOSS PENDING 1 EndpointRedirects; unlisted OPPORTUNITY_LOSS PENDING 1 EndpointForbidden")
		expect(t, "the name while it means another machine", there()+" "+here(), "1 0")
		dns.mean(name, "127.0.0.1")
		c.Advance(6 * time.Second)
		lin.toldUntil(r.ID, "metadata OPPORTUNITY_LOSS PENDING 2 EndpointForbidden; rebinds OPPORTUNITY_LOSS PENDING 2 EndpointForbidden; "+
			"redirects OPPORTUNITY_LOSS PENDING 2 EndpointRedirects; unlisted OPPORTUNITY_LOSS PENDING 2 EndpointForbidden")
		expect(t, "the name once it means this one", there()+" "+here(), "1 0")
		expect(t, "who redirects is asked, and where to nobody goes", len(redirects.Got()), 2)
		expect(t, "who is not listed", len(unlisted.Got()), 0)
	})
}

// twins are two machines that listen on one port, and how many connected to each.
func twins(t *testing.T) (port string, there, here func() string) {
	t.Helper()
	for range 20 {
		a, err := net.Listen("tcp", "127.0.0.2:0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ = net.SplitHostPort(a.Addr().String())
		b, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil { // somebody has it
			_ = a.Close()
			continue
		}
		return port, counting(t, a), counting(t, b)
	}
	t.Fatal("no port is free on both")
	return "", nil, nil
}

// counting counts who connects, and hangs up on each.
func counting(t *testing.T, l net.Listener) func() string {
	t.Cleanup(func() { _ = l.Close() })
	var mu sync.Mutex
	n := 0
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			n++
			mu.Unlock()
			_ = c.Close()
		}
	}()
	return func() string { mu.Lock(); defer mu.Unlock(); return fmt.Sprint(n) }
}

// resolver answers for the names of tests as they mean at that moment. Other names there are none.
type resolver struct {
	mu  sync.Mutex
	has map[string]net.IP
}

var dns = &resolver{has: map[string]net.IP{}}

func init() { net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: dns.dial} }

func (r *resolver) mean(name, address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.has[name+"."] = net.ParseIP(address).To4()
}

// dial opens a line to the resolver, which is spoken to as over TCP: the length of each message comes before it.
func (r *resolver) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	go func() {
		defer func() { _ = server.Close() }()
		for {
			size := make([]byte, 2)
			if _, err := io.ReadFull(server, size); err != nil {
				return
			}
			message := make([]byte, binary.BigEndian.Uint16(size))
			if _, err := io.ReadFull(server, message); err != nil {
				return
			}
			reply := r.answer(message)
			if _, err := server.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
				return
			}
		}
	}()
	return client, nil
}

// answer answers a question (RFC 1035, 4.1): for an address of four bytes with the name's, to anything else with nothing.
func (r *resolver) answer(message []byte) []byte {
	const header, address, nobody = 12, 1, 3
	end, name := header, ""
	for ; message[end] != 0; end += int(message[end]) + 1 {
		name += string(message[end+1:end+1+int(message[end])]) + "."
	}
	end += 5 // the empty label, type and class
	kind := binary.BigEndian.Uint16(message[end-4:])
	r.mu.Lock()
	ip := r.has[name]
	r.mu.Unlock()
	reply := append(append([]byte{}, message[:2]...), 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0)
	reply = append(reply, message[header:end]...)
	switch {
	case ip == nil:
		reply[3] |= nobody
	case kind == address:
		reply[7] = 1
		reply = append(reply, 0xc0, header, 0, address, 0, 1, 0, 0, 0, 0, 0, 4)
		reply = append(reply, ip...)
	}
	return reply
}

// The receiver of these tests believes the example of Standard Webhooks, and nothing that was changed.
func TestWebhookReceiver(t *testing.T) {
	t.Parallel()
	const signature, body = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", `{"test": 2432232314}`
	at := time.Unix(1614265330, 0)
	for name, c := range map[string]struct {
		secret, signature, body string
		at                      time.Time
		holds                   bool
	}{
		"the example":       {oldSecret, signature, body, at, true},
		"beside another":    {oldSecret, "v1,AAAA " + signature, body, at, true},
		"by another":        {newSecret, signature, body, at, false},
		"another body":      {oldSecret, signature, body + " ", at, false},
		"six minutes later": {oldSecret, signature, body, at.Add(6 * time.Minute), false},
		"another version":   {oldSecret, strings.Replace(signature, "v1", "v2", 1), body, at, false},
	} {
		h := http.Header{}
		h.Set("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
		h.Set("webhook-timestamp", "1614265330")
		h.Set("webhook-signature", c.signature)
		if err := testkit.Verify(c.secret, h, []byte(c.body), c.at); (err == nil) != c.holds {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// endpointMetrics is what is told of an endpoint: what waits, failures, disabled.
func (c company) endpointMetrics(name string) string {
	c.t.Helper()
	text, out := c.Send("GET", "/metrics", "").Body, []string{}
	for _, metric := range []string{"guanxi_webhooks_pending", "guanxi_webhook_failures", "guanxi_webhook_disabled"} {
		_, rest, _ := strings.Cut(text, metric+`{endpoint="`+name+`"} `)
		value, _, _ := strings.Cut(rest, "\n")
		out = append(out, value)
	}
	return strings.Join(out, " ")
}

// Who answers 410 is asked no more, until the settings have another address. What waits for it meanwhile is given up after four days.
func TestWebhooksGone(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		crm, policies := testkit.Receive(t, oldSecret), tellsOfBlocks(t, "notify:systems=ACME")
		c := hooked(t, dsn, []endpoint{{name: "crm", url: crm.URL}}, "--outbound-networks", loopback, "--policies", policies)
		crm.Answers(http.StatusGone, http.StatusNoContent)
		lin := c.person("linyue002")
		first := lin.blocks("wm_lanhai", as("BLACKLIST"))
		lin.toldUntil(first.ID, "crm OPPORTUNITY_LOSS PENDING 1 EndpointGone")
		second := lin.blocks("wm_qinghe", as("BLACKLIST"))
		c.Advance(48 * time.Hour)
		expect(t, "who is gone is not asked", len(crm.Got()), 1)
		expect(t, "metrics", c.endpointMetrics("crm"), "2 1 1")
		c.Advance(49 * time.Hour)
		lin.toldUntil(first.ID, "crm OPPORTUNITY_LOSS FAILED 2 EndpointOverdue")
		lin.toldUntil(second.ID, "crm OPPORTUNITY_LOSS FAILED 1 EndpointOverdue")
		expect(t, "nor when it is given up", len(crm.Got()), 1)
		third := lin.blocks("wm_spam")
		c.Stop()

		c.Server = testkit.Demo(t, dsn, "--config", hooks(t, []endpoint{{name: "crm", url: crm.URL + "#2"}}), "--outbound-networks", loopback,
			"--policies", policies)
		lin = c.person("linyue002")
		lin.toldUntil(third.ID, "crm ACME DELIVERED 1")
		expect(t, "at another address", crm.Until(t, 2)[1].Data.Relationship.ID, third.ID)
		expect(t, "metrics then", c.endpointMetrics("crm"), "0 0 0")
	})
}

// Who fails is tried ten times in three days. Then it is disabled, and asked once an hour; who is back gets what waits.
func TestWebhooksFail(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		crm, policies := testkit.Receive(t, oldSecret), tellsOfBlocks(t, "notify:systems=ACME")
		c := hooked(t, dsn, []endpoint{{name: "crm", url: crm.URL}}, "--outbound-networks", loopback, "--policies", policies)
		crm.Answers(http.StatusServiceUnavailable)
		lin := c.person("linyue002")
		first := lin.blocks("wm_lanhai", as("BLACKLIST"))
		crm.Until(t, 1)
		for i, wait := range []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour} {
			lin.toldUntil(first.ID, fmt.Sprintf("crm OPPORTUNITY_LOSS PENDING %d EndpointFails", i+1))
			c.Advance(wait - time.Second)
			expect(t, "before its time", len(crm.Got()), i+1)
			c.Advance(wait/10 + time.Second)
			crm.Until(t, i+2)
		}
		expect(t, "metrics after two days", c.endpointMetrics("crm"), "1 9 0")
		c.Advance(27 * time.Hour)
		lin.toldUntil(first.ID, "crm OPPORTUNITY_LOSS FAILED 10 EndpointFails")
		expect(t, "metrics after three", c.endpointMetrics("crm"), "0 10 1")

		second, third := lin.blocks("wm_qinghe", as("BLACKLIST")), lin.blocks("wm_spam")
		c.Advance(50 * time.Minute)
		expect(t, "while it is disabled", len(crm.Got()), 10)
		c.Advance(11 * time.Minute)
		expect(t, "once an hour", len(crm.Got()), 11)
		crm.Answers(http.StatusNoContent)
		c.Advance(time.Hour + time.Minute)
		lin.toldUntil(second.ID, "crm OPPORTUNITY_LOSS DELIVERED 2")
		lin.toldUntil(third.ID, "crm ACME DELIVERED 1")
		expect(t, "metrics at last", c.endpointMetrics("crm"), "0 0 0")
		var trail []string
		for _, e := range c.person("guping012").trail("webhook.deliver", "webhook.fail") {
			trail = append(trail, e.Action)
		}
		expect(t, "trail", strings.Join(trail, " "), "webhook.deliver webhook.deliver webhook.fail")
	})
}
