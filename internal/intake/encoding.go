package intake

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/guanxi-im/guanxi/internal/fault"
)

// Encoding is how the text of a file is written.
type Encoding string

// The encodings.
const (
	UTF8    Encoding = "UTF-8"
	GB18030 Encoding = "GB18030"
)

// Sniffer tells the encoding of a file from all of its bytes, as they pass. What is valid UTF-8, or has its byte order
// mark, is UTF-8. What is not may still be: one broken byte, or an end in the middle of a character, must not turn a
// whole file into other characters. So a file is GB18030 only where most of what is no ASCII makes no sense as UTF-8,
// which Chinese text in GB18030 hardly ever does.
type Sniffer struct {
	begin       []byte
	rest        []byte // of a character that the last write cut
	sound, torn int    // characters beyond ASCII that are UTF-8, and bytes that are in none
}

// Write takes what comes next.
func (s *Sniffer) Write(p []byte) (int, error) {
	n := len(p)
	if len(s.begin) < 3 {
		s.begin = append(s.begin, p[:min(len(p), 3-len(s.begin))]...)
	}
	if len(s.rest) > 0 {
		p = append(s.rest, p...)
		s.rest = nil
	}
	for len(p) > 0 {
		if p[0] < utf8.RuneSelf {
			p = p[1:]
			continue
		}
		if !utf8.FullRune(p) {
			s.rest = bytes.Clone(p)
			break
		}
		r, size := utf8.DecodeRune(p)
		if r == utf8.RuneError && size == 1 {
			s.torn++
		} else {
			s.sound++
		}
		p = p[size:]
	}
	return n, nil
}

var bom = []byte("\xef\xbb\xbf")

// Encoding is what has been found out. UTF-16 is refused.
func (s *Sniffer) Encoding() (Encoding, error) {
	switch {
	case bytes.HasPrefix(s.begin, []byte{0xff, 0xfe}), bytes.HasPrefix(s.begin, []byte{0xfe, 0xff}):
		return "", fault.Input("file", "import_utf16")
	case bytes.Equal(s.begin, bom), s.torn <= s.sound:
		return UTF8, nil
	}
	return GB18030, nil
}

// decode turns a line into UTF-8, strictly.
func (e Encoding) decode(line []byte) (string, bool) {
	if e != GB18030 {
		return string(line), utf8.Valid(line)
	}
	ascii := true
	for _, c := range line {
		if c >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if ascii {
		return string(line), true
	}
	out, err := simplifiedchinese.GB18030.NewDecoder().Bytes(line)
	s := string(out)
	return s, err == nil && !strings.ContainsRune(s, utf8.RuneError)
}
