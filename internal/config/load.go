package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	yamlparser "github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// Load reads the settings: those of the file that --config or GUANXI_CONFIG names, if any, over them those of
// environ, which is what os.Environ gives, over those the flags that were set. A text that another one overrides is
// not judged, but names that are none are faults wherever they stand. What secret says of the option of a workspace must stand in
// a file of its own; nil: of none. The error is [Faults].
func Load(flags *pflag.FlagSet, environ []string, secret func(option string) bool) (Config, error) {
	return assemble(flags, environ, loader{secret: secret})
}

// LoadOffline is Load for what works on the database alone: it does not ask for what only a server needs.
func LoadOffline(flags *pflag.FlagSet, environ []string) (Config, error) {
	return assemble(flags, environ, loader{offline: true})
}

func assemble(flags *pflag.FlagSet, environ []string, l loader) (Config, error) {
	l.given = map[string]value{}
	l.workspaces, l.webhooks = map[string]Connection{}, map[string]Connection{}
	if l.file(configFile(flags, environ)); l.unreadable {
		return Config{}, l.faults // what is missing may well stand in it
	}
	l.environment(environ)
	l.flags(flags)
	c := l.config(environ)
	if err := l.faults.err(); err != nil {
		return Config{}, err
	}
	return c, nil
}

func configFile(flags *pflag.FlagSet, environ []string) string {
	if f := flags.Lookup(configFlag); f != nil && f.Value.String() != "" {
		return f.Value.String()
	}
	return lookup(environ, configVariable)
}

// lookup is the value of a variable; where it stands twice the last one holds.
func lookup(environ []string, name string) string {
	for _, entry := range slices.Backward(environ) {
		if text, ok := strings.CutPrefix(entry, name+"="); ok {
			return text
		}
	}
	return ""
}

// value is what somebody gave a setting, and where.
type value struct {
	text   string
	source string
}

// loader gathers what is given, the later over the earlier, and all that is wrong.
type loader struct {
	given      map[string]value
	workspaces map[string]Connection
	webhooks   map[string]Connection
	faults     Faults
	offline    bool
	unreadable bool // the file is none
	secret     func(option string) bool
}

func (l *loader) fault(f Fault) { l.faults = append(l.faults, f) }

func (l *loader) file(name string) {
	if name == "" {
		return
	}
	var parser located
	k := koanf.New(".")
	if err := k.Load(file.Provider(name), &parser); err != nil {
		l.unreadable = true
		l.fault(Fault{Source: name, Path: configFlag, Expected: "a YAML file of settings" + because(cause(err))})
		return
	}
	source := func(path string) string {
		if at := parser.places[path]; at.line > 0 {
			return fmt.Sprintf("%s:%d:%d", name, at.line, at.column)
		}
		return name
	}
	for _, key := range []string{workspacesKey, webhooksKey} {
		l.given[key] = value{source: source(key)} // for faults of all of it
	}
	all := k.All()
	for _, path := range slices.SortedFunc(maps.Keys(all), parser.order) {
		at, source := parser.places[path], source(path)
		if at.again > 0 {
			l.fault(Fault{Source: source, Path: path, Expected: fmt.Sprintf("one value; there is another on line %d", at.again)})
		}
		l.inFile(source, path, at.text, all[path])
	}
}

