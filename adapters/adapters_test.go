package adapters

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// Numbers stand in rows and metrics: this test fails whoever renumbers.
func TestCodes(t *testing.T) {
	for code, want := range map[Code]struct {
		n     uint8
		name  string
		retry Retry
	}{
		OK: {0, "OK", Never}, Unknown: {1, "Unknown", Never}, InvalidArgument: {2, "InvalidArgument", Never}, NotFound: {3, "NotFound", Never},
		PermissionDenied: {4, "PermissionDenied", Never}, Unauthenticated: {5, "Unauthenticated", Never}, NotEnabled: {6, "NotEnabled", Never},
		NotSupported: {7, "NotSupported", Never}, RateLimited: {8, "RateLimited", SameKey}, QuotaExceeded: {9, "QuotaExceeded", Never},
		Rejected: {10, "Rejected", Never}, Conflict: {11, "Conflict", Never}, Unavailable: {12, "Unavailable", SameKey},
		Indeterminate: {13, "Indeterminate", ReadBack}, Internal: {14, "Internal", Never}, 200: {200, "Code(200)", Never},
	} {
		if uint8(code) != want.n || code.String() != want.name || code.Retry() != want.retry {
			t.Errorf("%d %s %d, want %+v", uint8(code), code, code.Retry(), want)
		}
	}
}

func TestErrors(t *testing.T) {
	inner := errors.New("dial tcp: refused")
	e := &Error{Code: RateLimited, Op: "wecom.x", Message: "too many calls", Vendor: Vendor{Code: "45009", RequestID: "r1"}, Err: inner}
	if got, want := e.Error(), "wecom.x: too many calls (vendor code 45009, request r1)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for _, tt := range []struct {
		err  error
		want Code
	}{
		{nil, OK},
		{e, RateLimited},
		{fmt.Errorf("block: %w", e), RateLimited},
		{context.Canceled, Indeterminate},
		{fmt.Errorf("read: %w", context.DeadlineExceeded), Indeterminate},
		{&Error{Code: Unavailable, Err: context.Canceled}, Unavailable},
		{inner, Unknown},
	} {
		if got := CodeOf(tt.err); got != tt.want {
			t.Errorf("CodeOf(%v) = %v, want %v", tt.err, got, tt.want)
		}
	}
	if !errors.Is(e, inner) {
		t.Error("what is behind an error is not found")
	}
}

func TestEach(t *testing.T) {
	list := func(pages map[Cursor]Page[int], fails Cursor) func(context.Context, Cursor, int) (Page[int], error) {
		return func(_ context.Context, at Cursor, _ int) (Page[int], error) {
			if at == fails && fails != "" {
				return Page[int]{}, &Error{Code: Unavailable}
			}
			return pages[at], nil
		}
	}
	for _, tt := range []struct {
		name  string
		pages map[Cursor]Page[int]
		fails Cursor
		stop  int
		want  []int
		code  Code
	}{
		{"pages", map[Cursor]Page[int]{"": {Items: []int{1, 2}, Next: "a"}, "a": {Next: "b"}, "b": {Items: []int{3}}}, "", 0, []int{1, 2, 3}, OK},
		{"stands still", map[Cursor]Page[int]{"": {Items: []int{1}, Next: "a"}, "a": {Items: []int{2}, Next: "a"}}, "", 0, []int{1, 2}, Internal},
		{"fails", map[Cursor]Page[int]{"": {Items: []int{1}, Next: "a"}}, "a", 0, []int{1}, Unavailable},
		{"left early", map[Cursor]Page[int]{"": {Items: []int{1, 2}, Next: "a"}}, "a", 1, []int{1}, OK},
	} {
		var got []int
		var last error
		for n, err := range Each(t.Context(), 2, list(tt.pages, tt.fails)) {
			if last = err; err == nil {
				got = append(got, n)
			}
			if n == tt.stop && tt.stop != 0 {
				break
			}
		}
		if !slices.Equal(got, tt.want) || CodeOf(last) != tt.code {
			t.Errorf("%s: %v and %v, want %v and %v", tt.name, got, last, tt.want, tt.code)
		}
	}
}

