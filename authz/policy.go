package authz

import (
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

//go:embed model.conf
var model string

// Rule is one policy line as it stood in one version of the files.
type Rule struct {
	// ID is the same for ever: the first twelve bytes of the version's hash and the line's number among all lines.
	ID im.ID `json:"id"`
	// Name is the line's id in the files (C-01, wecom.member.external_only); several lines may share it.
	Name string `json:"name"`
	File string `json:"file"` // authz/policies/guard.csv, adapters/wecom/rules.csv; of a company file its name
	Line int    `json:"line"`
	Text string `json:"text"` // the line as written

	// Its columns.
	Layer  string `json:"layer"`
	Domain string `json:"domain"`
	Role   string `json:"role"`
	Action string `json:"action"`
	Target string `json:"target"`
	When   string `json:"when"`
	Effect string `json:"effect"`
	By     string `json:"by"`
	Duty   string `json:"duty"`
}

// Duties are those of its line.
func (r Rule) Duties() (out im.Obligations) {
	for duty := range strings.SplitSeq(r.Duty, "|") {
		if duty = strings.TrimSpace(duty); duty != "" {
			out = append(out, duty)
		}
	}
	return out
}

// Ref names the rule in rows and answers.
func (r Rule) Ref() im.RuleRef {
	return im.RuleRef{ID: r.ID, Name: r.Name, File: r.File, Line: r.Line}
}

// sentence is a text in each language.
type sentence [2]string

// Policy is one version of all files: its rules, and the sentences that explain them. It is what remains of a version
// when no engine decides by it any more. It never changes.
type Policy struct {
	bundle   []byte
	version  string
	rules    []Rule // by ordinal
	replaced []bool // by ordinal: a company line stands in its place
	texts    map[string]*sentence
}

// Version is the SHA-256 of [Policy.Bundle] in hexadecimal: of all files, their names and layers, the platforms and
// the model.
func (p *Policy) Version() string { return p.version }

// Bundle is the whole version as one blob, the same bytes for the same files, to be kept and not changed. [OpenBundle]
// reads it.
func (p *Policy) Bundle() []byte { return p.bundle }

// Rules lists the rules in force, in the order of layers, files and lines.
func (p *Policy) Rules() []Rule {
	var out []Rule
	for i, r := range p.rules {
		if !p.replaced[i] {
			out = append(out, r)
		}
	}
	return out
}

// Rule finds the rule with this id, if it is of this version.
func (p *Policy) Rule(id im.ID) (Rule, bool) {
	n := binary.BigEndian.Uint32(id[12:])
	if int64(n) >= int64(len(p.rules)) || p.rules[n].ID != id {
		return Rule{}, false
	}
	return p.rules[n], true
}

// Reason is one sentence for a person about a decision: that of the first deciding rule that has one, or else what is
// said of the outcome in general.
func (p *Policy) Reason(o im.Outcome, rules []im.RuleRef, l fault.Language) string {
	names := make([]string, len(rules))
	for i, r := range rules {
		names[i] = r.Name
	}
	return p.reason(o, names, l)
}

// bundle is the form of a version at rest.
type bundle struct {
	Model     string         `json:"model"`
	Platforms []Platform     `json:"platforms"`
	Layers    []bundledLayer `json:"layers"`
}

type bundledLayer struct {
	Name   string     `json:"name"`
	Domain string     `json:"domain,omitempty"`
	Files  []document `json:"files"`
}

// document is one file.
type document struct {
	Path string `json:"path"` // as shown in rules
	Text string `json:"text"`
}

// OpenBundle reads a version that was kept, so that a rule of an old decision can be shown. It does not judge the
// files by today's vocabulary: they were sound in their time.
func OpenBundle(b []byte) (*Policy, error) {
	var x bundle
	if err := json.Unmarshal(b, &x); err != nil {
		return nil, fmt.Errorf("authz: no policy bundle: %w", err)
	}
	problems := &Problems{}
	book := read(x.Layers, problems)
	if len(problems.List) > 0 {
		return nil, fmt.Errorf("authz: policy bundle: %w", problems)
	}
	return newPolicy(b, book), nil
}

// OpenEngine makes the engine of a version that was kept, so that an old decision can be made again. Unlike [OpenBundle]
// it needs files that say nothing which this release does not know; duties are those that somebody fulfils today.
func OpenEngine(b []byte, duties []string) (*Engine, error) {
	var x bundle
	if err := json.Unmarshal(b, &x); err != nil {
		return nil, fmt.Errorf("authz: no policy bundle: %w", err)
	}
	e, err := assemble(Sources{Platforms: x.Platforms, Duties: duties}, x.Layers, b, &Problems{})
	if err != nil {
		return nil, fmt.Errorf("authz: policy bundle: %w", err)
	}
	return e, nil
}

// sentences leaves out those that explain what a company says otherwise now: they are true of the shipped lines.
func (b *book) sentences() map[string]*sentence {
	out := map[string]*sentence{}
	for id, s := range b.texts {
		if !b.company[id] || !b.teller[id].shipped() {
			out[id] = s
		}
	}
	return out
}

// newPolicy numbers the rules of a version.
func newPolicy(b []byte, book *book) *Policy {
	sum := sha256.Sum256(b)
	p := &Policy{bundle: b, version: hex.EncodeToString(sum[:]), texts: book.sentences()}
	for i, l := range book.lines {
		r := l.rule()
		copy(r.ID[:12], sum[:])
		binary.BigEndian.PutUint32(r.ID[12:], uint32(i))
		p.rules = append(p.rules, r)
		p.replaced = append(p.replaced, book.replaced(l))
	}
	return p
}
