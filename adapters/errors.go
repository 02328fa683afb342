package adapters

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Code is an error's category. Act on the code, never on the text. Its numbers stand in rows and metrics: append, do
// not renumber.
type Code uint8

// The codes.
const (
	OK               Code = 0
	Unknown          Code = 1  // not classified: a gap in the adapter's table
	InvalidArgument  Code = 2  // our mistake, or the caller's
	NotFound         Code = 3  // no such member, contact, group, or no relation between them
	PermissionDenied Code = 4  // the app's scope or visible range lacks it
	Unauthenticated  Code = 5  // token or secret; the adapter has refreshed once already
	NotEnabled       Code = 6  // a feature is off in the organisation (客户联系 not opened)
	NotSupported     Code = 7  // the platform has no such call
	RateLimited      Code = 8  // see RetryAfter
	QuotaExceeded    Code = 9  // a daily or lifetime cap; waiting for seconds does not help
	Rejected         Code = 10 // a person said no (客户拒绝)
	Conflict         Code = 11 // somebody changed it meanwhile: read again, then decide again
	Unavailable      Code = 12 // nothing happened
	Indeterminate    Code = 13 // it may have happened
	Internal         Code = 14 // the vendor, or the adapter, broke its own contract
)

var codeNames = [...]string{"OK", "Unknown", "InvalidArgument", "NotFound", "PermissionDenied", "Unauthenticated", "NotEnabled", "NotSupported",
	"RateLimited", "QuotaExceeded", "Rejected", "Conflict", "Unavailable", "Indeterminate", "Internal"}

func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return fmt.Sprintf("Code(%d)", c)
}

// Retry says what a caller may do about a code.
type Retry uint8

// The ways to go on.
const (
	Never    Retry = iota // the same call fails again
	SameKey               // again with the same key, after RetryAfter
	ReadBack              // the effect is unknown: again within [Description.KeyHorizon], else read first
)

// Retry says what a caller may do about c.
func (c Code) Retry() Retry {
	switch c {
	case RateLimited, Unavailable:
		return SameKey
	case Indeterminate:
		return ReadBack
	}
	return Never
}

// Error is the only error type that leaves an adapter.
type Error struct {
	Code Code
	Op   string // wecom.Blacklist
	// Message is for the operator: no secret, no personal data, nothing that the vendor wrote. Vendors echo what they
	// were sent.
	Message    string
	Vendor     Vendor
	RetryAfter time.Duration // 0 where the vendor names none
	Err        error         // what is behind it; it is held to the same rule as Message
}

// Vendor is the platform's own account of a failure.
type Vendor struct {
	Code      string // 45009
	RequestID string // to quote to the vendor's support
	Docs      string // the page that explains Code
}

// Error tells operation, message and what helps to look it up. Err is not in it: see [errors.Unwrap].
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Op, e.Message)
	if e.Vendor.Code != "" {
		fmt.Fprintf(&b, " (vendor code %s", e.Vendor.Code)
		if e.Vendor.RequestID != "" {
			fmt.Fprintf(&b, ", request %s", e.Vendor.RequestID)
		}
		b.WriteByte(')')
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// CodeOf is err's code: [OK] for nil, [Indeterminate] for a context that ended under way (the request may have
// landed), [Unknown] for what no adapter made.
func CodeOf(err error) Code {
	var e *Error
	switch {
	case err == nil:
		return OK
	case errors.As(err, &e):
		return e.Code
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Indeterminate
	}
	return Unknown
}
