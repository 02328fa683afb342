// Package pinyin spells Chinese names in Latin letters: for the order of lists, which must be the same on both
// databases and therefore rests on a stored key and not on a collation (TRUST: "Sorting"), and for account names
// that show whose they are (账号命名规范, R-105, R-106).
//
// A character may have several readings. As a surname it has one: 单 is dan, but 单晓雨 is Shan Xiaoyu. So the names
// of persons go through [Person] and [AccountName], everything else through [Text].
package pinyin

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mozillazg/go-pinyin"
	"golang.org/x/text/unicode/norm"
)

// separator stands below a space, so that 李 sorts before 李强.
const separator = "\x1f"

// maxKey is how many bytes a key may take up in an index.
const maxKey = 400

// Person is the key by which the name of a person sorts among others: its syllables without tones, as a surname
// where it begins with one, then the unit separator and the name itself, so that names which sound alike keep one order.
// Letters are lower-case and ü is v. Keys compare byte by byte; none is longer than 400 bytes.
func Person(name string) string { return key(name, spellPerson(strings.TrimSpace(name))) }

// Text is [Person] for what is no person: departments, groups, companies.
func Text(name string) string { return key(name, spell(name)) }

// AccountName is the account name that the naming rule gives a person: the whole pinyin of the name, then the
// employee number (姓名全拼+工号, R-105). 张三 with 001 is zhangsan001. What is neither Han nor a Latin letter or
// digit has no place in an account name and is left out, as are accents.
func AccountName(name, employeeNo string) string {
	var b strings.Builder
	for _, token := range spellPerson(strings.TrimSpace(name)) {
		for _, r := range norm.NFKD.String(token) {
			if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
				b.WriteRune(r)
			}
		}
	}
	return b.String() + employeeNo
}

func key(name string, tokens []string) string {
	k := strings.Join(tokens, " ") + separator + strings.ToValidUTF8(name, "\uFFFD")
	if len(k) <= maxKey {
		return k
	}
	end := maxKey
	for !utf8.RuneStart(k[end]) {
		end--
	}
	return k[:end]
}

// spellPerson spells a name that may begin with a surname.
func spellPerson(name string) []string {
	for length := 2; length > 0; length-- {
		surname, rest := cut(name, length)
		if reading, ok := surnames[surname]; ok {
			return append(strings.Fields(reading), spell(rest)...)
		}
	}
	return spell(name)
}

// cut takes n characters off the front of s, or all there are.
func cut(s string, n int) (front, rest string) {
	end := 0
	for ; n > 0 && end < len(s); n-- {
		_, size := utf8.DecodeRuneInString(s[end:])
		end += size
	}
	return s[:end], s[end:]
}

// spell gives a syllable for each Han character and one token, lower-case, for each run of anything else without
// spaces.
func spell(s string) []string {
	var tokens []string
	var run strings.Builder
	end := func() {
		if run.Len() > 0 {
			tokens = append(tokens, run.String())
			run.Reset()
		}
	}
	for _, r := range s {
		switch syllable := pinyin.SinglePinyin(r, toneless); {
		case len(syllable) > 0:
			end()
			tokens = append(tokens, syllable[0])
		case unicode.IsSpace(r):
			end()
		default:
			run.WriteRune(unicode.ToLower(r))
		}
	}
	end()
	return tokens
}

var toneless = pinyin.NewArgs()
