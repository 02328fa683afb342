package directory

import "strings"

// home is the country whose numbers are written without their country code: that of mainland China (ITU-T E.164).
const home = "86"

// dialMin is fewer digits than any number has that one looks for; extensions are shorter.
const dialMin = 5

// Dial is a phone number as it is dialled from anywhere, digits alone, however it is written: with +86, 0086, 86 or a leading 0, with
// spaces, hyphens, dots, brackets, in wide digits. What is no phone number is "".
func Dial(number string) string {
	var b strings.Builder
	abroad := false
	for _, r := range Fold(number) {
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case r == '+' && b.Len() == 0 && !abroad:
			abroad = true
		case strings.ContainsRune(" -.()/\u00a0\u2010\u2011\u2013", r):
		default:
			return ""
		}
	}
	d := b.String()
	if rest, ok := strings.CutPrefix(d, "00"); ok && !abroad {
		d, abroad = rest, true
	}
	if len(d) < dialMin {
		return ""
	}
	switch {
	case abroad:
	case strings.HasPrefix(d, home+"1") && len(d) == len("8613800001234"):
		abroad = true
	default:
		d = home + d
	}
	if national, ok := strings.CutPrefix(d, home); ok && len(national) > dialMin { // +86 (0)10 and 010 are the same
		d = home + strings.TrimPrefix(national, "0")
	}
	return d
}
