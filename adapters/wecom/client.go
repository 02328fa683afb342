package wecom

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/guanxi-im/guanxi/adapters"
)

const (
	bodyLimit = 4 << 20          // of an answer: the whole tag library of 10,000 tags is about 1 MiB
	patience  = 10 * time.Second // for one call
)

// client speaks HTTP with WeCom: one call at a time, each with its context. What it takes from an answer is the code,
// the hint and the fields it asked for; errmsg echoes what was sent and goes nowhere.
type client struct {
	http *http.Client
	base string
	log  *slog.Logger
	now  func() time.Time

	closed context.Context // ends with the adapter, and with it every call
	close  context.CancelFunc
}

func newClient(base string, env adapters.Env) *client {
	h := *env.HTTP
	h.Jar = nil
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // the address has a token in it
	c := &client{http: &h, base: base, log: env.Log, now: env.Now}
	c.closed, c.close = context.WithCancel(context.Background())
	return c
}

// request is one of WeCom's calls.
type request struct {
	path   string
	query  url.Values
	body   any  // nil: GET
	writes bool // whether it may have changed something by the time that it fails
}

func (r request) op() string { return platform + "." + strings.TrimPrefix(r.path, "/cgi-bin/") }

func (r request) fail(code adapters.Code, message string, err error) *adapters.Error {
	return &adapters.Error{Code: code, Op: r.op(), Message: message, Err: err}
}

// lost is the failure of a call that had been sent: a reading that failed changed nothing.
func (r request) lost(message string, err error) *adapters.Error {
	if r.writes {
		return r.fail(adapters.Indeterminate, message, err)
	}
	return r.fail(adapters.Unavailable, message, err)
}

// call makes a call with a token of t, and reads the answer into out. Where WeCom says that the token does not hold,
// it is renewed and the call made again, once: such a refusal comes before anything else happens.
func (c *client) call(ctx context.Context, t *tokens, r request, out any) error {
	stale := ""
	for attempt := 1; ; attempt++ {
		token, err := t.get(ctx, r, stale)
		if err != nil {
			return err
		}
		failed := c.send(ctx, token, r, out)
		if failed == nil {
			return nil
		}
		if code := failed.Vendor.Code; attempt > 1 || code != tokenInvalid && code != tokenExpired {
			return failed
		}
		stale = token
	}
}

// send sends one request and logs what came of it.
func (c *client) send(ctx context.Context, token string, r request, out any) *adapters.Error {
	start := c.now()
	err := c.exchange(ctx, token, r, out)
	attrs := []slog.Attr{slog.String("op", r.op()), slog.Float64("took_ms", float64(c.now().Sub(start).Microseconds())/1000)}
	level := slog.LevelDebug
	if err != nil {
		attrs = append(attrs, slog.String("code", err.Code.String()), slog.String("vendor_code", err.Vendor.Code), slog.String("vendor_request", err.Vendor.RequestID))
		if err.Code == adapters.Unknown {
			level = slog.LevelWarn // a gap in the table
		}
	}
	c.log.LogAttrs(ctx, level, "wecom: call", attrs...)
	return err
}

