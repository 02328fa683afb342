package authz

import (
	"fmt"
	"strings"
)

// SeverityError marks a problem for which files are refused. The others are [Lint]'s: a warning says that a line does not do
// what it seems to, a note that nothing is there.
const (
	SeverityError   = "error"
	SeverityWarning = "warning"
	SeverityNote    = "note"
)

// Problem is one fault of the policy files.
type Problem struct {
	File     string `json:"file"`             // as shown in rules; the layer's name where no file is at fault
	Line     int    `json:"line,omitempty"`   // from 1; 0: the file as a whole
	Column   int    `json:"column,omitempty"` // in characters, from 1; 0: the line as a whole
	Message  string `json:"message"`          // what was found, what was expected
	Severity string `json:"severity"`
	Hint     string `json:"hint,omitempty"`    // what to do about it
	Example  string `json:"example,omitempty"` // a request that shows it, in one line
}

// Place is file:line:column, as far as they are known.
func (p Problem) Place() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// String is the place and the message.
func (p Problem) String() string { return p.Place() + ": " + p.Message }

// maxProblems is how many faults are told: who saved a picture as CSV need not hear of each line.
const maxProblems = 1000

// maxMessage bounds a message in bytes: words of a file stand in it, and a line may be one word.
const maxMessage = 1000

// Problems is why files were refused: all their faults in reading order, the first thousand that were found.
type Problems struct{ List []Problem }

// Error has one line for each problem.
func (p *Problems) Error() string {
	lines := make([]string, len(p.List))
	for i, x := range p.List {
		lines[i] = x.String()
	}
	return strings.Join(lines, "\n")
}

func (p *Problems) add(file string, line, column int, format string, args ...any) {
	if len(p.List) >= maxProblems {
		return
	}
	message := fmt.Sprintf(format, args...)
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "") + "…" // no letter is cut in two
	}
	p.List = append(p.List, Problem{File: file, Line: line, Column: column, Message: message, Severity: SeverityError})
}

// Add tells of a fault of another file that is about policy, as a file of cases.
func (p *Problems) Add(file string, line, column int, message string) {
	p.add(file, line, column, "%s", message)
}

// choice lists known words for a message, the first two dozen of them.
func choice(known []string) string {
	if more := len(known) - 24; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(known[:24], ", "), more)
	}
	return strings.Join(known, ", ")
}

// hint is a question that ends a message about an unknown word, or nothing where no known word is near.
func hint(word string, known []string) string {
	if best := Near(word, known); best != "" {
		return fmt.Sprintf("; did you mean %s?", best)
	}
	return ""
}

// maxName is more bytes than any known word has.
const maxName = 100

// Near is the known word that comes nearest to an unknown one; empty where none is near.
func Near(word string, known []string) (best string) {
	if len(word) > maxName {
		return ""
	}
	least := 3
	for _, k := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(k)); d < least && d < len(k) {
			best, least = k, d
		}
	}
	return best
}

// distance counts the letters to change, add or drop to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
