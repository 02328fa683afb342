package intake

import (
	"context"
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/sheet"
)

// WriteErrors writes the refused rows of an import as CSV that a spreadsheet opens without running anything.
func (s *Service) WriteErrors(ctx context.Context, w io.Writer, imp im.ID, l fault.Language) error {
	if _, err := w.Write(bom); err != nil { // or spreadsheets take it for another encoding
		return err
	}
	out := csv.NewWriter(w)
	_ = out.Write([]string{"line", "code", "field", "message", "row"})
	const some = 1000
	for after := 0; ; {
		rows, err := s.Rejected(ctx, imp, after, some)
		if err != nil {
			return err
		}
		for _, v := range rows {
			after = v.Line
			f := v.Note
			if f == nil {
				f = &fault.Error{}
			}
			err := out.Write([]string{strconv.Itoa(v.Line), string(f.Code), sheet.Inert(strings.Join(f.Path, ".")), sheet.Inert(s.Sentence(f, l)), sheet.Inert(v.Text)})
			if err != nil {
				return err
			}
		}
		if len(rows) < some {
			break
		}
	}
	out.Flush()
	return out.Error()
}

// ruleNames are the names of the rules that decided. The note of a row keeps them: of a dry run there is no decision to look up.
func ruleNames(decisions []im.Decision) (names []string) {
	for _, d := range decisions {
		for _, r := range d.Rules {
			names = append(names, r.Name)
		}
	}
	return names
}

// Sentence says to a person why a row was refused: where policy did, in the words of the rules that did.
func (s *Service) Sentence(f *fault.Error, l fault.Language) string {
	if f.Key != "policy_denied" || len(f.Args) == 0 || s.o.Policy == nil {
		return f.Text(l)
	}
	rules := make([]im.RuleRef, len(f.Args))
	for i, name := range f.Args {
		rules[i].Name = name
	}
	return s.o.Policy.Engine().Reason(im.Deny, rules, l)
}
