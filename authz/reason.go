package authz

import (
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

// Ids of sentences that belong to no rule: what is said of an outcome where no deciding rule has a sentence, and of a
// refusal for want of any line that allows.
const (
	textAllow   = "outcome.allow"
	textReview  = "outcome.review"
	textDeny    = "outcome.deny"
	textNothing = "outcome.nothing_allows"
)

var outcomeTexts = []string{textAllow, textReview, textDeny, textNothing}

// Reason is one sentence for a person about a decision that an [Engine] made. It says nothing of the people and facts
// behind it, so it may be shown to whoever may see the decision.
func Reason(d Decision, l fault.Language) string {
	if d.policy == nil {
		return ""
	}
	names := make([]string, len(d.Rules))
	for i, r := range d.Rules {
		names[i] = r.Name
	}
	return d.policy.reason(d.Outcome, names, l)
}

func (p *Policy) reason(o im.Outcome, rules []string, l fault.Language) string {
	for _, name := range rules {
		if s := p.texts[name]; s != nil {
			return s[l]
		}
	}
	id := textDeny
	switch {
	case o == im.Allow:
		id = textAllow
	case o == im.Review:
		id = textReview
	case len(rules) == 0:
		id = textNothing
	}
	if s := p.texts[id]; s != nil {
		return s[l]
	}
	return string(o)
}