func (c *client) exchange(ctx context.Context, token string, r request, out any) *adapters.Error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	defer context.AfterFunc(c.closed, cancel)()
	if c.closed.Err() != nil {
		return r.fail(adapters.Unavailable, "the adapter is closed", nil)
	}
	if err := ctx.Err(); err != nil {
		return r.fail(adapters.Unavailable, "the call's time was over before it was sent", err)
	}
	req, err := c.request(ctx, token, r)
	if err != nil {
		return r.fail(adapters.InvalidArgument, "the request cannot be written", bare(err))
	}
	res, err := c.http.Do(req)
	if err != nil {
		err = bare(err)
		if refused := (*adapters.Error)(nil); errors.As(err, &refused) { // by the transport, which has not sent it
			e := r.fail(refused.Code, refused.Message, err)
			e.RetryAfter = refused.RetryAfter
			return e
		}
		if dial := (*net.OpError)(nil); errors.As(err, &dial) && dial.Op == "dial" {
			return r.fail(adapters.Unavailable, "no connection", err)
		}
		return r.lost("no answer", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, bodyLimit+1))
	switch {
	case res.StatusCode == http.StatusTooManyRequests: // of something in between: WeCom itself answers 200
		e := r.fail(adapters.RateLimited, "HTTP status 429", nil)
		e.RetryAfter = after(res.Header.Get("Retry-After"))
		return e
	case res.StatusCode >= 500:
		return r.lost("HTTP status "+strconv.Itoa(res.StatusCode), nil)
	case res.StatusCode != http.StatusOK:
		return r.fail(adapters.Internal, "HTTP status "+strconv.Itoa(res.StatusCode)+", where WeCom answers 200; is "+optBase+" right?", nil)
	case err != nil:
		return r.lost("the answer broke off", bare(err))
	case len(body) > bodyLimit:
		return r.garbled("the answer is too long")
	}
	return decode(r, body, out)
}

// request writes the HTTP request. The token belongs in the address: https://developer.work.weixin.qq.com/document/path/90664.
func (c *client) request(ctx context.Context, token string, r request) (*http.Request, error) {
	query := url.Values{}
	for k, v := range r.query {
		query[k] = v
	}
	if token != "" {
		query.Set("access_token", token)
	}
	address := c.base + r.path + "?" + query.Encode()
	if r.body == nil {
		return http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(r.body); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, &text)
	if err == nil {
		req.Header.Set("Content-Type", "application/json; charset=utf-8")
	}
	return req, err
}

// bare is the error without the address, in which secret and token stand.
func bare(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return u.Err
	}
	return err
}

// after is how long a Retry-After in seconds asks to wait, within reason.
func after(header string) time.Duration {
	n, err := strconv.Atoi(header)
	if err != nil || n <= 0 {
		return time.Minute
	}
	return time.Duration(min(n, 86_400)) * time.Second
}

// garbled is the failure of a call whose answer makes no sense. A change may have happened all the same.
func (r request) garbled(message string) *adapters.Error {
	if r.writes {
		return r.fail(adapters.Indeterminate, message, nil)
	}
	return r.fail(adapters.Internal, message, nil)
}

// envelope begins every answer. Both fields may be missing where all went well.
type envelope struct {
	Code    int    `json:"errcode"`
	Message string `json:"errmsg"`
}

// decode reads an answer: https://developer.work.weixin.qq.com/document/path/90664. Errcode alone decides; errmsg is
// not always "ok" where all went well.
func decode(r request, body []byte, out any) *adapters.Error {
	var e envelope
	if !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) || json.Unmarshal(body, &e) != nil {
		return r.garbled("the answer is no JSON object")
	}
	if e.Code != 0 {
		return r.refused(e)
	}
	if out != nil {
		if err := json.Unmarshal(body, out); err != nil {
			return r.garbled("the answer's fields are not as documented")
		}
	}
	return nil
}

// hint is WeCom's name for a request, to quote to its support: "… hint: [1576065934_28_e0fae0], from ip: …".
var hint = regexp.MustCompile(`hint: \[([0-9A-Za-z_]{1,80})\], from ip`)

// refused is the error of an envelope.
func (r request) refused(e envelope) *adapters.Error {
	row, listed := codes[e.Code]
	if !listed {
		row = vendorCode{is: adapters.Unknown, text: "refused with a code that the table lacks"}
	}
	err := r.fail(row.is, row.text, nil)
	err.RetryAfter = row.retryAfter
	err.Vendor = adapters.Vendor{Code: strconv.Itoa(e.Code), Docs: fmt.Sprintf("https://open.work.weixin.qq.com/devtool/query?e=%d", e.Code)}
	if m := hint.FindAllStringSubmatch(e.Message, -1); m != nil {
		err.Vendor.RequestID = m[len(m)-1][1] // what is echoed stands before it
	}
	return err
}
