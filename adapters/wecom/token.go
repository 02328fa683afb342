package wecom

import (
	"context"
	"sync"
	"time"

	"github.com/guanxi-im/guanxi/adapters"
)

// refusal is how long a refused secret is not tried again: WeCom shuts an address out for an hour that tries wrong
// secrets (https://developer.work.weixin.qq.com/document/path/90313, 45009).
const refusal = 10 * time.Minute

// tokens is the access_token of one secret. Whoever needs one while it is fetched waits for the same fetch, and nobody's
// patience but the fetch's own ends it.
type tokens struct {
	client       *client
	corp, secret string

	mu     sync.Mutex
	value  string // empty: none
	until  time.Time
	fetch  *fetch // under way
	failed *adapters.Error
	again  time.Time // failed holds until then
}

type fetch struct {
	done  chan struct{}
	token string
	err   *adapters.Error
}

func (c *client) tokens(corp, secret string) *tokens {
	return &tokens{client: c, corp: corp, secret: secret}
}

// get is a token that is not stale. R is what it is for.
func (t *tokens) get(ctx context.Context, r request, stale string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", r.fail(adapters.Unavailable, "the call's time was over before it was sent", err)
	}
	t.mu.Lock()
	now := t.client.now()
	if t.value != "" && t.value != stale && now.Before(t.until) {
		defer t.mu.Unlock()
		return t.value, nil
	}
	if t.failed != nil && now.Before(t.again) {
		defer t.mu.Unlock()
		return "", t.failed
	}
	f := t.fetch
	if f == nil {
		f = &fetch{done: make(chan struct{})}
		t.fetch, t.value = f, ""
		go t.run(f)
	}
	t.mu.Unlock()
	select {
	case <-f.done:
	case <-ctx.Done():
		return "", r.fail(adapters.Unavailable, "the call's time was over before there was a token", ctx.Err())
	}
	if f.err != nil {
		return "", f.err
	}
	return f.token, nil
}

// run fetches. It ends with the adapter, or with the client's patience.
func (t *tokens) run(f *fetch) {
	defer close(f.done)
	token, holds, err := t.client.getToken(t.client.closed, t.corp, t.secret)
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.client.now()
	f.token, f.err, t.fetch, t.failed = token, err, nil, nil
	switch {
	case err == nil:
		t.value, t.until = token, now.Add(holds-min(holds/10, 5*time.Minute)) // so that none expires on its way
	case err.Vendor.Code == tokenInvalid || err.Vendor.Code == tokenExpired: // says nothing about the secret
	case err.Code == adapters.Unauthenticated:
		t.failed, t.again = err, now.Add(refusal)
	case err.RetryAfter > 0:
		t.failed, t.again = err, now.Add(err.RetryAfter)
	}
}

// getToken fetches a token, of at most 512 bytes, and how long it holds unless it is taken back before.
//
//vendor:op GET /cgi-bin/gettoken
//vendor:doc https://developer.work.weixin.qq.com/document/path/91039 2026-02-12
func (c *client) getToken(ctx context.Context, corp, secret string) (string, time.Duration, *adapters.Error) {
	r := request{path: "/cgi-bin/gettoken", query: params("corpid", corp, "corpsecret", secret)}
	var out struct {
		Token   string `json:"access_token"`
		Expires int    `json:"expires_in"` // seconds
	}
	if err := c.send(ctx, "", r, &out); err != nil {
		return "", 0, err
	}
	if out.Token == "" || out.Expires <= 0 {
		return "", 0, r.garbled("the answer has no token, or one that does not hold")
	}
	return out.Token, time.Duration(out.Expires) * time.Second, nil
}
