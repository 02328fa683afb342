package testkit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Receiver takes webhooks as a company's system does that believes only what is signed with its secret.
type Receiver struct {
	URL string

	secret  string
	mu      sync.Mutex
	answers []int
	before  func() // of the answer
	got     []Webhook
}

// Webhook is one that came.
type Webhook struct {
	ID, Body string
	Type     string
	Data     struct {
		Workspace    struct{ ID, Name, Platform string }
		Relationship struct {
			ID, Kind, State string
			Version         int
		}
		Initiator struct{ ID string }
		Target    struct{ ID, PlatformID string }
	}
}

// Receive starts a receiver on this machine, at 127.0.0.1 or another address, and stops it when the test ends. What is not
// signed as it should be fails the test.
func Receive(t testing.TB, secret string, at ...string) *Receiver {
	t.Helper()
	r := &Receiver{secret: secret}
	l, err := net.Listen("tcp", append(at, "127.0.0.1")[0]+":0")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		status, location, err := r.take(req)
		if err != nil {
			t.Errorf("a webhook that is none: %v", err)
			status = http.StatusBadRequest
		}
		if location != "" {
			w.Header().Set("Location", location)
		}
		w.WriteHeader(status)
	}))
	_ = s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	r.URL = s.URL
	return r
}

func (r *Receiver) take(req *http.Request) (status int, location string, err error) {
	body, err := io.ReadAll(req.Body)
	if err == nil {
		err = Verify(r.secret, req.Header, body, time.Now())
	}
	w := Webhook{ID: req.Header.Get("webhook-id"), Body: string(body)}
	if err == nil {
		err = json.Unmarshal(body, &w)
	}
	if err == nil && req.Method+" "+req.Header.Get("Content-Type") != "POST application/json" {
		err = fmt.Errorf("%s %s", req.Method, req.Header.Get("Content-Type"))
	}
	r.mu.Lock()
	r.got = append(r.got, w)
	before := r.before
	status = http.StatusNoContent
	if len(r.answers) > 0 {
		status = r.answers[0]
		if len(r.answers) > 1 {
			r.answers = r.answers[1:]
		}
	}
	r.mu.Unlock()
	if before != nil {
		before()
	}
	if status >= 300 && status < 400 {
		location = r.URL + "/elsewhere"
	}
	return status, location, err
}

// Answers sets what it answers, in turn; the last one stays.
func (r *Receiver) Answers(status ...int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers = status
}

// Before sets what happens once a webhook has come and before it is answered.
func (r *Receiver) Before(do func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before = do
}

// Got is what came.
func (r *Receiver) Got() []Webhook {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Webhook{}, r.got...)
}

// Until waits until so many came, and answers them.
func (r *Receiver) Until(t testing.TB, n int) []Webhook {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		got := r.Got()
		if len(got) >= n {
			return got
		}
		if time.Now().After(end) {
			t.Fatalf("%d webhooks came, not %d", len(got), n)
		}
	}
}

// tolerance is by how much the time of a signature may differ from a receiver's.
const tolerance = 5 * time.Minute

// Verify is the receivers' side of Standard Webhooks (https://www.standardwebhooks.com), written by its text and not by what we send.
func Verify(secret string, h http.Header, body []byte, now time.Time) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(h.Get("webhook-timestamp"), 10, 64)
	if err != nil {
		return err
	}
	if d := now.Sub(time.Unix(seconds, 0)).Abs(); d > tolerance {
		return fmt.Errorf("signed %s off", d)
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.%s", h.Get("webhook-id"), seconds, body)
	for signature := range strings.SplitSeq(h.Get("webhook-signature"), " ") {
		version, code, _ := strings.Cut(signature, ",")
		sent, err := base64.StdEncoding.DecodeString(code)
		if version == "v1" && err == nil && hmac.Equal(sent, mac.Sum(nil)) {
			return nil
		}
	}
	return errors.New("no signature that holds")
}