// inFile takes one entry of the file. Its text is what stands there, for YAML makes 83 of 0123.
func (l *loader) inFile(source, path, text string, v any) {
	at := slices.IndexFunc(settings, func(s setting) bool { return s.path == path })
	within := slices.IndexFunc(settings, func(s setting) bool { return strings.HasPrefix(path, s.path+".") })
	var below []string
	for _, s := range settings {
		if strings.HasPrefix(s.path, path+".") {
			below = append(below, s.path)
		}
	}
	section, isMap := v.(map[string]any)
	_, isList := v.([]any)
	if text == "" && v != nil && !isMap && !isList {
		text = fmt.Sprint(v)
	}
	switch empty := v == nil || isMap && len(section) == 0; {
	case (path == workspacesKey || path == webhooksKey) && empty:
	case path == workspacesKey:
		l.fault(Fault{Source: source, Path: path, Expected: "a section with a section of options for each workspace"})
	case path == webhooksKey:
		l.fault(Fault{Source: source, Path: path, Expected: "a section with a section of options for each endpoint"})
	case strings.HasPrefix(path, workspacesKey+"."):
		l.named(workspacesKey, "the name of a workspace", l.workspaces, source, path, text, v)
	case strings.HasPrefix(path, webhooksKey+"."):
		l.named(webhooksKey, "the name of an endpoint", l.webhooks, source, path, text, v)
	case empty && (at >= 0 || below != nil):
	case at >= 0 && (isMap || isList):
		l.fault(Fault{Source: source, Path: path, Value: "a list or a mapping", Expected: settings[at].expected})
	case at >= 0:
		l.give(path, text, source)
	case within >= 0:
		l.fault(Fault{Source: source, Path: path, Expected: "a single value", Nearest: settings[within].path})
	case below != nil:
		l.fault(Fault{Source: source, Path: path, Expected: "a section with " + strings.Join(below, ", ")})
	default:
		if first, rest, deep := strings.Cut(path, "."); deep && nearest(first, []string{workspacesKey, webhooksKey}) != "" {
			l.fault(Fault{Source: source, Path: path, Expected: "a setting", Nearest: nearest(first, []string{workspacesKey, webhooksKey}) + "." + rest})
			return
		}
		l.unknown(source, path, "a setting", names(func(s setting) string { return s.path }))
	}
}

// The sections of the file that hold no settings but workspaces, and the endpoints of systems.
const (
	workspacesKey = "workspaces"
	webhooksKey   = "webhooks"
)

// named takes KEY.NAME.OPTION, or KEY.NAME where that has no options. It is one all the same: whoever named it is told what
// it lacks.
func (l *loader) named(key, expected string, into map[string]Connection, source, path, text string, v any) {
	name, option, isOption := strings.Cut(strings.TrimPrefix(path, key+"."), ".")
	single, _, nested := strings.Cut(option, ".")
	section, isMap := v.(map[string]any)
	_, isList := v.([]any)
	switch {
	case name == "":
		l.fault(Fault{Source: source, Path: path, Expected: expected})
	case nested:
		l.fault(Fault{Source: source, Path: path, Expected: "a single value", Nearest: key + "." + name + "." + single})
	case isOption && (isMap || isList):
		l.fault(Fault{Source: source, Path: path, Value: "a list or a mapping", Expected: "a single value"})
	case !isOption && v != nil && (!isMap || len(section) > 0):
		l.fault(Fault{Source: source, Path: path, Expected: "a section of options"})
	default:
		if into[name] == nil {
			into[name] = Connection{}
		}
		if v != nil && text != "" {
			into[name][option] = text
			l.given[path] = value{text, source}
		}
	}
}

func (l *loader) environment(environ []string) {
	variables := names(setting.variable)
	provider := env.Provider("", env.Opt{
		Prefix: variablePrefix,
		EnvironFunc: func() []string {
			return slices.DeleteFunc(slices.Sorted(slices.Values(environ)), func(entry string) bool {
				return !strings.Contains(entry, "=") // the provider takes that for granted
			})
		},
		TransformFunc: func(name, _ string) (string, any) {
			switch i := slices.Index(variables, name); {
			case i >= 0:
				return settings[i].path, value{lookup(environ, name), name}
			case !slices.Contains(known, name):
				l.unknown("environment", name, "a variable", append(variables, known...))
			}
			return "", nil
		},
	})
	l.layer(provider)
}

func (l *loader) flags(flags *pflag.FlagSet) {
	registered := names(setting.flag)
	l.layer(posflag.ProviderWithFlag(flags, "", nil, func(f *pflag.Flag) (string, any) {
		i := slices.Index(registered, f.Name)
		if i < 0 {
			return "", nil // of the command, not ours
		}
		return settings[i].path, value{f.Value.String(), "--" + f.Name}
	}))
}

// layer takes what a provider of values gives.
func (l *loader) layer(p koanf.Provider) {
	given, err := p.Read()
	if err != nil {
		l.fault(Fault{Path: "environment", Expected: "to be readable" + because(err)})
	}
	for path, v := range given {
		v := v.(value)
		l.give(path, v.text, v.source)
	}
}

func (l *loader) give(path, text, source string) {
	if text != "" {
		l.given[path] = value{text, source}
	}
}

// unknown is a name that is none. Its value may be a secret under a misspelt name, so it is not shown.
func (l *loader) unknown(source, name, expected string, valid []string) {
	l.fault(Fault{Source: source, Path: name, Expected: expected, Nearest: nearest(name, valid)})
}

