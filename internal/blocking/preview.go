package blocking

import (
	"context"

	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// Preview is what a wish would come to, were it wished now.
type Preview struct {
	Result
	Risk      Risk
	OpenValue int64 // of the contact's open opportunities, in hundredths of Currency
	Currency  string
	Advice    []string // keys of sentences: what it does not do, and what may serve better
}

// noReason stands for a reason where none has to be given.
const noReason = "-"

// Preview works a wish out as Block does and writes nothing of it but the decisions that were asked for, so that it cannot tell
// anything else than what would happen.
func (s *Service) Preview(ctx context.Context, c Call, in BlockInput) (Preview, error) {
	p := Preview{Risk: Risk{Level: im.RiskNone}, Currency: s.o.Currency}
	if res, refused, err := s.persons(ctx, c, actionOf(in.Kind), in.Target); refused || err != nil {
		p.Result = res
		return p, err
	}
	if in.Reason == "" {
		in.Reason = noReason
	}
	w, err := s.wish(ctx, c, in)
	if err != nil {
		return p, err
	}
	p.Result = w.previewed()
	p.OpenValue, p.Advice = w.facts.OpenValue, advise(in, w.facts)
	var asked ledger.Unit
	for i, part := range p.Parts {
		p.Risk = worst(p.Risk, part.Risk)
		p.Parts[i].Decision.AskedBy = c.Viewer.ID()
		asked.Decisions = append(asked.Decisions, p.Parts[i].Decision)
	}
	return p, s.store.Post(ctx, asked)
}

// previewed is the result as a preview has it: of what would be made nothing has an id.
func (w wished) previewed() Result {
	res := w.res
	for i := range res.Parts {
		res.Parts[i].Preview = true
	}
	return res
}

// advise tells a block from what it is not: keys of sentences.
func advise(in BlockInput, f BlockFacts) (keys []string) {
	add := func(key string, when bool) {
		if when {
			keys = append(keys, key)
		}
	}
	add("advice_block", f.Found && in.Kind == im.Block)
	add("advice_isolation", f.Found && in.Kind == im.Isolation)
	add("advice_blacklist", f.Found && in.Kind == im.Blacklist)
	add("advice_group_block", f.Found && in.Kind == im.GroupBlock)
	add("advice_hand_over", f.Contact != nil && (f.Contact.Importance == im.KeyContact || f.OpenValue > 0))
	add("advice_delete", f.Contact != nil)
	add("advice_leave", f.Member != nil)
	return keys
}
