package stage

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"time"
)

// Faults are what can be played on calls. The same seed and the same calls in the same order meet the same faults.
type Faults struct {
	Seed  uint64 `json:"seed"`
	Rules []Rule `json:"rules"`
}

// Rule plays faults on the calls whose path it matches, in which * stands for anything. All rules that hit a call are
// played on it: delays add up, and the first code wins.
type Rule struct {
	Match        string     `json:"match"`
	Errcode      vendorCode `json:"errcode,omitempty"`      // refuse with this code of the platform
	VoidToken    bool       `json:"voidToken,omitempty"`    // the platform takes the call's token back before its time
	DropRequest  bool       `json:"dropRequest,omitempty"`  // cut the connection before anything happens
	DropResponse bool       `json:"dropResponse,omitempty"` // let it happen, then cut the connection
	Delay        string     `json:"delay,omitempty"`        // wait first: 200ms
	Rate         *float64   `json:"rate,omitempty"`         // how likely it hits: above 0, at most 1, the default
	Times        int        `json:"times,omitempty"`        // how often it hits; 0: without end
}

// vendorCode is an error code, a number or a string in JSON.
type vendorCode string

// UnmarshalJSON reads either.
func (c *vendorCode) UnmarshalJSON(text []byte) error {
	var s string
	if json.Unmarshal(text, &s) != nil {
		var n int64
		if err := json.Unmarshal(text, &n); err != nil {
			return err
		}
		s = fmt.Sprint(n)
	}
	*c = vendorCode(s)
	return nil
}

// Fault is what is played on one call. Its fields are for the platform to play.
type Fault struct {
	Code      string // refuse with it; empty: do not
	VoidToken bool

	names                     []string
	delay                     time.Duration
	dropRequest, dropResponse bool
}

// faults are rules made ready.
type faults []*ready

type ready struct {
	Rule
	path  *regexp.Regexp
	delay time.Duration
	rate  float64
	rng   *rand.Rand
	hits  int
}

func (f Faults) prepare() (faults, error) {
	var out faults
	for i, r := range f.Rules {
		bad := func(format string, args ...any) (faults, error) {
			return nil, fmt.Errorf("rules[%d]: %s", i, fmt.Sprintf(format, args...))
		}
		if r.Match == "" {
			return bad("match: expected a path, in which * stands for anything")
		}
		if r.Errcode == "" && !r.VoidToken && !r.DropRequest && !r.DropResponse && r.Delay == "" {
			return bad("expected one of errcode, voidToken, dropRequest, dropResponse, delay")
		}
		made := &ready{Rule: r, rate: 1, rng: rand.New(rand.NewPCG(f.Seed, uint64(i)))}
		made.path = regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(r.Match), `\*`, ".*") + "$")
		if r.Rate != nil {
			made.rate = *r.Rate
		}
		if made.rate <= 0 || made.rate > 1 {
			return bad("rate: expected above 0, at most 1, found %v", made.rate)
		}
		if r.Times < 0 {
			return bad("times: expected 0 or more, found %d", r.Times)
		}
		if r.Delay != "" {
			d, err := time.ParseDuration(r.Delay)
			if err != nil || d <= 0 {
				return bad("delay: expected a duration such as 200ms, found %q", r.Delay)
			}
			made.delay = d
		}
		out = append(out, made)
	}
	return out, nil
}

// draw says what is played on a call.
func (fs faults) draw(path string) (f Fault) {
	for _, r := range fs {
		if !r.path.MatchString(path) || r.Times > 0 && r.hits >= r.Times || r.rng.Float64() >= r.rate {
			continue
		}
		r.hits++
		played := func(name string, yes bool) bool {
			if yes {
				f.names = append(f.names, name)
			}
			return yes
		}
		if played("errcode", r.Errcode != "") && f.Code == "" {
			f.Code = string(r.Errcode)
		}
		f.VoidToken = played("voidToken", r.VoidToken) || f.VoidToken
		f.dropRequest = played("dropRequest", r.DropRequest) || f.dropRequest
		f.dropResponse = played("dropResponse", r.DropResponse) || f.dropResponse
		if played("delay", r.delay > 0) {
			f.delay += r.delay
		}
	}
	return f
}