// names are the settings in one of their spellings, in order.
func names(spell func(setting) string) []string {
	var out []string
	for _, s := range settings {
		out = append(out, spell(s))
	}
	return out
}

// config makes the settings of what was given and adds the faults of its values.
func (l *loader) config(environ []string) Config {
	var c Config
	for _, s := range settings {
		v, ok := l.given[s.path]
		if ok && !s.set(&c, v.text) {
			l.fault(Fault{Source: v.source, Path: s.path, Value: s.shown(v.text), Expected: s.expected})
		}
	}
	for _, s := range settings {
		if _, ok := l.given[s.path]; !ok && s.fallback != "" && !(c.Demo && s.notInDemo()) {
			if c.Demo {
				s.set(&c, cmp.Or(s.inDemo, s.fallback))
			} else {
				s.set(&c, s.fallback)
			}
		}
	}
	if _, ok := l.given["explorer"]; !ok {
		c.Explorer = c.Demo
	}
	if l.faults.about("demo") {
		return c // what else is needed depends on it
	}
	if len(l.workspaces) > 0 {
		c.Workspaces = l.workspaces
	}
	if len(l.webhooks) > 0 {
		c.Webhooks = l.webhooks
	}
	if c.DB == "" && !c.Demo && !l.faults.about("db") {
		c.DB = l.defaultDatabase(environ)
	}
	if l.offline {
		return c
	}
	given := func(s setting) bool { _, ok := l.given[s.path]; return ok }
	for _, f := range c.faults(given, l.secret) {
		if !l.faults.about(f.Path) {
			f.Source = l.given[f.Path].source
			l.fault(f)
		}
	}
	return c
}

// defaultDatabase is guanxi.db in the user's data directory: see
// https://specifications.freedesktop.org/basedir-spec/latest/, which has relative paths ignored.
func (l *loader) defaultDatabase(environ []string) Database {
	data := lookup(environ, "XDG_DATA_HOME")
	if !filepath.IsAbs(data) {
		home := lookup(environ, "HOME")
		if !filepath.IsAbs(home) {
			l.fault(Fault{Path: "db", Expected: "a database: there is neither XDG_DATA_HOME nor HOME to make one in"})
			return ""
		}
		data = filepath.Join(home, ".local", "share")
	}
	return Database("sqlite:" + filepath.Join(data, "guanxi", "guanxi.db"))
}

// located parses YAML and keeps where its entries stand.
type located struct {
	places map[string]place
}

// place is where the key of an entry stands, and its text if it is a single one.
type place struct {
	line, column int
	text         string
	again        int // the line on which the same entry stands once more, as a.b and as b under a
}

// Unmarshal is koanf's parser.
func (l *located) Unmarshal(b []byte) (map[string]any, error) {
	l.places = map[string]place{}
	var document, another yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(b))
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if err := decoder.Decode(&another); !errors.Is(err, io.EOF) {
		return nil, cmp.Or(err, errors.New("more than one document"))
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode { // the parser would say so and quote it: perhaps a secret's file, named by mistake
		if root.Tag == "!!null" {
			return nil, nil
		}
		return nil, errors.New("no mapping of names to values")
	}
	entries, err := yamlparser.Parser().Unmarshal(b)
	if err != nil {
		return nil, err
	}
	l.walk(root, "")
	return entries, nil
}

// Marshal is there for koanf's sake.
func (l *located) Marshal(m map[string]any) ([]byte, error) { return yamlparser.Parser().Marshal(m) }

func (l *located) walk(n *yaml.Node, prefix string) {
	if n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, entry := n.Content[i], n.Content[i+1]
		if entry.Kind == yaml.AliasNode {
			entry = entry.Alias
		}
		path := prefix + key.Value
		p := place{line: key.Line, column: key.Column}
		if entry.Kind == yaml.ScalarNode {
			p.text = entry.Value
		}
		if before, ok := l.places[path]; ok && entry.Kind != yaml.MappingNode {
			p.again = before.line
		}
		l.places[path] = p
		l.walk(entry, path+".")
	}
}

// order is the order of the file.
func (l *located) order(a, b string) int {
	return cmp.Or(cmp.Compare(l.places[a].line, l.places[b].line), cmp.Compare(a, b))
}
