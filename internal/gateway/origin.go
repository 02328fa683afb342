package gateway

import (
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/guanxi-im/guanxi/internal/fault"
)

// origins keeps pages of other sites out, except for those that the company lets in.
type origins struct {
	allowed []string // scheme://host[:port]
	unsafe  *http.CrossOriginProtection
}

func newOrigins(allowed []string) (*origins, error) {
	o := &origins{allowed, http.NewCrossOriginProtection()}
	for _, origin := range allowed {
		if err := o.unsafe.AddTrustedOrigin(origin); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// What a page of an allowed origin may send, and read.
const (
	corsMethods = "GET, POST"
	corsExpose  = "Allow, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id"
	corsAge     = "600"
)

var corsHeaders = strings.Join([]string{"Accept", "Accept-Language", "Apollo-Require-Preflight", "Authorization", "Content-Type", costHeader,
	"GraphQL-Require-Preflight", "Traceparent", "Tracestate"}, ", ")

// guard answers what browsers ask on behalf of pages, and refuses what no page was let.
func (o *origins) guard(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		origin := r.Header.Get("Origin")
		allowed := origin != "" && slices.Contains(o.allowed, origin)
		if len(o.allowed) > 0 {
			h.Add("Vary", "Origin")
		}
		if allowed {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Expose-Headers", corsExpose)
		}
		if r.Method == http.MethodOptions {
			h.Set("Allow", "GET, POST, OPTIONS")
			if allowed {
				h.Set("Access-Control-Allow-Methods", corsMethods)
				h.Set("Access-Control-Allow-Headers", corsHeaders)
				h.Set("Access-Control-Max-Age", corsAge)
			}
			w.WriteHeader(http.StatusNoContent)
			return
		}
		switch {
		case allowed:
		case o.unsafe.Check(r) != nil, r.Header.Get("Upgrade") != "" && foreign(r):
			refuse(http.StatusForbidden, fault.New(fault.Forbidden, "origin")).send(w, r, mediaJSON)
			return
		case r.Method == http.MethodGet && foreign(r) && !preflighted(r):
			refuse(http.StatusForbidden, fault.New(fault.Forbidden, "preflight", preflight[0])).send(w, r, mediaJSON)
			return
		}
		next(w, r)
	}
}

// foreign reports whether a browser says that a page of another site asks.
func foreign(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return false
	case "":
	default:
		return true
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || u.Host != r.Host
}

// requestID is the form of a request's id that is taken from a proxy.
var requestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// proxies are the addresses whose word is taken: on the id of a request, and on where it came from.
type proxies []netip.Prefix

func (p proxies) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(p, func(n netip.Prefix) bool { return n.Contains(a) })
}

func addressOf(hostport string) netip.Addr {
	a, err := netip.ParseAddrPort(hostport)
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap()
}

// id is the request's id that a trusted proxy gave; "" where there is none.
func (p proxies) id(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	if !requestID.MatchString(id) || !p.trusts(addressOf(r.RemoteAddr)) {
		return ""
	}
	return id
}

// from is where a request came from, as far as our proxies know.
func (p proxies) from(r *http.Request) netip.Addr {
	at := addressOf(r.RemoteAddr)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !p.trusts(at) {
			break
		}
		before, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		at = before.Unmap()
	}
	return at
}
