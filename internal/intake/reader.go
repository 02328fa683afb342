package intake

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/guanxi-im/guanxi/internal/fault"
)

// Limits of a file. A row that is over one is refused; the others are read.
const (
	MaxRow    = 64 << 10 // bytes of a row, line ends included
	MaxFields = 48
	maxText   = 1 << 10 // of a row that is kept to be shown
)

// typeField says what a row is.
const typeField = "type"

// Reader reads the rows of a file: JSON Lines where the first character that is no space opens an object, else CSV with
// a header. A row that cannot be read comes with its fault, and reading goes on at the next line.
type Reader struct {
	in     *bufio.Reader
	enc    Encoding
	line   int   // of the last line that was read
	unread *line // comes before those ahead
	ahead  []line
	csv    bool
	ended  bool
	Header []string // of a CSV file
	// Complete: the file says of itself that whoever is not in it is gone.
	Complete bool
}

// line is one line of the file without its end. A last line without one may be half of what it was to be.
type line struct {
	n     int
	text  string
	raw   int // its bytes in the file
	fault *fault.Error
}

// NewReader begins to read a file. It fails where it is none that holds rows.
func NewReader(r io.Reader, e Encoding) (*Reader, error) {
	f := &Reader{in: bufio.NewReaderSize(r, 256<<10), enc: e}
	if b, err := f.in.Peek(len(bom)); err == nil && bytes.Equal(b, bom) {
		_, _ = f.in.Discard(len(bom))
	}
	l, err := f.next()
	if errors.Is(err, io.EOF) {
		return nil, fault.Input("file", "import_empty")
	}
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(l.text, "{") {
		f.ahead = append(f.ahead, l)
		return f, f.preamble()
	}
	f.csv = true
	f.ahead = append(f.ahead, l)
	cells, _, _, bad := f.record()
	if bad != nil {
		return nil, at(l.n, bad)
	}
	if len(cells) == 1 && strings.Contains(cells[0], ";") {
		return nil, at(l.n, fault.Input("file", "import_parted"))
	}
	for i, c := range cells {
		c = strings.TrimSpace(c)
		if c == "" || slices.Contains(cells[:i], c) {
			return nil, at(l.n, fault.Input("file", "import_header", strconv.Itoa(i+1), cut(c, 40)))
		}
		cells[i] = c
	}
	if len(cells) > MaxFields {
		return nil, at(l.n, fault.Input("file", "too_many", strconv.Itoa(MaxFields), strconv.Itoa(len(cells))))
	}
	f.Header = cells
	return f, nil
}

// at puts the place in front of a fault of the file as a whole.
func at(line int, f *fault.Error) *fault.Error {
	g := *f
	g.Path = []string{"file", strconv.Itoa(line)}
	return &g
}

// preamble takes the first line of JSON Lines where it speaks of the file: {"type":"header","complete":true}.
func (f *Reader) preamble() error {
	l := f.ahead[0]
	if l.fault != nil {
		return nil
	}
	fields, bad := parseObject(l.text)
	if bad != nil {
		return nil // the row says so itself
	}
	row := Row{Line: l.n, Fields: fields}
	if row.Get(typeField) != "header" {
		return nil
	}
	f.ahead = nil
	form := form{row: &row}
	form.field(typeField)
	form.flag("complete", &f.Complete)
	if bad := form.done(); bad != nil {
		return at(l.n, bad)
	}
	return nil
}

// Next reads the next row; io.EOF after the last. Any other error is of reading the file.
func (f *Reader) Next() (Row, error) {
	if !f.csv {
		l, err := f.next()
		if err != nil {
			return Row{}, err
		}
		row := Row{Line: l.n, Text: clip(l.text), Fault: l.fault}
		if row.Fault == nil {
			row.Fields, row.Fault = parseObject(l.text)
		}
		row.takeType()
		return row, nil
	}
	l, err := f.next()
	if err != nil {
		return Row{}, err
	}
	f.unread = &l
	cells, n, text, bad := f.record()
	row := Row{Line: n, Text: clip(text), Fault: bad}
	if bad == nil && len(cells) != len(f.Header) {
		row.Fault = fault.Input("", "import_columns", strconv.Itoa(len(f.Header)), strconv.Itoa(len(cells)))
	}
	if row.Fault == nil {
		for i, c := range cells {
			if c != "" { // an empty cell says nothing
				row.Fields = append(row.Fields, Field{Name: f.Header[i], Text: c})
			}
		}
	}
	row.takeType()
	return row, nil
}

