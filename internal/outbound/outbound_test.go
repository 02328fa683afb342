package outbound

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// served is a server of this machine, how often it was asked, and a client's options under which it may be.
func served(t *testing.T, h http.HandlerFunc) (u *url.URL, asked *atomic.Int64, o Options) {
	t.Helper()
	asked = &atomic.Int64{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked.Add(1); h(w, r) }))
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u, asked, Options{Hosts: []string{"127.0.0.1"}, Networks: prefixes("127.0.0.0/8")}
}

func get(t *testing.T, o Options, u string) (string, error) {
	t.Helper()
	b, err := Get(t.Context(), Client(o), u, 100)
	return string(b), err
}

func ok(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) }

func TestListed(t *testing.T) {
	u, asked, o := served(t, ok)
	if got, err := get(t, o, u.String()); got != "ok" || err != nil {
		t.Fatalf("a listed host at a listed address: %q, %v", got, err)
	}
	o.Hosts = []string{"127.0.0.2"}
	if _, err := get(t, o, u.String()); !errors.Is(err, ErrHost) {
		t.Errorf("a host that is not listed: %v", err)
	}
	o.Hosts, o.Networks = []string{"127.0.0.1"}, nil
	if _, err := get(t, o, u.String()); !errors.Is(err, ErrAddress) {
		t.Errorf("an address that is not listed: %v", err)
	}
	if asked.Load() != 1 {
		t.Errorf("was asked %d times", asked.Load())
	}
}

// What a name means is looked at when it is dialled, and once.
func TestRebinding(t *testing.T) {
	u, asked, o := served(t, ok)
	lookups := 0
	o.Hosts = []string{"issuer.example"}
	o.Lookup = func(context.Context, string) ([]netip.Addr, error) {
		lookups++
		if lookups == 1 {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		}
		return []netip.Addr{netip.MustParseAddr("93.184.216.34"), netip.MustParseAddr("169.254.169.254")}, nil
	}
	at := "http://issuer.example:" + u.Port()
	if got, err := get(t, o, at); got != "ok" || err != nil || lookups != 1 {
		t.Fatalf("while it is at a listed address: %q, %v, %d lookups", got, err, lookups)
	}
	if _, err := get(t, o, at); !errors.Is(err, ErrAddress) {
		t.Errorf("once one of its addresses is a cloud's metadata: %v", err)
	}
	lookups, o.Networks = 0, nil
	if _, err := get(t, o, at); !errors.Is(err, ErrAddress) || asked.Load() != 1 {
		t.Errorf("a public name that means this machine: %v, asked %d times", err, asked.Load())
	}
}

func TestAddresses(t *testing.T) {
	for _, a := range []string{"127.0.0.1", "127.255.0.1", "::1", "0.0.0.0", "::", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
		"169.254.169.254", "100.64.0.1", "100.100.100.200", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1",
		"2002:7f00:1::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "224.0.0.1", "255.255.255.255", "198.18.0.1", "192.0.0.192"} {
		if (Options{}).may(netip.MustParseAddr(a)) {
			t.Errorf("%s may be dialled", a)
		}
	}
	for _, a := range []string{"93.184.216.34", "8.8.8.8", "2606:4700::1111", "172.32.0.1", "11.0.0.1", "::ffff:8.8.8.8"} {
		if !(Options{}).may(netip.MustParseAddr(a)) {
			t.Errorf("%s may not be dialled", a)
		}
	}
	if (Options{}).may(netip.Addr{}) {
		t.Error("no address may be dialled")
	}
	for _, u := range []string{"http://169.254.169.254/latest/meta-data/", "http://[::ffff:169.254.169.254]/", "http://0x7f000001/", "http://2130706433/"} {
		at, err := url.Parse(u)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := get(t, Options{Hosts: []string{at.Hostname()}, Timeout: time.Second}, u); err == nil {
			t.Errorf("%s was asked", u)
		}
	}
}

func TestRedirect(t *testing.T) {
	u, asked, o := served(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) })
	if _, err := get(t, o, u.String()); !errors.Is(err, ErrRedirect) || asked.Load() != 1 {
		t.Errorf("%v, asked %d times", err, asked.Load())
	}
}

func TestLimits(t *testing.T) {
	u, _, o := served(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/full":
			_, _ = w.Write([]byte(strings.Repeat("x", 100)))
		case "/large":
			_, _ = w.Write([]byte(strings.Repeat("x", 101)))
		case "/slow":
			<-r.Context().Done()
		default:
			w.WriteHeader(http.StatusTeapot)
		}
	})
	o.Timeout = 200 * time.Millisecond
	if got, err := get(t, o, u.String()+"/full"); len(got) != 100 || err != nil {
		t.Errorf("as large as may be: %d, %v", len(got), err)
	}
	if _, err := get(t, o, u.String()+"/large"); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	if _, err := get(t, o, u.String()+"/status"); err == nil || !strings.Contains(err.Error(), "418") {
		t.Errorf("another status: %v", err)
	}
	began := time.Now()
	if _, err := get(t, o, u.String()+"/slow"); err == nil || time.Since(began) > 2*time.Second {
		t.Errorf("one that does not answer: %v after %s", err, time.Since(began))
	}
}

// The environment sends nothing elsewhere.
func TestNoProxy(t *testing.T) {
	u, asked, o := served(t, ok)
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	if _, err := get(t, o, u.String()); err != nil || asked.Load() != 1 {
		t.Errorf("%v", err)
	}
}
