package directory

import (
	"strings"
	"unicode/utf8"

	"github.com/guanxi-im/guanxi/internal/im"
)

// Service is the use-case. What the viewer may see of a list is the store's to say; how much of a row, is here.
type Service struct{ Store }

// New makes the service.
func New(s Store) *Service { return &Service{s} }

// ShowsMember reports whether the viewer sees a member's phone number and platform ids whole.
func ShowsMember(v im.Viewer, member im.ID) bool {
	return v.Unmask.Has(im.ScopeAll) || v.Unmask.Has(im.ScopeOwn) && v.Member.ID == member
}

// ShowsContact is the same for a contact; followed says whether the viewer owns or follows it.
func ShowsContact(v im.Viewer, followed bool) bool {
	return v.Unmask.Has(im.ScopeAll) || v.Unmask.Has(im.ScopeFollows) && followed
}

// MaskPhone leaves enough of a number to recognise it and too little to call it: 138****1234.
func MaskPhone(phone string) string {
	n := utf8.RuneCountInString(phone)
	if n < 8 {
		return strings.Repeat("*", n)
	}
	r := []rune(phone)
	return string(r[:3]) + strings.Repeat("*", n-7) + string(r[n-4:])
}
