package authz

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/guanxi-im/guanxi/internal/im"
)

// The windows of [DutyUndo] that are no durations.
const (
	UndoSameDay = "same_day" // until midnight on the workspace
	UndoAnyTime = "any_time" // as long as it is in effect
)

// UndoNoTrace is what [DutyUndoTrace] says: nothing stays.
const UndoNoTrace = "none"

// arguments says what the product's own duties take; a duty that is not named here takes what its fulfiller likes. Each
// returns what was expected, or nothing where the argument is right.
var arguments = map[string]func(arg string, roles []string) string{
	DutyUndo: func(arg string, _ []string) string {
		if arg == UndoSameDay || arg == UndoAnyTime || isDuration(arg) {
			return ""
		}
		return "a duration such as 72h, or same_day, or any_time"
	},
	DutyExpire:   func(arg string, _ []string) string { return duration(arg, "72h") },
	DutyCooldown: func(arg string, _ []string) string { return duration(arg, "15m") },
	DutyCuts:     channel,
	DutyCloses:   channel,
	DutyUndoTrace: func(arg string, _ []string) string {
		if arg == UndoNoTrace {
			return ""
		}
		return UndoNoTrace
	},
	DutyUndoReview: func(arg string, roles []string) string {
		if _, err := parseBy(arg, roles); err != nil {
			return "approvers as in the by column (" + err.Error() + ")"
		}
		return ""
	},
	DutyRisk: func(arg string, _ []string) string {
		name, _, ok := Weighed(arg)
		if !ok || !isCode(name) {
			return "a signal with its weight between 0 and 1, such as KEY_CUSTOMER=0.5"
		}
		return ""
	},
	DutyRiskLevel: func(arg string, _ []string) string {
		name, _, ok := Weighed(arg)
		if !ok || !slices.Contains(riskLevels, name) {
			return fmt.Sprintf("one of %v with the least score for it, such as HIGH=0.7", riskLevels)
		}
		return ""
	},
	DutyNotify: func(arg string, roles []string) string {
		who, purpose := Notified(arg)
		unknown := slices.ContainsFunc(who, func(one string) bool {
			return !slices.Contains(notified, one) && (OfService(one) || !slices.Contains(roles, one))
		})
		if unknown || strings.Contains(arg, "=") && !isCode(purpose) {
			return fmt.Sprintf("a role of people or %s, + between several, and after an = what it is about, such as %s+%s=OPPORTUNITY_LOSS",
				strings.Join(notified, ", "), NotifyOwner, NotifySystems)
		}
		return ""
	},
	DutyEscalate: func(arg string, roles []string) string {
		to, after, ok := escalation(arg)
		unknown := slices.ContainsFunc(to, func(one string) bool {
			return !slices.Contains(passedOn, one) && (OfService(one) || !slices.Contains(roles, one))
		})
		if !ok || after <= 0 || unknown {
			return fmt.Sprintf("a role of people or %s, + between several, with the time after which they are asked, such as admin=24h", strings.Join(passedOn, ", "))
		}
		return ""
	},
	DutyAlert: func(arg string, _ []string) string {
		if !isCode(arg) {
			return "a kind of alert such as KEY_CONTACT_BLOCKED"
		}
		return ""
	},
}

// notified are who can be notified beside the roles.
var notified = []string{im.ManagerOfActor, NotifyOwner, im.OwnerDeptManager, im.GroupOwner, NotifySystems}

// passedOn are to whom an approval can be passed on beside the roles.
var passedOn = []string{im.ManagerOfActor, im.OwnerDeptManager, im.GroupOwner}

// Escalation is to whom the duties of a review pass its approval on, and after what time; of several the last, for passing on makes
// more people able to agree.
func Escalation(o im.Obligations) (to []string, after time.Duration, said bool) {
	for _, arg := range o.Args(DutyEscalate) {
		if who, d, ok := escalation(arg); ok && (!said || d > after) {
			to, after, said = who, d, true
		}
	}
	return to, after, said
}