// floor is an adapter that can do nothing else.
type floor struct {
	d      Description
	closed *bool
}

func (f floor) Describe() Description     { return f.d }
func (floor) Check(context.Context) error { return nil }
func (f floor) Close() error              { *f.closed = true; return nil }

// blacklister acts, and reader reads back too.
type (
	blacklister struct{ floor }
	reader      struct{ blacklister }
	notifier    struct{ floor }
)

func (notifier) Notify(context.Context, NotifyRequest) (o Outcome, err error) { return }

func (blacklister) Blacklist(context.Context, BlacklistRequest) (r BlacklistResult, err error) {
	return
}
func (blacklister) Unblacklist(context.Context, BlacklistRequest) (r BlacklistResult, err error) {
	return
}
func (reader) Blacklisted(context.Context, MemberID, ContactID) (s BlacklistState, err error) { return }

func TestAgree(t *testing.T) {
	describe := func(e Enforcement, bend ...func(*Description)) floor {
		d := Description{Platform: "p", Title: "P", Enforces: map[Action]Enforcement{BlacklistContact: e, BlockMember: Recorded}}
		for _, b := range bend {
			b(&d)
		}
		return floor{d, new(bool)}
	}
	own := func(d *Description) { d.Own = true }
	tells := func(d *Description) { d.Enforces[Notify] = Native }
	channels := func(a Action, e Enforcement) func(*Description) {
		return func(d *Description) { d.Channels = map[Action]Enforcement{a: e} }
	}
	requires := func(a Action, f Feature) func(*Description) {
		return func(d *Description) { d.Requires = map[Action]Feature{a: f} }
	}
	horizon := func(d *Description) { d.KeyHorizon = map[Action]time.Duration{BlacklistContact: time.Hour} }
	for _, tt := range []struct {
		name  string
		a     Adapter
		wrong string
	}{
		{"nothing claimed, nothing done", describe(Recorded), ""},
		{"claimed and done", reader{blacklister{describe(Native)}}, ""},
		{"emulated and done", reader{blacklister{describe(Emulated)}}, ""},
		{"keys instead of reading back", blacklister{describe(Native, horizon)}, ""},
		{"claimed, not done", describe(Native), "implements it: false"},
		{"done, not claimed", reader{blacklister{describe(Recorded)}}, "implements it: true"},
		{"neither keys nor reading back", blacklister{describe(Native)}, "cannot be read back"},
		{"tells, and remembers keys", notifier{describe(Recorded, tells, func(d *Description) { d.KeyHorizon = map[Action]time.Duration{Notify: time.Hour} })}, ""},
		{"tells, and forgets keys", notifier{describe(Recorded, tells)}, "notify has no key horizon and cannot be read back"},
		{"says that it tells", describe(Recorded, tells), "implements it: false"},
		{"no name", floor{Description{}, nil}, "a name and a title"},
		{"no word", describe("FULL"), "enforces blacklist as \"FULL\""},
		{"nothing to call", describe(Recorded, func(d *Description) { d.Enforces[BlockMember] = Native }), "there is no capability"},
		{"the gateway itself", describe(Native, own), ""},
		{"the gateway itself, and more", blacklister{describe(Native, own)}, "nothing is delivered"},
		{"channels as far", describe(Recorded, channels(BlacklistContact, Recorded)), ""},
		{"channels less far", reader{blacklister{describe(Native, channels(BlacklistContact, Emulated))}}, ""},
		{"channels further", describe(Recorded, channels(BlacklistContact, Emulated)), "more than \"RECORDED\""},
		{"channels of nothing", describe(Recorded, channels(BlockContact, Unsupported)), "channels of block_contact, which it does not enforce"},
		{"no word for channels", describe(Recorded, channels(BlockMember, "")), "closes the channels of block_member as \"\""},
		{"a feature required", describe(Recorded, requires(BlacklistContact, CustomerContact)), ""},
		{"no feature", describe(Recorded, requires(BlacklistContact, "")), "no word for a feature"},
		{"a feature for nothing", describe(Recorded, requires(BlockContact, CustomerContact)), "requirement of block_contact"},
		{"a horizon of nothing", describe(Recorded, func(d *Description) { d.KeyHorizon = map[Action]time.Duration{"x": 1} }), "key horizon"},
		{"an empty budget", describe(Recorded, func(d *Description) { d.Budgets = []Budget{{Scope: "app", N: 0, Per: time.Second}} }), "budget"},
	} {
		err := Agree(tt.a)
		if (err == nil) != (tt.wrong == "") || err != nil && !strings.Contains(err.Error(), tt.wrong) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.wrong)
		}
	}
}

