package authz

import (
	"slices"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/im"
)

// TestUndoTerms: of several windows the one that closes first holds, a day ends where the workspace is, and everybody is asked
// whom one of the duties names.
func TestUndoTerms(t *testing.T) {
	made := time.Date(2026, 11, 21, 15, 50, 0, 0, time.UTC) // ten minutes before midnight in Shanghai
	for _, c := range []struct {
		duties  im.Obligations
		zone    string
		allowed bool
		until   string // after made; empty: no limit
		review  string
	}{
		{nil, "Asia/Shanghai", false, "", ""},
		{im.Obligations{"expire:24h", "alert:X"}, "Asia/Shanghai", false, "", ""},
		{im.Obligations{"undo:72h"}, "Asia/Shanghai", true, "72h", ""},
		{im.Obligations{"undo:24h", "undo:72h"}, "Asia/Shanghai", true, "24h", ""},
		{im.Obligations{"undo:72h", "undo:24h"}, "Asia/Shanghai", true, "24h", ""},
		{im.Obligations{"undo:any_time"}, "Asia/Shanghai", true, "", ""},
		{im.Obligations{"undo:any_time", "undo:1h"}, "Asia/Shanghai", true, "1h", ""},
		{im.Obligations{"undo:same_day"}, "Asia/Shanghai", true, "10m", ""},
		{im.Obligations{"undo:same_day", "undo:5m"}, "Asia/Shanghai", true, "5m", ""},
		{im.Obligations{"undo:same_day"}, "America/New_York", true, "13h10m", ""},
		{im.Obligations{"undo:same_day"}, "Nowhere", true, "8h10m", ""}, // UTC
		{im.Obligations{"undo:1h", "undo_review:admin", "undo_review:2*hr"}, "UTC", true, "1h", "admin+2*hr"},
		{im.Obligations{"undo:1h", "undo_trace:none"}, "UTC", true, "1h", ""},
	} {
		u := UndoTerms(c.duties, made, c.zone)
		var until time.Time
		if d, err := time.ParseDuration(c.until); err == nil {
			until = made.Add(d)
		}
		if traced := !slices.Contains(c.duties, "undo_trace:none"); u.Trace != traced {
			t.Errorf("%v: trace %v", c.duties, u.Trace)
		}
		if u.Allowed != c.allowed || !u.Until.Equal(until) || u.Review != c.review {
			t.Errorf("%v in %s: %+v, want %v until %v, %q", c.duties, c.zone, u, c.allowed, until, c.review)
		}
	}
}

// TestNotified: whom the duty notify names, and what about; what nobody could be told by is refused with its place.
func TestNotified(t *testing.T) {
	roles := []string{"admin", "hr", RoleServiceBulk}
	for arg, ok := range map[string]bool{"admin": true, "manager_of_actor": true, "owner+systems=OPPORTUNITY_LOSS": true, "systems": true, "hr + admin": true,
		"": false, "admin+": false, "nobody": false, "target": false, "admin=": false, "admin=loss": false, RoleServiceBulk: false, "=LOSS": false} {
		if expected := arguments[DutyNotify](arg, roles); (expected == "") != ok {
			t.Errorf("notify:%s: %q", arg, expected)
		}
	}
	who, about := Notified("owner + admin = LOSS")
	if !slices.Equal(who, []string{"owner", "admin"}) || about != "LOSS" {
		t.Errorf("%q about %q", who, about)
	}
}