// takeType moves the type out of the fields.
func (r *Row) takeType() {
	for i, x := range r.Fields {
		if x.Name == typeField {
			r.Type = x.Text
			r.Fields = slices.Delete(r.Fields, i, i+1)
			return
		}
	}
}

func clip(s string) string {
	if len(s) > maxText {
		return strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return s
}

// next is the next line that is not empty.
func (f *Reader) next() (line, error) {
	for {
		l, err := f.physical()
		if err != nil || l.fault != nil || strings.TrimSpace(l.text) != "" {
			return l, err
		}
	}
}

// physical is the next line, empty or not.
func (f *Reader) physical() (line, error) {
	if l := f.unread; l != nil {
		f.unread = nil
		return *l, nil
	}
	if len(f.ahead) > 0 {
		l := f.ahead[0]
		f.ahead = f.ahead[1:]
		return l, nil
	}
	if f.ended {
		return line{}, io.EOF
	}
	b, err := f.in.ReadSlice('\n')
	size := len(b)
	long := size > MaxRow
	if errors.Is(err, bufio.ErrBufferFull) {
		long = true
		b = bytes.Clone(b[:maxText])
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = f.in.ReadSlice('\n')
		}
	}
	switch {
	case errors.Is(err, io.EOF):
		f.ended = true
		if size == 0 {
			return line{}, io.EOF
		}
	case err != nil:
		return line{}, fmt.Errorf("read file: %w", err)
	}
	f.line++
	l := line{n: f.line, raw: size}
	if long {
		l.text = strings.ToValidUTF8(string(b[:maxText]), "")
		l.fault = fault.Input("", "import_row_long", strconv.Itoa(MaxRow))
		return l, nil
	}
	text, ok := f.enc.decode(bytes.TrimRight(b, "\r\n"))
	l.text = text
	if !ok {
		l.text = strings.ToValidUTF8(text, "\uFFFD")
		l.fault = fault.Input("", "import_encoding", string(f.enc))
	}
	return l, nil
}

// record reads one record of CSV, which goes over several lines where a quoted cell does. Where it is broken, it is its
// first line, and what follows is read as lines of their own.
func (f *Reader) record() (cells []string, n int, text string, bad *fault.Error) {
	first, err := f.physical()
	if err != nil {
		return nil, f.line, "", fault.Wrap(err, "read file")
	}
	if first.fault != nil {
		return nil, first.n, first.text, first.fault
	}
	text, n = first.text, first.n
	size, more := first.raw, []line(nil)
	broken := func(key string, args ...string) ([]string, int, string, *fault.Error) {
		f.ahead = append(more, f.ahead...)
		return nil, n, first.text, fault.Input("", key, args...)
	}
	var cell strings.Builder
	for i := 0; ; {
		if i >= len(text) || text[i] != '"' { // a bare cell, to the next comma
			end := strings.IndexByte(text[i:], ',')
			if end < 0 {
				end = len(text) - i
			}
			bare := text[i : i+end]
			if q := strings.IndexByte(bare, '"'); q >= 0 {
				return broken("import_quote_stray", strconv.Itoa(i+q+1))
			}
			cells = append(cells, bare)
			i += end
		} else {
			open := i
			cell.Reset()
			for i++; ; {
				q := strings.IndexByte(text[i:], '"')
				if q < 0 { // it goes on in the next line
					l, err := f.physical()
					if err != nil || l.fault != nil || size+l.raw > MaxRow {
						if err == nil {
							more = append(more, l)
						}
						return broken("import_quote_open", strconv.Itoa(open+1))
					}
					more = append(more, l)
					size += l.raw
					text += "\n" + l.text
					continue
				}
				cell.WriteString(text[i : i+q])
				i += q + 1
				if i < len(text) && text[i] == '"' {
					cell.WriteByte('"')
					i++
					continue
				}
				break
			}
			if i < len(text) && text[i] != ',' {
				return broken("import_quote_stray", strconv.Itoa(i))
			}
			cells = append(cells, cell.String())
		}
		if len(cells) > MaxFields {
			return broken("too_many", strconv.Itoa(MaxFields), strconv.Itoa(len(cells)))
		}
		if i >= len(text) {
			return cells, n, text, nil
		}
		i++ // the comma
	}
}
