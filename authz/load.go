package authz

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"errors"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/guanxi-im/guanxi/internal/im"
)

const (
	maxFile  = 1 << 20 // bytes
	maxLayer = 8 << 20
	maxLine  = 4 << 10
)

// The names of layers. That of a platform is platformPrefix and its domain.
const (
	GuardLayer     = "guard"
	DefaultLayer   = "default"
	CompanyLayer   = "company"
	platformPrefix = "platform:"
	regionPrefix   = "region:"
)

// PlatformLayer is the name of a platform's layer.
func PlatformLayer(platform string) string { return platformPrefix + platform }

// RegionLayer is the name of a region's layer.
func RegionLayer(region string) string { return regionPrefix + region }

// region is whose layer it is; empty: no region's.
func (l bundledLayer) region() string {
	if r, ok := strings.CutPrefix(l.Name, regionPrefix); ok {
		return r
	}
	return ""
}

// shipped reports whether the layer comes with the product.
func (l bundledLayer) shipped() bool { return l.Name != CompanyLayer && l.region() == "" }

const (
	reasonsFile = "reasons.csv"
	regionsDir  = "regions"
)

// Company is the layers of a company's directory: its own files, and those of each region in regions/NAME.
func Company(files fs.FS) ([]Layer, error) {
	out := []Layer{{Name: CompanyLayer, Files: files}}
	entries, err := fs.ReadDir(files, regionsDir)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	for _, e := range entries {
		if e.Name()[0] == '.' || !e.IsDir() {
			continue
		}
		of, err := fs.Sub(files, regionsDir+"/"+e.Name())
		if err != nil {
			return nil, err
		}
		out = append(out, Layer{Name: RegionLayer(e.Name()), Files: of})
	}
	return out, err
}

// validRegion is what a region may be called, as the directory calls it: letters of any script.
var validRegion = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{N}_-]{0,63}$`)

// layerOrder is the order in which layers are read.
func layerOrder(name string) int {
	switch {
	case name == GuardLayer:
		return 0
	case name == DefaultLayer:
		return 1
	case strings.HasPrefix(name, platformPrefix):
		return 2
	}
	if strings.HasPrefix(name, regionPrefix) {
		return 3
	}
	return 4
}

// gather reads the files of all layers, sorted.
func gather(s Sources, problems *Problems) []bundledLayer {
	platforms := map[string]bool{}
	for _, p := range s.Platforms {
		if platforms[p.Name] || !validName.MatchString(p.Name) || p.Name == elsewhere {
			problems.add("platforms", 0, 0, "%q is given twice or is no name of a platform", p.Name)
		}
		platforms[p.Name] = true
	}
	var out []bundledLayer
	for _, l := range s.Layers {
		region, regional := strings.CutPrefix(l.Name, regionPrefix)
		named := l.Name == GuardLayer || l.Name == DefaultLayer || l.Name == CompanyLayer || regional
		switch {
		case slices.ContainsFunc(out, func(o bundledLayer) bool { return o.Name == l.Name }):
			problems.add(l.Name, 0, 0, "the layer is given twice")
			continue
		case named != (l.Domain == "") || !named && l.Name != platformPrefix+l.Domain:
			problems.add(l.Name, 0, 0, "expected a layer called guard, default, company, region: and its name, or platform: and its domain %q", l.Domain)
			continue
		case regional && !validRegion.MatchString(region):
			problems.add(l.Name, 0, 0, "%q is no name of a region; expected letters, digits, _ and -", region)
			continue
		case l.Domain != "" && !platforms[l.Domain]:
			problems.add(l.Name, 0, 0, "there is no platform %q", l.Domain)
			continue
		case l.Files == nil:
			problems.add(l.Name, 0, 0, "the layer has no files")
			continue
		}
		out = append(out, l.gather(problems))
	}
	slices.SortStableFunc(out, func(a, b bundledLayer) int {
		return cmp.Or(cmp.Compare(layerOrder(a.Name), layerOrder(b.Name)), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// gather reads the files of a layer, sorted.
func (l Layer) gather(problems *Problems) bundledLayer {
	out := bundledLayer{Name: l.Name, Domain: l.Domain}
	entries, err := fs.ReadDir(l.Files, ".")
	if err != nil { // a directory that went away is not one that was emptied
		if at := (*fs.PathError)(nil); errors.As(err, &at) {
			err = at.Err // its path is that within the directory: a dot
		}
		problems.add(cmp.Or(l.Dir, l.Name), 0, 0, "the directory cannot be read: %v", err)
		return out
	}
	size := 0
	for _, e := range entries {
		name := e.Name()
		if !IsPolicyFile(name) {
			continue
		}
		if path.Ext(name) != ".csv" {
			problems.add(l.shown(name), 0, 0, "only names that end in .csv, in small letters, are read; rename the file")
			continue
		}
		text, err := readFile(l.Files, name)
		if err != nil {
			problems.add(l.shown(name), 0, 0, "cannot be read: %v", err)
			continue
		}
		if size += len(text); size > maxLayer {
			problems.add(l.shown(name), 0, 0, "the files up to this one are over 8 MiB together")
			break
		}
		out.Files = append(out.Files, document{Path: l.shown(name), Text: text})
	}
	slices.SortFunc(out.Files, func(a, b document) int { return strings.Compare(a.Path, b.Path) })
	return out
}

// IsPolicyFile reports whether a file is taken for policy by its name. Those that editors and operating systems put beside
// a file (._x.csv, .#x.csv, ~$x.csv) are not.
func IsPolicyFile(name string) bool {
	return strings.EqualFold(path.Ext(name), ".csv") && name[0] != '.' && !strings.HasPrefix(name, "~$")
}

// shown is how people know the file: by its path in the sources, or by its name in the company's directory.
func (l Layer) shown(name string) string {
	switch {
	case l.Domain != "":
		return "adapters/" + l.Domain + "/" + name
	case l.Name == CompanyLayer:
		return name
	case strings.HasPrefix(l.Name, regionPrefix):
		return regionsDir + "/" + strings.TrimPrefix(l.Name, regionPrefix) + "/" + name
	}
	return "authz/policies/" + name
}

// readFile reads one byte more than a file may have at the most.
func readFile(files fs.FS, name string) (string, error) {
	info, err := fs.Stat(files, name)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() { // to open a pipe would wait for who writes into it
		return "", errors.New("it is no file")
	}
	f, err := files.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	return string(b), err
}

// line is a record of a CSV file. A record stands on one line, so that a rule has a line.
type line struct {
	layer  bundledLayer
	file   string
	n      int
	text   string
	fields []string
	at     []int // where each field starts in text
}

// The columns of a p line.
const (
	colID = iota + 1
	colDomain
	colRole
	colAction
	colTarget
	colWhen
	colEffect
	colBy
	colDuty
)

func (l *line) rule() Rule {
	f := l.fields
	return Rule{
		Name: f[colID], File: l.file, Line: l.n, Text: l.text, Layer: l.layer.Name, Domain: f[colDomain], Role: f[colRole],
		Action: f[colAction], Target: f[colTarget], When: f[colWhen], Effect: f[colEffect], By: f[colBy], Duty: f[colDuty],
	}
}

// column is where in the line, in characters from 1, the byte of a field stands.
func (l *line) column(field, offset int) int {
	if field >= len(l.at) {
		return utf8.RuneCountInString(l.text) + 1
	}
	at := l.at[field]
	if strings.HasPrefix(l.text[at:], `"`) {
		at++
	}
	at += len(l.text[at:]) - len(strings.TrimLeft(l.text[at:], " \t")) + offset // fields are trimmed
	return utf8.RuneCountInString(l.text[:min(at, len(l.text))]) + 1
}

