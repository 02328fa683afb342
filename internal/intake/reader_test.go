package intake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

// read reads a whole file, each row as "line type name=text,…" or "line !key".
func read(t testing.TB, file string) (rows []string, err error) {
	t.Helper()
	var i im.Import
	if err := Survey(strings.NewReader(file), &i); err != nil {
		return nil, err
	}
	r, err := NewReader(strings.NewReader(file), Encoding(i.Encoding))
	if err != nil {
		return nil, err
	}
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		s := fmt.Sprint(row.Line, " ", row.Type)
		if row.Fault != nil {
			s = fmt.Sprint(row.Line, " !", row.Fault.Key)
		} else {
			for _, f := range row.Fields {
				s += " " + f.Name + "=" + f.Text + strings.Join(f.List, ";")
			}
		}
		rows = append(rows, s)
	}
}

func gb(t testing.TB, s string) string {
	t.Helper()
	out, err := simplifiedchinese.GB18030.NewEncoder().String(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestReader(t *testing.T) {
	long := strings.Repeat("x", MaxRow)
	for _, c := range []struct {
		name, file string
		want       []string
		key        string // of the fault of the file
	}{
		{"lines", "{\"type\":\"member\",\"rank\":3,\"roles\":[\"a\",\"b\"]}\n\n  {\"type\":\"x\"}", []string{"1 member rank=3 roles=a;b", "3 x"}, ""},
		{"header of lines", "{\"type\":\"header\",\"complete\":true}\n{\"a\":\"b\"}\n", []string{"2  a=b"}, ""},
		{"csv", "type,name\r\nmember,张三\r\n,\"a,\"\"b\"\"\nc\"\r\n", []string{"2 member name=张三", "3  name=a,\"b\"\nc"}, ""},
		{"byte order mark", "\ufeffname\n张三\n", []string{"2  name=张三"}, ""},
		{"GB18030", gb(t, "name\n张三\n"), []string{"2  name=张三"}, ""},
		{"GB18030 with letters that are syntax in ASCII", gb(t, "{\"name\":\"俓俔俖\"}\n"), []string{"1  name=俓俔俖"}, ""},
		{"one torn byte in UTF-8", "name\n张三李四\n王\xff五\n赵六\n", []string{"2  name=张三李四", "3 !import_encoding", "4  name=赵六"}, ""},
		{"UTF-8 cut in a character", "name\n张三\n李\xe5\x9b", []string{"2  name=张三", "3 !import_encoding"}, ""},
		{"torn GB18030", gb(t, "name\n张三\n李四\n") + "\xc1\n", []string{"2  name=张三", "3  name=李四", "4 !import_encoding"}, ""},
		{"formula cells", "name,phone\n=cmd|' /C calc'!A0,+86\n@x,-1\n", []string{"2  name==cmd|' /C calc'!A0 phone=+86", "3  name=@x phone=-1"}, ""},
		{"half a row", "a,b\n1,2\n3", []string{"2  a=1 b=2", "3 !import_columns"}, ""},
		{"half a line", "{\"a\":\"b\"}\n{\"a\":\"", []string{"1  a=b", "2 !import_json_end"}, ""},
		{"open quote", "a\n\"b\nc\nd\n", []string{"2 !import_quote_open", "3  a=c", "4  a=d"}, ""},
		{"stray quotes", "a,b\nx\"y,2\n\"x\"y,2\n3,4\n", []string{"2 !import_quote_stray", "3 !import_quote_stray", "4  a=3 b=4"}, ""},
		{"long row", "a\n" + long + "\nb\n", []string{"2 !import_row_long", "3  a=b"}, ""},
		{"much longer row", "a\n" + strings.Repeat(long, 9) + "\nb\n", []string{"2 !import_row_long", "3  a=b"}, ""},
		{"long quoted row", "a\n\"" + strings.Repeat("x\n", MaxRow/2) + "\"\n", nil, "many"},
		{"nested", "{\"a\":{\"b\":1}}\n{\"a\":1}\n", []string{"1 !import_json", "2  a=1"}, ""},
		{"twice", "{\"a\":1,\"a\":2}\n", []string{"1 !import_field_twice"}, ""},
		{"no number", "{\"a\":01}\n{\"a\":NaN}\n{\"a\":-1.5e3}\n", []string{"1 !import_json", "2 !import_json", "3  a=-1.5e3"}, ""},
		{"empty", "", nil, "import_empty"},
		{"blank", " \n\r\n", nil, "import_empty"},
		{"UTF-16", "\xff\xfea\x00", nil, "import_utf16"},
		{"header with a hole", "a,,b\n", nil, "import_header"},
		{"header twice", "a,a\n", nil, "import_header"},
		{"header with an open quote", "a,\"b\n", nil, "import_quote_open"},
		{"header of lines misspelt", "{\"type\":\"header\",\"complet\":true}\n", nil, "import_field_near"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := read(t, c.file)
			if c.key == "many" { // it is not the quote's end that is found, but its row's limit
				if err != nil || len(got) < MaxRow/2 || got[0] != "2 !import_quote_open" {
					t.Fatalf("%d rows, %v", len(got), err)
				}
				return
			}
			key := ""
			if err != nil {
				key = fault.As(err).Key
			}
			if key != c.key {
				t.Fatalf("fault %q, want %q: %v", key, c.key, err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A file may come in pieces of any size.
func TestSniffPieces(t *testing.T) {
	for text, want := range map[string]Encoding{"a张三b李四": UTF8, gb(t, "a张三b李四"): GB18030, "abc": UTF8, "张\xff": UTF8} {
		for size := 1; size < 5; size++ {
			s := &Sniffer{}
			for b := []byte(text); len(b) > 0; b = b[min(size, len(b)):] {
				_, _ = s.Write(b[:min(size, len(b))])
			}
			if got, err := s.Encoding(); err != nil || got != want {
				t.Errorf("%q in pieces of %d: %s %v, want %s", text, size, got, err, want)
			}
		}
	}
}

func FuzzReader(f *testing.F) {
	for _, s := range []string{"a,b\n1,\"2\n", "{\"a\":[1,\"x\"]}\n{", "\xef\xbb\xbfa\n\xc1\xd5\n", "a\n\"\"\"\n\"\"\n", "\"a\"\"\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var i im.Import
		if err := Survey(strings.NewReader(string(b)), &i); err != nil {
			return
		}
		r, err := NewReader(strings.NewReader(string(b)), Encoding(i.Encoding))
		if err != nil {
			if fault.As(err).Code != fault.InvalidInput {
				t.Fatal(err)
			}
			return
		}
		last := 0
		d := &Directory{}
		for {
			row, err := r.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if row.Line <= last {
				t.Fatalf("line %d after %d", row.Line, last)
			}
			last = row.Line
			if row.Fault == nil {
				d.Key(&row)
				d.Person(&row)
			} else if row.Fault.Text(fault.Chinese) == string(row.Fault.Code) {
				t.Fatalf("no sentence for %s", row.Fault.Key)
			}
		}
	})
}

// What is read as an object is what the standard library reads.
func FuzzObject(f *testing.F) {
	for _, s := range []string{`{"a":"b","c":[1,"x"],"d":null,"e":true,"f":-1.5e3}`, `{"a":"\u00e9\n\ud800"}`, `{}`, ` { "a" : [ ] } `} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		fields, bad := parseObject(s)
		if bad != nil {
			return
		}
		d := json.NewDecoder(strings.NewReader(s))
		d.UseNumber()
		var want map[string]any
		if err := d.Decode(&want); err != nil {
			t.Fatalf("%q is no JSON: %v", s, err)
		}
		text := func(v any) string {
			if v == nil {
				return ""
			}
			return fmt.Sprint(v)
		}
		if len(want) != len(fields) {
			t.Fatalf("%q: %d fields, want %d", s, len(fields), len(want))
		}
		for _, x := range fields {
			name, err := json.Marshal(x.Name)
			if err != nil {
				t.Fatal(err)
			}
			var key string
			_ = json.Unmarshal(name, &key) // as the library writes what is no UTF-8
			switch v := want[key].(type) {
			case []any:
				for i := range v {
					if clean(text(v[i])) != clean(x.List[i]) {
						t.Fatalf("%q: %s[%d] is %q, want %q", s, key, i, x.List[i], v[i])
					}
				}
			default:
				if clean(text(v)) != clean(x.Text) {
					t.Fatalf("%q: %s is %q, want %q", s, key, x.Text, v)
				}
			}
		}
	})
}

func clean(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func TestPack(t *testing.T) {
	ids := im.NewIDs(clock)
	batch, _ := im.BatchOf(ids.New())
	var want []Verdict
	for i := range 300 {
		v := Verdict{ID: im.RowOf(batch, i), Line: 5 + 3*i, Verdict: verdicts[i%len(verdicts)]}
		if kind := subjects[i%len(subjects)]; kind != "" {
			v.Subject = im.Ref{Kind: kind, ID: ids.New()}
		}
		want = append(want, v)
	}
	packed := Pack(want)
	got, err := Unpack(batch, packed)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
	if n := len(packed) / len(want); n > 18 {
		t.Errorf("%d bytes a row", n)
	}
	if _, err := Unpack(batch, packed[:len(packed)-1]); err == nil {
		t.Error("a torn batch is read")
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte{1, 0, 2, 17})
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = Unpack(im.ID{}, b) })
}

func TestSaid(t *testing.T) {
	var s said
	for round := range 2 {
		for i := range uint64(50_000) {
			if again := s.again(i * 0x9e3779b97f4a7c15); again != (round == 1) {
				t.Fatalf("round %d: %d: %v", round, i, again)
			}
		}
	}
}

func clock() time.Time { return time.Date(2026, 11, 20, 1, 30, 0, 0, time.UTC) }

// FuzzListed: whatever a blacklist says, a row is refused or names a contact in one way, and within the limits.
func FuzzListed(f *testing.F) {
	for _, s := range []string{"platform_id,reason,expires_at\nwm_a,x,2027-01-02\n", "name,company,reason\n张三,海康,骚扰\n,海康,x\n", "platform_id,name,company,reason\n,张三,海康,=1\n",
		"platform_id,reason\n\"wm\n_a\",x\nwm_a\n", "reason\nx\n"} {
		f.Add([]byte(s))
		f.Add([]byte(gb(f, s)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var i im.Import
		if Survey(bytes.NewReader(b), &i) != nil {
			return
		}
		r, err := NewReader(bytes.NewReader(b), Encoding(i.Encoding))
		if err != nil || (&Blacklist{}).Check(r.Header) != nil {
			return
		}
		for {
			row, err := r.Next()
			if err != nil {
				return
			}
			l, bad := row.listed()
			if bad != nil {
				if bad.Key == "" {
					t.Errorf("line %d: refused without a reason", row.Line)
				}
				continue
			}
			if l.platformID == "" && (l.name == "" || l.company == "") {
				t.Errorf("line %d names nobody: %+v", row.Line, l)
			}
			for _, s := range []string{l.platformID, l.name, l.company, l.reason} {
				if !utf8.ValidString(s) || utf8.RuneCountInString(s) > 1000 || strings.TrimSpace(s) != s {
					t.Errorf("line %d: %q", row.Line, s)
				}
			}
		}
	})
}
