package intake

import (
	"context"
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
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
			err := out.Write([]string{strconv.Itoa(v.Line), string(f.Code), harmless(strings.Join(f.Path, ".")), harmless(f.Text(l)), harmless(v.Text)})
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

// harmless is a cell that no spreadsheet takes for a formula: one that begins like one is quoted by an apostrophe. See
// https://owasp.org/www-community/attacks/CSV_Injection.
func harmless(cell string) string {
	if strings.IndexFunc(cell, func(r rune) bool { return strings.ContainsRune("=+-@\t\r\n＝＋－＠", r) }) == 0 {
		return "'" + cell
	}
	return cell
}