// book is what stands in all files, before anything is made of it.
type book struct {
	lines   []*line // p
	links   []*line // g
	sets    []*line // g2
	texts   map[string]*sentence
	teller  map[string]bundledLayer // of a sentence, whose it is
	reasons []*line
	company map[string]bool // the ids of company lines
	files   []string        // in the order of reading
}

// replaced reports whether a company line stands in the place of this one.
func (b *book) replaced(l *line) bool {
	switch layerOrder(l.layer.Name) {
	case 1, 2:
		return b.company[l.fields[colID]]
	}
	return false
}

// read takes the files apart. It refuses what is no table of policy lines; what the fields say is judged by compile.
func read(layers []bundledLayer, problems *Problems) *book {
	b := &book{texts: map[string]*sentence{}, teller: map[string]bundledLayer{}, company: map[string]bool{}}
	for _, layer := range layers {
		for _, d := range layer.Files {
			b.files = append(b.files, d.Path)
			isReasons := d.Path == reasonsFile || strings.HasSuffix(d.Path, "/"+reasonsFile)
			for _, l := range records(layer, d, !isReasons, problems) {
				if isReasons {
					b.addReason(l, problems)
				} else {
					b.addLine(l, problems)
				}
			}
		}
	}
	return b
}

// guarded refuses guardrail files in which nothing stands: whatever a platform or a company allows would be allowed.
func (b *book) guarded(layers []bundledLayer, problems *Problems) {
	isGuard := func(l bundledLayer) bool { return l.Name == GuardLayer }
	if slices.ContainsFunc(layers, isGuard) && !slices.ContainsFunc(b.lines, func(l *line) bool { return isGuard(l.layer) }) {
		problems.add(GuardLayer, 0, 0, "no line stands in the guardrail files; the product brings guard.csv, put it back")
	}
}

