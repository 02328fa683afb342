// Package fault is what can go wrong, as the API says it: a code that programs act on, and a sentence for people in
// their own language. Causes are for the log alone.
package fault

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/guanxi-im/guanxi/internal/im"
)

// Code is a stable name of a fault; programs act on it, never on the text.
type Code string

// Codes that a command answers in userErrors.
const (
	InvalidInput         Code = "INVALID_INPUT"
	NotFound             Code = "NOT_FOUND"
	PolicyDenied         Code = "POLICY_DENIED"
	ApprovalRequired     Code = "APPROVAL_REQUIRED" // where the call cannot open the request itself
	Conflict             Code = "CONFLICT"
	InvalidTransition    Code = "INVALID_TRANSITION"
	WindowClosed         Code = "WINDOW_CLOSED"
	NotEnabled           Code = "NOT_ENABLED"
	Unsupported          Code = "UNSUPPORTED_BY_PLATFORM"
	IdempotencyKeyReused Code = "IDEMPOTENCY_KEY_REUSED"
)

// Codes of the request itself, answered as GraphQL errors.
const (
	Unauthenticated        Code = "UNAUTHENTICATED"
	Forbidden              Code = "FORBIDDEN"
	BadUserInput           Code = "BAD_USER_INPUT"
	ParseFailed            Code = "GRAPHQL_PARSE_FAILED"
	ValidationFailed       Code = "GRAPHQL_VALIDATION_FAILED"
	PersistedQueryNotFound Code = "PERSISTED_QUERY_NOT_FOUND"
	DocumentNotAllowed     Code = "DOCUMENT_NOT_ALLOWED"
	QueryTooComplex        Code = "QUERY_TOO_COMPLEX"
	RateLimited            Code = "RATE_LIMITED"
	CursorExpired          Code = "CURSOR_EXPIRED"
	PolicyError            Code = "POLICY_ERROR"
	DeadlineExceeded       Code = "DEADLINE_EXCEEDED"
	Unavailable            Code = "UNAVAILABLE"
	Internal               Code = "INTERNAL"
)

// Error is one fault. Key names its sentence in the catalogue and Args fill it. It keeps its meaning as JSON, in which
// the answers of commands are recorded.
type Error struct {
	Code       Code     `json:"code"`
	Key        string   `json:"key"`
	Args       []string `json:"args,omitempty"`
	Path       []string `json:"path,omitempty"`     // to the field of the input
	About      im.Ref   `json:"about,omitzero"`     // what stands in the way; the sentence may name it by its id
	Workspace  im.ID    `json:"workspace,omitzero"` // where a command on several went wrong
	DecisionID im.ID    `json:"decision,omitzero"`
	Cause      error    `json:"-"`
}

// New makes a fault whose sentence is the catalogue's entry for key.
func New(code Code, key string, args ...string) *Error {
	return &Error{Code: code, Key: key, Args: args}
}

// Input is a fault of the field of the input that path leads to; empty: of none alone.
func Input(path, key string, args ...string) *Error {
	f := &Error{Code: InvalidInput, Key: key, Args: args}
	if path != "" {
		f.Path = []string{path}
	}
	return f
}

// Wrap makes an internal fault of an unexpected error. Its cause reaches the log and nobody else.
func Wrap(cause error, doing string) *Error {
	return &Error{Code: Internal, Key: "internal", Cause: fmt.Errorf("%s: %w", doing, cause)}
}

// Undecided is the fault of policy that cannot say anything: neither yes nor no. The cause is for the log.
func Undecided(cause error) *Error {
	return &Error{Code: PolicyError, Key: "policy_error", Cause: cause}
}

// Error is for logs: the code and the cause, in English.
func (e *Error) Error() string {
	s := string(e.Code) + ": " + e.Text(English)
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Text is the sentence for a person: {0}, {1} … stand for the arguments.
func (e *Error) Text(l Language) string {
	t, ok := texts[e.Key]
	if !ok {
		return string(e.Code)
	}
	var fill []string
	for i, a := range e.Args {
		fill = append(fill, "{"+strconv.Itoa(i)+"}", a)
	}
	return strings.NewReplacer(fill...).Replace(t[l])
}

// As finds the fault in err. Whatever is none is an internal one.
func As(err error) *Error {
	if err == nil {
		return nil
	}
	var f *Error
	if errors.As(err, &f) {
		return f
	}
	return &Error{Code: Internal, Key: "internal", Cause: err}
}

// Is reports whether err is a fault with this code.
func Is(err error, c Code) bool {
	var f *Error
	return errors.As(err, &f) && f.Code == c
}

// keyMax is how many bytes an idempotency key has at most.
const keyMax = 200

// CheckKey refuses what is no idempotency key.
func CheckKey(key string) *Error {
	if len(key) > keyMax || !utf8.ValidString(key) || strings.ContainsFunc(key, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return Input("idempotencyKey", "key_malformed")
	}
	return nil
}