// escalation reads WHO{+WHO}=DURATION.
func escalation(arg string) (to []string, after time.Duration, ok bool) {
	list, wait, _ := strings.Cut(arg, "=")
	for one := range strings.SplitSeq(list, "+") {
		to = append(to, strings.TrimSpace(one))
	}
	after, err := time.ParseDuration(strings.TrimSpace(wait))
	return to, after, err == nil
}

// Notified reads whom a duty notify names, WHO{+WHO}[=PURPOSE], and the purpose; empty where it names none. The roles are not
// looked up: the files may be of a version that is no longer in force.
func Notified(arg string) (who []string, purpose string) {
	list, purpose, _ := strings.Cut(arg, "=")
	for one := range strings.SplitSeq(list, "+") {
		who = append(who, strings.TrimSpace(one))
	}
	return who, strings.TrimSpace(purpose)
}

// riskLevels are what a risk may be called, from the least on.
var riskLevels = []string{string(im.RiskLow), string(im.RiskMedium), string(im.RiskHigh)}

// Weighed reads NAME=WEIGHT, with a weight of more than 0 and at most 1.
func Weighed(arg string) (name string, weight float64, ok bool) {
	name, number, _ := strings.Cut(arg, "=")
	weight, err := strconv.ParseFloat(number, 64)
	return name, weight, err == nil && weight > 0 && weight <= 1
}

// isCode reports whether a word is one for programs, such as KEY_CUSTOMER.
func isCode(s string) bool { return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == "" }

// channel checks the name of a channel that a duty closes.
func channel(arg string, _ []string) string {
	if slices.Contains(im.FurtherChannels, im.Channel(arg)) {
		return ""
	}
	return fmt.Sprintf("one of %v", im.FurtherChannels)
}

func duration(arg, example string) string {
	if isDuration(arg) {
		return ""
	}
	return "a duration such as " + example
}

// UndoTerms are the terms on which what was made at a time can be taken back, as the duties of its decision say: of several
// windows the one that closes first, and everybody whom any of them asks. A day ends where the workspace is.
func UndoTerms(o im.Obligations, at time.Time, timeZone string) im.UndoTerms {
	windows := o.Args(DutyUndo)
	t := im.UndoTerms{Allowed: len(windows) > 0, Trace: len(o.Args(DutyUndoTrace)) == 0, Review: strings.Join(o.Args(DutyUndoReview), "+")}
	for _, window := range windows {
		if window == UndoAnyTime {
			continue
		}
		if end := closes(window, at, timeZone); t.Until.IsZero() || end.Before(t.Until) {
			t.Until = end
		}
	}
	return t
}

// closes is the end of an undo window: a duration after at, or the end of that day.
func closes(window string, at time.Time, timeZone string) time.Time {
	if d, err := time.ParseDuration(window); err == nil {
		return at.Add(d)
	}
	loc, err := time.LoadLocation(timeZone) // same_day: files with another word are refused
	if err != nil {
		loc = time.UTC
	}
	y, m, day := at.In(loc).Date()
	return time.Date(y, m, day+1, 0, 0, 0, 0, loc).UTC()
}

func isDuration(s string) bool {
	d, err := time.ParseDuration(s)
	return err == nil && d > 0
}

// parseDuties reads the duty column: duty{|duty}, where a duty is name or name:argument. The terms of reading and
// unmasking come back apart from what somebody else fulfils.
func parseDuties(s string, known, roles []string) (duties, terms []string, err error) {
	if s == "" {
		return nil, nil, nil
	}
	at := 0
	for field := range strings.SplitSeq(s, "|") {
		duty := strings.TrimSpace(field)
		start := at + strings.Index(field, duty)
		at += len(field) + 1
		name, arg, _ := strings.Cut(duty, ":")
		switch {
		case name == dutyScope || name == dutyUnmask:
			terms = append(terms, duty)
			continue
		case !slices.Contains(known, name):
			return nil, nil, misfitAt(start, "nobody fulfils a duty called %q; known are %s%s", name, strings.Join(known, ", "), hint(name, known))
		}
		if check := arguments[name]; check != nil {
			if expected := check(arg, roles); expected != "" {
				return nil, nil, misfitAt(start+len(name), "%q says nothing to the duty %s; expected %s", arg, name, expected)
			}
		}
		duties = append(duties, duty)
	}
	return duties, terms, nil
}