func (b *book) addLine(l *line, problems *Problems) {
	// Casbin's own loader drops what is too much, and its string adapter whole lines.
	sections := map[string]struct {
		to    *[]*line
		names string
	}{
		"p":  {&b.lines, "p, id, dom, role, act, target, when, eft, by, duty"},
		"g":  {&b.links, "g, role, implied role, platform"},
		"g2": {&b.sets, "g2, action, set of actions"},
	}
	section, known := sections[l.fields[0]]
	if !known {
		problems.add(l.file, l.n, l.column(0, 0), "a line starts with p, g, g2 or #, not with %q", l.fields[0])
		return
	}
	if want := strings.Count(section.names, ",") + 1; len(l.fields) != want {
		problems.add(l.file, l.n, l.column(min(len(l.fields), want), 0), "expected %d fields (%s), found %d", want, section.names, len(l.fields))
		return
	}
	*section.to = append(*section.to, l)
	if l.fields[0] == "p" && l.layer.Name == CompanyLayer {
		b.company[l.fields[colID]] = true
	}
}

func (b *book) addReason(l *line, problems *Problems) {
	if len(l.fields) != 3 {
		problems.add(l.file, l.n, l.column(min(len(l.fields), 3), 0), "expected 3 fields (id, en, zh), found %d", len(l.fields))
		return
	}
	id, en, zh := l.fields[0], l.fields[1], l.fields[2]
	if id == "id" && en == "en" && zh == "zh" {
		return // the heading
	}
	for i, text := range l.fields {
		if text == "" {
			problems.add(l.file, l.n, l.column(i, 0), "a sentence is missing; expected id, en, zh")
			return
		}
	}
	for _, other := range b.reasons {
		if other.fields[0] == id && other.layer.Name == l.layer.Name {
			problems.add(l.file, l.n, l.column(0, 0), "%s has a sentence at %s:%d already", id, other.file, other.n)
			return
		}
	}
	b.reasons = append(b.reasons, l)
	b.texts[id], b.teller[id] = &sentence{en, zh}, l.layer // of a later layer: its words win
}

// records reads the records of a file, each by itself, so that a fault spoils one line and no more.
func records(layer bundledLayer, d document, strict bool, problems *Problems) []*line {
	text, marked := strings.CutPrefix(d.Text, "\ufeff")
	switch {
	case len(text) > maxFile:
		problems.add(d.Path, 0, 0, "the file is over 1 MiB")
		return nil
	case marked:
		problems.add(d.Path, 1, 1, "the file starts with a byte order mark; save it as UTF-8 without one")
	}
	var out []*line
	buffer := bufio.NewReaderSize(nil, maxLine) // a reader of CSV makes one for each line otherwise
	n := 0
	for raw := range strings.SplitSeq(text, "\n") {
		n++
		l := &line{layer: layer, file: d.Path, n: n, text: strings.TrimSuffix(raw, "\r")}
		trimmed := strings.TrimSpace(l.text)
		switch {
		case len(l.text) > maxLine:
			problems.add(l.file, n, 0, "the line is over 4 KiB")
			continue
		case !utf8.ValidString(l.text):
			problems.add(l.file, n, firstInvalid(l.text), "not UTF-8; save the file as UTF-8")
			continue
		case strings.ContainsFunc(l.text, misleads):
			i := strings.IndexFunc(l.text, misleads)
			problems.add(l.file, n, utf8.RuneCountInString(l.text[:i])+1, "an invisible character %U; save the file as plain text with one rule to a line", []rune(l.text[i:])[0])
			continue
		case trimmed == "" || trimmed[0] == '#':
			continue
		}
		if strict {
			if i := strings.IndexAny(l.text, "\uff0c\uff1b\u3001"); i >= 0 {
				problems.add(l.file, n, utf8.RuneCountInString(l.text[:i])+1, "a full-width %s; fields are parted by the plain comma", string([]rune(l.text[i:])[0]))
				continue
			}
		}
		if l.parse(buffer, problems) {
			out = append(out, l)
		}
	}
	return out
}

// misleads reports whether a character makes a line look like another, or like several: a comment that an editor shows as a
// rule, a file whose lines end in a way of their own, the zeros of a file that was not written to its end.
func misleads(r rune) bool {
	return r != '\t' && unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

func firstInvalid(s string) int {
	column := 1
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && size == 1 {
			break
		}
		s = s[size:]
		column++
	}
	return column
}

func (l *line) parse(buffer *bufio.Reader, problems *Problems) bool {
	buffer.Reset(strings.NewReader(l.text))
	r := csv.NewReader(buffer)
	r.FieldsPerRecord = -1
	r.TrimLeadingSpace = true
	fields, err := r.Read()
	if err != nil {
		column, what := 0, err.Error()
		if bad, ok := errors.AsType[*csv.ParseError](err); ok {
			column, what = utf8.RuneCountInString(l.text[:min(bad.Column-1, len(l.text))])+1, bad.Err.Error()
		}
		problems.add(l.file, l.n, column, "no CSV: %s; a record stands on one line, with double quotes around a field that holds a comma", what)
		return false
	}
	for i, f := range fields {
		_, column := r.FieldPos(i)
		l.fields = append(l.fields, strings.TrimSpace(f))
		l.at = append(l.at, column-1)
	}
	return true
}

// outcomes are the words of the eft column.
var outcomes = map[string]im.Outcome{"allow": im.Allow, "review": im.Review, "deny": im.Deny}
