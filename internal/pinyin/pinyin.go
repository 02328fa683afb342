// Package pinyin spells Chinese names in Latin letters: for the order of lists, which must be the same on both
// databases and therefore rests on a stored key and not on a collation (TRUST: "Sorting"), and for account names
// that show whose they are (账号命名规范, R-105, R-106).
//
// A character may have several readings. As a surname it has one: 单 is dan, but 单晓雨 is Shan Xiaoyu. So the names
// of persons go through [Person] and [AccountName], everything else through [Text].
package pinyin

import (
	"regexp"
	"strings"
	"sync"
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
		b.WriteString(plain(token))
	}
	return b.String() + employeeNo
}

// Obeys reports whether an account name holds to the naming rule: the pinyin of the name in any of its readings, for the
// company may know better than a table how somebody is called, then the employee number, and -2, -3 … where another
// has that name already.
func Obeys(account, name, employeeNo string) bool {
	account = clash.ReplaceAllString(account, "$1")
	letters, ok := strings.CutSuffix(account, employeeNo)
	if !ok {
		return false
	}
	return reads(letters, strings.TrimSpace(name), true)
}

var clash = regexp.MustCompile(`^(.*)-[1-9][0-9]{0,3}$`)

// reads reports whether letters spell a name; first: it may begin with a surname.
func reads(letters, name string, first bool) bool {
	if name == "" {
		return letters == ""
	}
	if first {
		for length := 1; length <= 2; length++ {
			surname, rest := cut(name, length)
			if reading, ok := surnames[surname]; ok {
				if after, ok := strings.CutPrefix(letters, strings.ReplaceAll(reading, " ", "")); ok && reads(after, rest, false) {
					return true
				}
			}
		}
	}
	r, size := utf8.DecodeRuneInString(name)
	rest := name[size:]
	readings := pinyin.SinglePinyin(r, heteronyms)
	if len(readings) == 0 {
		return strings.HasPrefix(letters, plain(string(unicode.ToLower(r)))) && reads(letters[len(plain(string(unicode.ToLower(r)))):], rest, false)
	}
	for _, reading := range readings {
		for _, spelled := range []string{reading, strings.ReplaceAll(reading, "v", "u"), strings.ReplaceAll(reading, "v", "yu")} {
			if after, ok := strings.CutPrefix(letters, spelled); ok && reads(after, rest, false) {
				return true
			}
		}
	}
	return false
}

// plain is what of a token has a place in an account name.
func plain(token string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(token) {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			b.WriteRune(r)
		}
	}
	return b.String()
}

var heteronyms = func() pinyin.Args { a := pinyin.NewArgs(); a.Heteronym = true; return a }()

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
		switch syllable := spellOne(r); {
		case syllable != "":
			end()
			tokens = append(tokens, syllable)
		case unicode.IsSpace(r):
			end()
		default:
			run.WriteRune(unicode.ToLower(r))
		}
	}
	end()
	return tokens
}

// spellOne is the syllable of a Han character; "" of any other. The table has tones and takes them off by a regular
// expression each time, a microsecond or more a character, so that what was asked for is remembered: there are some
// 40,000 at most.
func spellOne(r rune) string {
	if s, ok := syllables.Load(r); ok {
		return s.(string)
	}
	s := pinyin.SinglePinyin(r, toneless)
	if len(s) == 0 {
		return ""
	}
	syllables.Store(r, s[0])
	return s[0]
}

var syllables sync.Map // of rune to string

var toneless = pinyin.NewArgs()