func TestOpen(t *testing.T) {
	defer func(o []Info) { offered = o }(offered)
	offered = nil
	closed := new(bool)
	var got map[string]string
	lies := false
	Offer(Info{Platform: "p", Options: []Option{{Name: "id", Required: true, Help: "the id"}, {Name: "url", Default: "https://p"}, {Name: "secret", Secret: true}},
		Open: func(cfg map[string]string, _ Env) (Adapter, error) {
			got = cfg
			d := Description{Platform: "p", Title: "P"}
			if lies {
				d.Enforces = map[Action]Enforcement{BlacklistContact: Native}
			}
			return floor{d, closed}, nil
		}})
	env := Env{HTTP: http.DefaultClient, Log: slog.New(slog.DiscardHandler), Now: time.Now}
	if _, err := Open("p", map[string]string{"id": "1", "secret": "s"}, env); err != nil || !maps.Equal(got, map[string]string{"id": "1", "url": "https://p", "secret": "s"}) {
		t.Errorf("%v with %v", err, got)
	}
	for name, tt := range map[string]struct {
		platform string
		cfg      map[string]string
		env      Env
		want     []string
	}{
		"unknown platform":         {"q", nil, env, []string{`"q"`, `["p"]`}},
		"all faults at once":       {"p", map[string]string{"secrets": "hunter2", "ur": "x"}, env, []string{`"id" is required: the id`, `no option "secrets"`, `no option "ur"`}},
		"nothing to live in":       {"p", map[string]string{"id": "1"}, Env{}, []string{"a clock"}},
		"no values in the message": {"p", map[string]string{"x": "hunter2"}, env, []string{"x"}},
	} {
		_, err := Open(tt.platform, tt.cfg, tt.env)
		for _, w := range tt.want {
			if err == nil || !strings.Contains(err.Error(), w) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: %v, want %q", name, err, w)
			}
		}
	}
	lies = true
	if _, err := Open("p", map[string]string{"id": "1"}, env); err == nil || !*closed {
		t.Errorf("an adapter that lies: %v, closed %t", err, *closed)
	}
	for name, f := range map[string]func(){
		"two offers":              func() { Offer(Info{Platform: "p", Open: offered[0].Open}) },
		"no name":                 func() { Offer(Info{Open: offered[0].Open}) },
		"two registered":          func() { Register(Description{Platform: "twice"}); Register(Description{Platform: "twice"}) },
		"registered without name": func() { Register(Description{}) },
	} {
		func() {
			defer func(r []Description) {
				registered = r
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}(registered)
			f()
		}()
	}
	if len(Offers()) != 1 {
		t.Errorf("%d offers", len(Offers()))
	}
}

// People's names and what is written about them print as ids and counts.
func TestLogValues(t *testing.T) {
	var b strings.Builder
	log := slog.New(slog.NewTextHandler(&b, nil))
	s := Snapshot{Remark: "老周", Tags: []Tag{{ID: "t", Name: "重点客户"}}}
	log.Info("x", "member", Member{ID: "m1", Name: "王芳"}, "contact", Contact{ID: "c1", Name: "周采购"}, "snapshot", s)
	fmt.Fprintf(&b, "%v %+v %s", s, s, s)
	for _, secret := range []string{"老周", "重点客户", "王芳", "周采购"} {
		if strings.Contains(b.String(), secret) {
			t.Errorf("%q in %s", secret, b.String())
		}
	}
	if !strings.Contains(b.String(), "member=m1 contact=c1") {
		t.Error(b.String())
	}
}
