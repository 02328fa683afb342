package wecom

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/guanxi-im/guanxi/adapters"
)

var _ adapters.Notifier = (*messenger)(nil)

// messenger is a company's WeCom with an app that may write to its members.
type messenger struct {
	*Adapter
	agent int // the app's agentid
	pace  pace
}

// Describe declares what the adapter carries out.
func (m *messenger) Describe() adapters.Description { return description(true) }

// Notify sends a text in the app's name. WeCom has no keys: it knows a message again by its text, so each ends with a
// short reference to its key, which makes it one of its own and the same at every attempt.
func (m *messenger) Notify(ctx context.Context, req adapters.NotifyRequest) (out adapters.Outcome, err error) {
	out.Enforcement = adapters.Native
	fail := func(code adapters.Code, message string) *adapters.Error {
		return &adapters.Error{Code: code, Op: platform + ".Notify", Message: message}
	}
	if req.To == "" || strings.ContainsAny(string(req.To), "|@") { // several, and @all
		return out, fail(adapters.NotFound, "no such member")
	}
	if wait := m.pace.take(fold(string(req.To)), m.client.now()); wait > 0 {
		e := fail(adapters.RateLimited, "the member has got as many messages as WeCom lets through")
		e.RetryAfter = wait
		return out, e
	}
	answer, err := m.sendText(ctx, m.agent, req.To, referred(req.Text, req.Key))
	out.VendorRef = answer.ID
	switch {
	case err != nil:
		return out, err
	case answer.Unlicensed != "":
		return out, fail(adapters.NotEnabled, "the member has no licence for the API (基础接口许可)")
	case answer.Invalid != "":
		return out, fail(adapters.NotFound, "no such member, or one out of the app's range")
	}
	out.Changed = true
	return out, nil
}

// referred is a text with a reference to its key, within what WeCom does not cut.
func referred(text string, key adapters.Key) string {
	sum := sha256.Sum256([]byte(key))
	end := "\n#" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:10])
	if most := textLimit - len(end); len(text) > most {
		for text = text[:most]; !utf8.ValidString(text); {
			text = text[:len(text)-1]
		}
	}
	return text + end
}

// What WeCom lets through to one member of one app's messages; the rest it drops without a word:
// https://developer.work.weixin.qq.com/document/path/90312.
const (
	perMinute = 30
	perHour   = 1000
)

// pace counts what was sent to each member, so that none is dropped. Other replicas count for themselves.
type pace struct {
	mu    sync.Mutex
	sent  map[string][]time.Time // in the last hour, by member
	swept time.Time
}

// take counts one more message, or says how long to wait until there may be one.
func (p *pace) take(member string, now time.Time) (wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sent == nil || now.Sub(p.swept) > time.Hour {
		old := p.sent
		p.sent, p.swept = map[string][]time.Time{}, now
		for m, times := range old {
			if now.Sub(times[len(times)-1]) < time.Hour {
				p.sent[m] = times
			}
		}
	}
	times := p.sent[member]
	for len(times) > 0 && now.Sub(times[0]) >= time.Hour {
		times = times[1:]
	}
	for _, limit := range []struct {
		n   int
		per time.Duration
	}{{perMinute, time.Minute}, {perHour, time.Hour}} {
		if n := len(times); n >= limit.n {
			wait = max(wait, limit.per-now.Sub(times[n-limit.n]))
		}
	}
	if wait <= 0 {
		times = append(times, now)
	}
	p.sent[member] = times
	if len(times) == 0 {
		delete(p.sent, member)
	}
	return max(wait, 0)
}
