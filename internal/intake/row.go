package intake

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

// Field is one field of a row. Text is what stands there; of a list, List.
type Field struct {
	Name string   `json:"n"`
	Text string   `json:"t,omitempty"`
	List []string `json:"l,omitempty"`
	Null bool     `json:"x,omitempty"`
}

// Row is one row of a file, still unjudged.
type Row struct {
	Line   int          `json:"line"` // where it begins, from 1
	Type   string       `json:"type,omitempty"`
	Fields []Field      `json:"fields,omitempty"`
	Fault  *fault.Error `json:"-"`               // it could not be read
	Text   string       `json:"text,omitempty"`  // as the file has it, in UTF-8 and cut short
	ID     im.ID        `json:"id,omitzero"`     // of its verdict
	Again  bool         `json:"again,omitempty"` // a line before it is about the same
}

// Get is the text of a field, "" where there is none.
func (r *Row) Get(name string) string {
	for i := range r.Fields {
		if r.Fields[i].Name == name {
			return r.Fields[i].Text
		}
	}
	return ""
}

// form takes the fields of a row out by name. It keeps the first fault, and knows which fields nobody asked for.
type form struct {
	row   *Row
	taken uint64
	asked []string
	fault *fault.Error
}

func (f *form) refuse(path, key string, args ...string) {
	if f.fault == nil {
		f.fault = fault.Input(path, key, args...)
	}
}

// field finds a field that says something.
func (f *form) field(name string) *Field {
	f.asked = append(f.asked, name)
	for i := range f.row.Fields {
		if f.row.Fields[i].Name == name {
			f.taken |= 1 << i
			return &f.row.Fields[i]
		}
	}
	return nil
}

// text takes a text of at most limit characters, where the row says one.
func (f *form) text(name string, into *string, limit int) {
	x := f.field(name)
	if x == nil {
		return
	}
	if x.List != nil {
		f.refuse(name, "import_no_list", name)
		return
	}
	if f.plain(name, x.Text, limit) {
		*into = strings.TrimSpace(x.Text)
	}
}

// plain refuses what no text may hold.
func (f *form) plain(name, s string, limit int) bool {
	if n := utf8.RuneCountInString(s); n > limit {
		f.refuse(name, "import_long", name, strconv.Itoa(limit), strconv.Itoa(n))
		return false
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		f.refuse(name, "import_control", name)
		return false
	}
	return true
}

// need is text for a field that must be there.
func (f *form) need(name string, limit int) (s string) {
	f.text(name, &s, limit)
	if s == "" {
		f.refuse(name, "import_required", name)
	}
	return s
}

// list takes a list; in CSV its entries stand in one cell with semicolons between them.
func (f *form) list(name string, into *[]string, most, limit int) {
	x := f.field(name)
	if x == nil {
		return
	}
	all := x.List
	if all == nil {
		all = strings.FieldsFunc(x.Text, func(r rune) bool { return r == ';' || r == '；' })
	}
	if len(all) > most {
		f.refuse(name, "too_many", strconv.Itoa(most), strconv.Itoa(len(all)))
		return
	}
	out := []string{}
	for _, s := range all {
		s = strings.TrimSpace(s)
		if !f.plain(name, s, limit) {
			return
		}
		if s != "" {
			out = append(out, s)
		}
	}
	*into = out
}

// number takes a whole number.
func (f *form) number(name string, into *int, least, most int) {
	x := f.field(name)
	if x == nil || x.Null {
		return
	}
	n, err := strconv.Atoi(x.Text)
	if err != nil || n < least || n > most {
		f.refuse(name, "import_number", name, cut(x.Text, 40), strconv.Itoa(least), strconv.Itoa(most))
		return
	}
	*into = n
}

// amount takes an amount of money with at most two decimals, as hundredths.
func (f *form) amount(name string, into *int64) {
	x := f.field(name)
	if x == nil {
		return
	}
	whole, cents, _ := strings.Cut(x.Text, ".")
	n, err := strconv.ParseUint(whole+(cents + "00")[:2], 10, 62)
	if err != nil || len(cents) > 2 || whole == "" {
		f.refuse(name, "import_amount", name, cut(x.Text, 40))
		return
	}
	*into = int64(n)
}

// flag takes true or false.
func (f *form) flag(name string, into *bool) {
	x := f.field(name)
	if x == nil {
		return
	}
	switch strings.ToLower(x.Text) {
	case "true", "1", "yes", "是":
		*into = true
	case "false", "0", "no", "否":
		*into = false
	default:
		f.refuse(name, "import_flag", name, cut(x.Text, 40))
	}
}

// moment takes a time with its offset, or a day, which begins at midnight UTC.
func (f *form) moment(name string, into *time.Time) {
	x := f.field(name)
	if x == nil {
		return
	}
	t, err := time.Parse(time.RFC3339Nano, x.Text)
	if err != nil {
		t, err = time.Parse(time.DateOnly, x.Text)
	}
	if err != nil || t.Year() < 1970 || t.Year() > 9999 {
		f.refuse(name, "import_moment", name, cut(x.Text, 40))
		return
	}
	*into = t.UTC().Truncate(time.Microsecond)
}

// oneOf takes one of some words.
func oneOf[T ~string](f *form, name string, into *T, words ...T) {
	x := f.field(name)
	if x == nil {
		return
	}
	var all []string
	for _, w := range words {
		if strings.EqualFold(x.Text, string(w)) {
			*into = w
			return
		}
		all = append(all, string(w))
	}
	f.refuse(name, "fact_value", name, cut(x.Text, 40), strings.Join(all, ", "))
}

// done refuses fields that nobody asked for: a misspelt one would else be lost without a word.
func (f *form) done() *fault.Error {
	for i, x := range f.row.Fields {
		if f.taken&(1<<i) == 0 {
			f.fault = nil // it is why another one is missing, more often than not
			near, best := "", 3
			for _, a := range f.asked {
				if d := levenshtein.ComputeDistance(strings.ToLower(a), strings.ToLower(x.Name)); d < best {
					near, best = a, d
				}
			}
			if near != "" {
				f.refuse(x.Name, "import_field_near", cut(x.Name, 40), near)
			} else {
				f.refuse(x.Name, "import_field", cut(x.Name, 40), f.row.Type, strings.Join(f.asked, ", "))
			}
			break
		}
	}
	return f.fault
}

// cut shortens what is repeated to people.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}
