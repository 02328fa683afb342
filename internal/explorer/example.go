package explorer

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Example is one operation to begin with.
type Example struct {
	Name   string `json:"name"`
	Reader string `json:"reader"` // whom it is for: one of readers
	Title  Text   `json:"title"`
	About  Text   `json:"about"` // may be empty
	// As is the person of the demo who may ask it.
	As        string     `json:"as"`
	Variables []Variable `json:"variables"`
	Document  string     `json:"document"`
	// Shows are values that its answer has in a fresh demo, so that a test sees when it no longer shows what it is for.
	Shows []Shown `json:"shows"`
}

// Text is what people read, in both languages.
type Text struct {
	English string `json:"en"`
	Chinese string `json:"zh"`
}

// Variable is a value of the operation: one that is written, or the one at Path in the answer to Query, for ids differ
// from one demo to the next.
type Variable struct {
	Name  string          `json:"name"`
	Value json.RawMessage `json:"value"`
	Query string          `json:"query,omitempty"`
	Path  string          `json:"path,omitempty"`
}

// Shown is a value of the answer by its path.
type Shown struct {
	Path  string          `json:"path"`
	Value json.RawMessage `json:"value"`
}

// readers are whom examples are for.
var readers = []string{"frontend", "policy", "integrator", "operator"}

// Examples are the embedded ones, in the order of their files' names.
func Examples() ([]Example, error) {
	entries, err := files.ReadDir("examples")
	if err != nil {
		return nil, err
	}
	var out []Example
	for _, f := range entries {
		b, err := files.ReadFile(path.Join("examples", f.Name()))
		if err != nil {
			return nil, err
		}
		e, err := parse(strings.TrimSuffix(f.Name(), ".graphql"), string(b))
		if err != nil {
			return nil, fmt.Errorf("explorer: examples/%s: %w", f.Name(), err)
		}
		out = append(out, e)
	}
	return out, nil
}

// parse reads a file: lines "# KEY: VALUE" that say what the example is, and then the document, with comments of its own.
func parse(name, text string) (Example, error) {
	e := Example{Name: name, Variables: []Variable{}}
	for {
		line, rest, _ := strings.Cut(text, "\n")
		head, isComment := strings.CutPrefix(line, "# ")
		key, value, isKey := strings.Cut(head, ": ")
		if !isComment || !isKey || strings.Contains(key, " ") {
			break
		}
		if err := e.set(key, strings.TrimSpace(value)); err != nil {
			return e, err
		}
		text = rest
	}
	e.Document = strings.TrimSpace(text) + "\n"
	switch {
	case !slices.Contains(readers, e.Reader):
		return e, fmt.Errorf("reader: expected one of %s", strings.Join(readers, ", "))
	case e.Title.English == "" || e.Title.Chinese == "":
		return e, fmt.Errorf("expected a title in en and in zh")
	case (e.About.English == "") != (e.About.Chinese == ""):
		return e, fmt.Errorf("expected en-about and zh-about, or neither")
	case e.As == "" || len(e.Shows) == 0:
		return e, fmt.Errorf("expected as and shows")
	}
	return e, nil
}

// set takes one line of the head.
func (e *Example) set(key, value string) error {
	name, isVariable := strings.CutPrefix(key, "$")
	switch {
	case key == "reader":
		e.Reader = value
	case key == "en":
		e.Title.English = value
	case key == "zh":
		e.Title.Chinese = value
	case key == "en-about":
		e.About.English = value
	case key == "zh-about":
		e.About.Chinese = value
	case key == "as":
		e.As = value
	case key == "shows":
		at, v, ok := strings.Cut(value, " = ")
		if !ok || !json.Valid([]byte(v)) {
			return fmt.Errorf("shows: expected PATH = JSON")
		}
		e.Shows = append(e.Shows, Shown{at, json.RawMessage(v)})
	case isVariable && json.Valid([]byte(value)):
		e.Variables = append(e.Variables, Variable{Name: name, Value: json.RawMessage(value)})
	case isVariable:
		at, query, ok := strings.Cut(value, " of ")
		if !ok {
			return fmt.Errorf("%s: expected JSON, or PATH of QUERY", key)
		}
		e.Variables = append(e.Variables, Variable{Name: name, Value: json.RawMessage("null"), Query: query, Path: at})
	default:
		return fmt.Errorf("%s: expected reader, en, zh, en-about, zh-about, as, shows or $NAME", key)
	}
	return nil
}
