package config

import (
	"errors"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Webhook is an endpoint of a system. It prints without its secrets.
type Webhook struct {
	URL string
	// Secrets sign what is sent, each: the file has one on a line, two while receivers change from one to the other.
	Secrets  []string
	Purposes []string // what it is told about; none: everything
}

// String is where it is, without what a secret may stand in.
func (w Webhook) String() string {
	u, err := url.Parse(w.URL)
	if err != nil {
		return "webhook"
	}
	return u.Scheme + "://" + u.Host
}

// GoString is String.
func (w Webhook) GoString() string { return w.String() }

// secretsMost is how many secrets an endpoint may have at once.
const secretsMost = 2

var (
	endpointName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)
	purposeCode  = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
	// signingSecret is as Standard Webhooks has it; how long the key is, who signs with it looks at.
	signingSecret = regexp.MustCompile(`^whsec_[A-Za-z0-9+/]{32,88}={0,2}$`)
)

// Endpoints reads the endpoints of systems with the files of their secrets, by name. The error is [Faults], which show neither
// secrets nor paths of files.
func (c Config) Endpoints() (map[string]Webhook, error) {
	out := make(map[string]Webhook, len(c.Webhooks))
	var faults Faults
	for _, name := range slices.Sorted(maps.Keys(c.Webhooks)) {
		w, more := webhook(name, c.Webhooks[name], c.Outbound.Networks)
		out[name], faults = w, append(faults, more...)
	}
	if err := faults.err(); err != nil {
		return nil, err
	}
	return out, nil
}

// webhookOptions are what an endpoint may say.
var webhookOptions = []string{"url", "secret_file", "purposes"}

func webhook(name string, options Connection, networks []netip.Prefix) (w Webhook, faults Faults) {
	at := webhooksKey + "." + name
	fault := func(option, value, expected string) {
		faults = append(faults, Fault{Path: at + "." + option, Value: value, Expected: expected})
	}
	if !endpointName.MatchString(name) {
		faults = append(faults, Fault{Path: at, Expected: "a name of up to 40 lower-case letters, digits and hyphens"})
	}
	for _, option := range slices.Sorted(maps.Keys(options)) {
		if !slices.Contains(webhookOptions, option) {
			faults = append(faults, Fault{Path: at + "." + option, Expected: "an option of an endpoint", Nearest: nearest(option, webhookOptions)})
		}
	}
	if w.URL = options["url"]; !isEndpointURL(w.URL) {
		fault("url", redact(w.URL), "https://HOST/PATH; http on a loopback host alone")
	} else if at := onLoopback(w.URL); at.IsValid() && !slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(at) }) {
		fault("url", redact(w.URL), "another host, or "+at.String()+" in outbound.networks (such as 127.0.0.0/8), without which nothing is sent there")
	}
	text, err := read(options["secret_file"])
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" {
			w.Secrets = append(w.Secrets, line)
		}
	}
	if err == nil && (len(w.Secrets) == 0 || len(w.Secrets) > secretsMost) {
		err = errors.New("there are none, or more than two")
	}
	if err == nil && slices.ContainsFunc(w.Secrets, func(s string) bool { return !signingSecret.MatchString(s) }) {
		err = errors.New("a line is none")
	}
	if err != nil {
		fault("secret_file", redact(options["secret_file"]), "a file with one secret, or two on lines of their own: whsec_ and base64 of 24 to 64 bytes"+because(err))
	}
	for purpose := range strings.SplitSeq(options["purposes"], ",") {
		if purpose = strings.TrimSpace(purpose); purpose == "" {
			continue
		}
		if !purposeCode.MatchString(purpose) {
			fault("purposes", options["purposes"], "what it is told about, such as OPPORTUNITY_LOSS, with commas between")
			break
		}
		w.Purposes = append(w.Purposes, purpose)
	}
	return w, faults
}

// onLoopback is the address on this machine that a URL names; none where it names another host.
func onLoopback(s string) netip.Addr {
	u, err := url.Parse(s)
	if err != nil || !loopback(net.JoinHostPort(u.Hostname(), "0")) {
		return netip.Addr{}
	}
	if at, err := netip.ParseAddr(u.Hostname()); err == nil {
		return at
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// isEndpointURL: what is sent there is signed and not encrypted, so it goes over TLS or stays on this machine. A fragment is not
// sent.
func isEndpointURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil {
		return false
	}
	u.Fragment, u.RawFragment = "", ""
	return isKeySetURL(u.String())
}
