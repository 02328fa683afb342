// Package outbound is the one way out over HTTP for addresses that people give: key sets of issuers, webhooks. It goes to hosts
// that are listed, on addresses that were looked at when they were dialled, follows no redirect, and takes little time and
// few bytes.
package outbound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Options say where requests may go.
type Options struct {
	// Hosts are the names and addresses that may be asked; any other is refused.
	Hosts []string
	// Networks are ranges of addresses that are refused unless they stand here: private, link-local, metadata, loopback.
	Networks []netip.Prefix
	Timeout  time.Duration // of one request with its answer; zero: ten seconds
	// Lookup resolves a name; nil: the system does.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
}

const (
	defaultTimeout = 10 * time.Second
	dialTimeout    = 5 * time.Second
	headerMax      = 64 << 10
)

// Why a request did not go out.
var (
	ErrHost     = errors.New("outbound: the host is not one that may be asked")
	ErrAddress  = errors.New("outbound: the host is at an address that may not be asked")
	ErrRedirect = errors.New("outbound: redirects are not followed")
	ErrTooLarge = errors.New("outbound: the answer is too large")
)

// Client makes a client that goes by the options and by nothing of the environment.
func Client(o Options) *http.Client {
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Lookup == nil {
		o.Lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	return &http.Client{
		Timeout:       o.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return ErrRedirect },
		Transport: &http.Transport{
			DialContext:            o.dial,
			ForceAttemptHTTP2:      true,
			TLSHandshakeTimeout:    dialTimeout,
			MaxResponseHeaderBytes: headerMax,
			MaxIdleConnsPerHost:    2,
			IdleConnTimeout:        time.Minute,
		},
	}
}

// dial resolves the name once, and connects to what it looked at: a name that means another address a moment later
// means nothing here.
func (o Options) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(o.Hosts, func(h string) bool { return strings.EqualFold(strings.Trim(h, "[]"), host) }) {
		return nil, ErrHost
	}
	addrs := []netip.Addr{}
	if a, err := netip.ParseAddr(host); err == nil {
		addrs = append(addrs, a)
	} else if addrs, err = o.Lookup(ctx, host); err != nil {
		return nil, err
	}
	for _, a := range addrs { // one that may not be asked among them is no accident
		if !o.may(a) {
			return nil, fmt.Errorf("%w: %s", ErrAddress, a)
		}
	}
	d := net.Dialer{Timeout: dialTimeout}
	err = fmt.Errorf("outbound: %s has no address", host)
	for _, a := range addrs {
		var c net.Conn
		if c, err = d.DialContext(ctx, network, net.JoinHostPort(a.Unmap().String(), port)); err == nil {
			return c, nil
		}
	}
	return nil, err
}

// refused are ranges that are nobody's on the internet: of this machine, of private networks, of clouds' metadata, and those in
// which another address can be hidden (RFC 6890).
var refused = prefixes("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
	"100.100.100.200/32") // the last: metadata of a cloud

func prefixes(texts ...string) (out []netip.Prefix) {
	for _, t := range texts {
		out = append(out, netip.MustParsePrefix(t))
	}
	return out
}

// may reports whether an address may be dialled.
func (o Options) may(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	in := func(p netip.Prefix) bool { return p.Contains(a) }
	return a.IsValid() && (slices.ContainsFunc(o.Networks, in) || !slices.ContainsFunc(refused, in))
}

// Get reads what stands at a URL, if it is answered with 200 and has no more than limit bytes.
func Get(ctx context.Context, c *http.Client, url string, limit int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("outbound: answered with status %d", resp.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err == nil && int64(len(b)) > limit {
		return nil, ErrTooLarge
	}
	return b, err
}
