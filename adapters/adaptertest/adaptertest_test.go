package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/adapters"
	"github.com/guanxi-im/guanxi/adapters/memory"
)

const secret = "s3cr3t-of-the-world"

// inMemory is the harness of package memory: what an integrator's looks like.
func inMemory() (Harness, *memory.World) {
	since := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	contact := func(id adapters.ContactID, name, remark string, tags ...adapters.Tag) adapters.Contact {
		return adapters.Contact{ID: id, Name: name, Organisation: "海康采购", Follows: []adapters.Follow{{Member: "wangfang004", Remark: remark, Tags: tags, Since: since}}}
	}
	key, east := adapters.Tag{ID: "t1", Name: "重点客户", Group: "等级"}, adapters.Tag{ID: "t2", Name: "华东", Group: "区域"}
	long := adapters.ContactID(strings.Repeat("w", 64))
	texts := []adapters.Contact{
		contact("wm_zh", "周采购（海康）", "老周　ＡＢＣ", key, east),
		contact("wm_emoji", "👩‍👩‍👧 家", "🧧过年", adapters.Tag{ID: "t3", Name: "🧧", Group: "节"}),
		contact(long, strings.Repeat("长", 64), "x", east),
	}
	w := memory.New(secret,
		[]adapters.Member{{ID: "zhaomin003"}, {ID: "wangfang004"}, {ID: "liqiang005"}, {ID: "sunli006"}},
		[]adapters.Department{{ID: "1"}, {ID: "2", Parent: "1"}, {ID: "3", Parent: "2"}, {ID: "10", Parent: "1"}}, texts)
	return Harness{
		Open: func(log *slog.Logger, wrong bool) adapters.Adapter {
			if wrong {
				return w.Open("another", log)
			}
			return w.Open(secret, log)
		},
		World: World{
			Members:     []adapters.MemberID{"zhaomin003", "wangfang004", "liqiang005", "sunli006"},
			Departments: []adapters.DepartmentID{"1", "2", "3", "10"},
			Owner:       "wangfang004", Contacts: []adapters.ContactID{"wm_zh", "wm_emoji", long},
			Contact: "wm_zh", Missing: "wm_nobody", Stranger: "nobody", Texts: texts, Secrets: []string{secret, "老周", "周采购"},
		},
		Effects: w.Effects, Told: w.Told,
		Fault: func(f Fault) bool {
			switch f.Kind {
			case None:
				w.Arm(nil)
			case LoseResponse:
				w.Arm(&memory.Trouble{LoseAnswer: true})
			case Stall:
				w.Arm(&memory.Trouble{Stall: true})
			case Unreachable:
				w.Arm(&memory.Trouble{Code: adapters.Unavailable})
			case Refuse:
				t := &memory.Trouble{Code: memory.Codes[f.Code], Vendor: f.Code}
				if t.Code == adapters.OK {
					t.Code = adapters.Unknown
				}
				if t.Code == adapters.RateLimited {
					t.RetryAfter = time.Minute
				}
				w.Arm(t)
			case Expire:
				w.Expire()
			}
			return true
		},
		Tokens: w.Issued, Codes: memory.Codes, Unlisted: "E599",
	}, w
}

func TestMemory(t *testing.T) {
	Run(t, func(*testing.T) Harness { h, _ := inMemory(); return h }, Options{})
}

// bent is the adapter in memory with some of it replaced.
type bent struct {
	*memory.Adapter
	log         *slog.Logger
	describe    func() adapters.Description
	check       func(context.Context) error
	close       func() error
	blacklist   func(context.Context, adapters.BlacklistRequest) (adapters.BlacklistResult, error)
	unblacklist func(context.Context, adapters.BlacklistRequest) (adapters.BlacklistResult, error)
	members     func(context.Context, adapters.Cursor, int) (adapters.Page[adapters.Member], error)
	departments func(context.Context, adapters.Cursor, int) (adapters.Page[adapters.Department], error)
	contacts    func(context.Context, adapters.Cursor, int) (adapters.Page[adapters.Contact], error)
	contact     func(context.Context, adapters.ContactID) (adapters.Contact, error)
	notify      func(context.Context, adapters.NotifyRequest) (adapters.Outcome, error)
}

func (b *bent) Describe() adapters.Description  { return b.describe() }
func (b *bent) Check(ctx context.Context) error { return b.check(ctx) }
func (b *bent) Close() error                    { return b.close() }
func (b *bent) Blacklist(ctx context.Context, r adapters.BlacklistRequest) (adapters.BlacklistResult, error) {
	return b.blacklist(ctx, r)
}
func (b *bent) Unblacklist(ctx context.Context, r adapters.BlacklistRequest) (adapters.BlacklistResult, error) {
	return b.unblacklist(ctx, r)
}
func (b *bent) Members(ctx context.Context, at adapters.Cursor, n int) (adapters.Page[adapters.Member], error) {
	return b.members(ctx, at, n)
}
func (b *bent) Departments(ctx context.Context, at adapters.Cursor, n int) (adapters.Page[adapters.Department], error) {
	return b.departments(ctx, at, n)
}
func (b *bent) Contacts(ctx context.Context, _ adapters.MemberID, at adapters.Cursor, n int) (adapters.Page[adapters.Contact], error) {
	return b.contacts(ctx, at, n)
}
func (b *bent) Contact(ctx context.Context, id adapters.ContactID) (adapters.Contact, error) {
	return b.contact(ctx, id)
}
func (b *bent) Notify(ctx context.Context, r adapters.NotifyRequest) (adapters.Outcome, error) {
	return b.notify(ctx, r)
}

// refuse bends the error of a check.
func refuse(b *bent, bend func(*adapters.Error)) {
	b.check = func(ctx context.Context) error {
		err := b.Adapter.Check(ctx)
		if e, ok := err.(*adapters.Error); ok {
			bend(e)
		}
		return err
	}
}

// declare bends the description.
func declare(bend func(*adapters.Description)) func(*bent, *memory.World) {
	return func(b *bent, _ *memory.World) {
		b.describe = func() adapters.Description { d := b.Adapter.Describe(); bend(&d); return d }
	}
}

// bareContext answers an ended context with its own error, which leaves open whether anything happened.
func bareContext(b *bent) {
	b.check = func(ctx context.Context) error {
		if err := b.Adapter.Check(ctx); ctx.Err() == nil {
			return err
		}
		return ctx.Err()
	}
}

// useOfClosed lets what was closed complain in its own words.
func useOfClosed(b *bent, _ *memory.World) {
	var closed atomic.Bool
	b.close = func() error { closed.Store(true); return nil }
	b.check = func(ctx context.Context) error {
		if closed.Load() {
			return errors.New("use of closed connection")
		}
		return b.Adapter.Check(ctx)
	}
}

// tellsAs bends what is told.
func tellsAs(bend func(*adapters.NotifyRequest)) func(*bent, *memory.World) {
	return func(b *bent, _ *memory.World) {
		b.notify = func(ctx context.Context, r adapters.NotifyRequest) (adapters.Outcome, error) {
			bend(&r)
			return b.Adapter.Notify(ctx, r)
		}
	}
}

// tellsOn tells whatever becomes of the call.
func tellsOn(b *bent, _ *memory.World) {
	b.notify = func(ctx context.Context, r adapters.NotifyRequest) (adapters.Outcome, error) {
		return b.Adapter.Notify(context.WithoutCancel(ctx), r)
	}
}

// planted are the faults that the kit must find, by the case that must find them: what programmers get wrong. Each case
// has one at least, or it might as well not be there.
var planted = map[string][]func(*bent, *memory.World){
	"Describe/IsConstant": {func(b *bent, _ *memory.World) {
		n := 0
		b.describe = func() adapters.Description {
			d := b.Adapter.Describe()
			n++
			d.Title = fmt.Sprint(d.Title, n)
			return d
		}
	}},
	"Describe/AgreesWithCapabilities": {
		declare(func(d *adapters.Description) { d.Enforces = nil }),
		declare(func(d *adapters.Description) { d.Own = true }), // and could blacklist all the same
		declare(func(d *adapters.Description) {
			d.Enforces[adapters.BlacklistContact] = adapters.Emulated
			d.Channels = map[adapters.Action]adapters.Enforcement{adapters.BlacklistContact: adapters.Native}
		}),
		declare(func(d *adapters.Description) {
			d.Channels = map[adapters.Action]adapters.Enforcement{adapters.BlockContact: adapters.Recorded}
		}),
		declare(func(d *adapters.Description) {
			d.Channels = map[adapters.Action]adapters.Enforcement{adapters.BlacklistContact: "NONE"}
		}),
		declare(func(d *adapters.Description) {
			d.Requires = map[adapters.Action]adapters.Feature{adapters.BlacklistContact: "客户联系"}
		}),
		declare(func(d *adapters.Description) {
			d.Requires = map[adapters.Action]adapters.Feature{adapters.BlockContact: adapters.CustomerContact}
		}),
	},
	"Check/Passes": {func(b *bent, w *memory.World) {
		b.check = w.Open("wrong", b.log).Check
	}},
	"Check/WrongSecretIsUnauthenticated": {
		func(b *bent, _ *memory.World) { b.check = func(context.Context) error { return nil } },
		func(b *bent, _ *memory.World) {
			refuse(b, func(e *adapters.Error) { e.Code = adapters.PermissionDenied })
		},
	},
	"Check/UnreachableIsUnavailable": {
		func(b *bent, _ *memory.World) { // hands on what the wire said
			b.check = func(ctx context.Context) error {
				if err := b.Adapter.Check(ctx); err != nil {
					return errors.New("dial tcp: connection refused")
				}
				return nil
			}
		},
		func(b *bent, _ *memory.World) { // once down, always down
			var down error
			b.check = func(ctx context.Context) error {
				if down == nil {
					down = b.Adapter.Check(ctx)
				}
				return down
			}
		},
	},
	"Check/CancelledIsUnavailable": {
		func(b *bent, _ *memory.World) { // calls all the same
			b.check = func(ctx context.Context) error { return b.Adapter.Check(context.WithoutCancel(ctx)) }
		},
		func(b *bent, _ *memory.World) { bareContext(b) },
	},
	"Check/StalledReturns": {
		func(b *bent, _ *memory.World) {
			b.check = func(ctx context.Context) error { return b.Adapter.Check(context.WithoutCancel(ctx)) }
		},
		func(b *bent, _ *memory.World) { bareContext(b) },
	},
	"Close/EndsCalls": {
		func(b *bent, _ *memory.World) { b.close = func() error { return nil } },
		useOfClosed,
	},
	"Blacklist/ReachesTheEnd": {
		func(b *bent, _ *memory.World) { // says it did
			b.blacklist = func(ctx context.Context, r adapters.BlacklistRequest) (adapters.BlacklistResult, error) {
				s, err := b.Blacklisted(ctx, r.Owner, r.Contact)
				return adapters.BlacklistResult{Outcome: adapters.Outcome{Changed: true, Enforcement: adapters.Native}, Snapshot: s.Snapshot}, err
			}
		},
		func(b *bent, _ *memory.World) { // forgets what it took
			b.blacklist = func(ctx context.Context, r adapters.BlacklistRequest) (adapters.BlacklistResult, error) {
				res, err := b.Adapter.Blacklist(ctx, r)
				res.Snapshot.Tags = nil
				return res, err
			}
		},
	},
	"Blacklist/TwiceIsOnce": {
		func(b *bent, _ *memory.World) { // does it over each time
			b.blacklist = func(ctx context.Context, r adapters.BlacklistRequest) (adapters.BlacklistResult, error) {
				if _, err := b.Adapter.Unblacklist(ctx, r); err != nil {
					return adapters.BlacklistResult{}, err
				}
				return b.Adapter.Blacklist(ctx, r)
			}
		},
		func(b *bent, _ *memory.World) { // overwrites what is held with the nothing that it finds
			b.blacklist = func(ctx context.Context, r adapters.BlacklistRequest) (adapters.BlacklistResult, error) {
				r.Held = nil
				return b.Adapter.Blacklist(ctx, r)
			}
		},
	},
	"Blacklist/LostAnswerThenRetryIsOnce": {
		func(b *bent, _ *memory.World) { // takes a lost answer for a failure
			b.blacklist = func(ctx context.Context, r adapters.BlacklistRequest) (adapters.BlacklistResult, error) {
				res, err := b.Adapter.Blacklist(ctx, r)
				if e, ok := err.(*adapters.Error); ok {
					e.Code = adapters.Unavailable
				}
				return res, err
			}
		},
		func(b *bent, _ *memory.World) { // keeps nothing beside an error
			b.blacklist = func(ctx context.Context, r adapters.BlacklistRequest) (adapters.BlacklistResult, error) {
				res, err := b.Adapter.Blacklist(ctx, r)
				if err != nil {
					res = adapters.BlacklistResult{}
				}
				return res, err
			}
		},
	},
	"Blacklist/MissingContactIsNotFound": {func(b *bent, _ *memory.World) {
		b.blacklist = func(ctx context.Context, r adapters.BlacklistRequest) (adapters.BlacklistResult, error) {
			res, err := b.Adapter.Blacklist(ctx, r)
			if adapters.CodeOf(err) == adapters.NotFound {
				err = nil
			}
			return res, err
		}
	}},
	"Blacklist/CancelledChangesNothing": {func(b *bent, _ *memory.World) {
		b.blacklist = func(ctx context.Context, r adapters.BlacklistRequest) (adapters.BlacklistResult, error) {
			return b.Adapter.Blacklist(context.WithoutCancel(ctx), r)
		}
	}},
	"Blacklist/StalledReturns": {func(b *bent, _ *memory.World) {
		b.blacklist = func(ctx context.Context, r adapters.BlacklistRequest) (adapters.BlacklistResult, error) {
			return b.Adapter.Blacklist(context.WithoutCancel(ctx), r)
		}
	}},
	"Unblacklist/PutsTheSnapshotBack": {func(b *bent, _ *memory.World) {
		b.unblacklist = func(ctx context.Context, r adapters.BlacklistRequest) (adapters.BlacklistResult, error) {
			r.Held = nil
			return b.Adapter.Unblacklist(ctx, r)
		}
	}},
	"Unblacklist/TwiceIsOnce": {func(b *bent, _ *memory.World) {
		b.unblacklist = func(ctx context.Context, r adapters.BlacklistRequest) (adapters.BlacklistResult, error) {
			res, err := b.Adapter.Unblacklist(ctx, r)
			res.Changed = true
			return res, err
		}
	}},
	"Unblacklist/WithoutSnapshotPutsNothingBack": {func(b *bent, _ *memory.World) {
		var last adapters.Snapshot
		b.blacklist = func(ctx context.Context, r adapters.BlacklistRequest) (adapters.BlacklistResult, error) {
			res, err := b.Adapter.Blacklist(ctx, r)
			last = res.Snapshot
			return res, err
		}
		b.unblacklist = func(ctx context.Context, r adapters.BlacklistRequest) (adapters.BlacklistResult, error) {
			r.Held = &last
			return b.Adapter.Unblacklist(ctx, r)
		}
	}},
	"Unblacklist/NamesWhatIsGone": {
		func(b *bent, _ *memory.World) {
			b.unblacklist = func(ctx context.Context, r adapters.BlacklistRequest) (adapters.BlacklistResult, error) {
				res, err := b.Adapter.Unblacklist(ctx, r)
				res.Short = nil
				return res, err
			}
		},
		func(b *bent, _ *memory.World) { // and takes it for another's
			b.unblacklist = func(ctx context.Context, r adapters.BlacklistRequest) (adapters.BlacklistResult, error) {
				res, err := b.Adapter.Unblacklist(ctx, r)
				for i := range res.Short {
					res.Short[i].Code = adapters.ShortNotOurs
				}
				return res, err
			}
		},
	},
	"Blacklist/ShortfallsSayWhy": {
		func(b *bent, _ *memory.World) { // of a code that nobody has a sentence for
			b.blacklist = func(ctx context.Context, r adapters.BlacklistRequest) (adapters.BlacklistResult, error) {
				res, err := b.Adapter.Blacklist(ctx, r)
				res.Short = append(res.Short, adapters.Shortfall{Code: "PERSONAL", What: "personal tags: 1", Why: "only the member can take them off"})
				return res, err
			}
		},
		func(b *bent, _ *memory.World) { // without one
			b.unblacklist = func(ctx context.Context, r adapters.BlacklistRequest) (adapters.BlacklistResult, error) {
				res, err := b.Adapter.Unblacklist(ctx, r)
				res.Short = append(res.Short, adapters.Shortfall{What: "remark", Why: "there was none"})
				return res, err
			}
		},
		func(b *bent, _ *memory.World) { // of what, it does not say
			b.unblacklist = func(ctx context.Context, r adapters.BlacklistRequest) (adapters.BlacklistResult, error) {
				res, err := b.Adapter.Unblacklist(ctx, r)
				res.Short = append(res.Short, adapters.Shortfall{Code: adapters.ShortEmpty, Why: "there was none"})
				return res, err
			}
		},
	},
	"Notify/ReachesTheMember": {
		func(b *bent, _ *memory.World) { // says it did
			b.notify = func(context.Context, adapters.NotifyRequest) (adapters.Outcome, error) {
				return adapters.Outcome{Enforcement: adapters.Native}, nil
			}
		},
		tellsAs(func(r *adapters.NotifyRequest) { r.Text = strings.ReplaceAll(r.Text, "<", "&lt;") }),
		tellsAs(func(r *adapters.NotifyRequest) { r.To = "zhaomin003" }),
	},
	"Notify/TwiceIsOnce":               {tellsAs(func(r *adapters.NotifyRequest) { r.Key = adapters.Key(fmt.Sprint(time.Now().UnixNano())) })},
	"Notify/OtherKeySameTextIsAnother": {tellsAs(func(r *adapters.NotifyRequest) { r.Key = adapters.Key(r.Text) })}, // as a vendor does that compares texts
	"Notify/LongTextsStayApart": {
		tellsAs(func(r *adapters.NotifyRequest) { r.Key = adapters.Key((r.Text + string(r.Key))[:2048]) }),
		tellsAs(func(r *adapters.NotifyRequest) { r.Text = r.Text[:min(2000, len(r.Text))] + "\uFFFD" }),
		tellsAs(func(r *adapters.NotifyRequest) { r.Text = r.Text[:min(140, len(r.Text))] }),
	},
	"Notify/LostAnswerThenRetryIsOnce": {func(b *bent, _ *memory.World) { // takes a lost answer for a failure
		b.notify = func(ctx context.Context, r adapters.NotifyRequest) (adapters.Outcome, error) {
			out, err := b.Adapter.Notify(ctx, r)
			if e, ok := err.(*adapters.Error); ok {
				e.Code = adapters.Unavailable
			}
			return out, err
		}
	}},
	"Notify/StrangerIsNotFound": {func(b *bent, _ *memory.World) {
		b.notify = func(ctx context.Context, r adapters.NotifyRequest) (adapters.Outcome, error) {
			out, err := b.Adapter.Notify(ctx, r)
			if adapters.CodeOf(err) == adapters.NotFound {
				err = nil
			}
			return out, err
		}
	}},
	"Notify/CancelledTellsNothing": {tellsOn},
	"Notify/StalledReturns":        {tellsOn},
	"Contact/MissingIsNotFound": {func(b *bent, _ *memory.World) {
		b.contact = func(ctx context.Context, id adapters.ContactID) (adapters.Contact, error) {
			c, _ := b.Adapter.Contact(ctx, id)
			return c, nil
		}
	}},
	"Errors/EveryRowOfTheTable": {
		func(b *bent, _ *memory.World) { refuse(b, func(e *adapters.Error) { e.Code = adapters.Unavailable }) },
		func(b *bent, _ *memory.World) { refuse(b, func(e *adapters.Error) { e.Vendor.Docs = "" }) },
		func(b *bent, _ *memory.World) {
			refuse(b, func(e *adapters.Error) {
				if e.Code == adapters.Unknown {
					e.Code = adapters.Internal
				}
			})
		},
	},
	"Errors/TellNoSecret": {
		func(b *bent, _ *memory.World) { refuse(b, func(e *adapters.Error) { e.Message += " for " + secret }) },
		func(b *bent, _ *memory.World) {
			refuse(b, func(e *adapters.Error) { e.Err = fmt.Errorf("GET https://example.org/?secret=%s", secret) })
		},
		func(b *bent, _ *memory.World) { // only of a call that found nobody
			b.check = func(ctx context.Context) error {
				err := b.Adapter.Check(ctx)
				if e, ok := err.(*adapters.Error); ok && e.Vendor.Code == "" && ctx.Err() == nil {
					e.Err = fmt.Errorf("dial https://example.org/?secret=%s", secret)
				}
				return err
			}
		},
		func(b *bent, _ *memory.World) {
			b.blacklist = func(ctx context.Context, r adapters.BlacklistRequest) (adapters.BlacklistResult, error) {
				res, err := b.Adapter.Blacklist(ctx, r)
				b.log.Debug("took", "remark", res.Snapshot.Remark)
				return res, err
			}
		},
		func(b *bent, _ *memory.World) {
			b.notify = func(ctx context.Context, r adapters.NotifyRequest) (adapters.Outcome, error) {
				b.log.Debug("told", "text", r.Text)
				return b.Adapter.Notify(ctx, r)
			}
		},
	},
	"Limit/RetryAfterSurfaces": {func(b *bent, _ *memory.World) { refuse(b, func(e *adapters.Error) { e.RetryAfter = 0 }) }},
	"Token/ColdStartFetchesOnce": {func(b *bent, w *memory.World) {
		b.check = func(ctx context.Context) error { return w.Open(secret, b.log).Check(ctx) }
	}},
	"Token/ExpiryRefreshesOnce": {func(b *bent, w *memory.World) {
		var warm atomic.Bool
		b.check = func(ctx context.Context) error {
			if warm.Swap(true) {
				return w.Open(secret, b.log).Check(ctx)
			}
			return b.Adapter.Check(ctx)
		}
	}},
	"Text/ReadsUnchanged": {func(b *bent, _ *memory.World) {
		b.contact = func(ctx context.Context, id adapters.ContactID) (adapters.Contact, error) {
			c, err := b.Adapter.Contact(ctx, id)
			c.Name = c.Name[:min(10, len(c.Name))] // bytes
			return c, err
		}
	}},
	"Text/SurvivesBlacklistAndUndo": {func(b *bent, _ *memory.World) {
		b.unblacklist = func(ctx context.Context, r adapters.BlacklistRequest) (adapters.BlacklistResult, error) {
			held := *r.Held
			held.Tags = held.Tags[:len(held.Tags)-1]
			r.Held = &held
			return b.Adapter.Unblacklist(ctx, r)
		}
	}},
	"Race/ManyAtOnce": {
		func(b *bent, _ *memory.World) { // serves one at a time
			var busy sync.Mutex
			b.check = func(ctx context.Context) error {
				if !busy.TryLock() {
					return &adapters.Error{Code: adapters.Unavailable, Op: "memory.Check", Message: "busy"}
				}
				defer busy.Unlock()
				time.Sleep(time.Millisecond)
				return b.Adapter.Check(ctx)
			}
		},
		useOfClosed,
	},
	"Race/OneEffectOfMany": {func(b *bent, _ *memory.World) {
		b.blacklist = func(ctx context.Context, r adapters.BlacklistRequest) (adapters.BlacklistResult, error) {
			s, err := b.Blacklisted(ctx, r.Owner, r.Contact)
			if err != nil || s.Listed {
				return adapters.BlacklistResult{Snapshot: s.Snapshot}, err
			}
			runtime.Gosched()
			time.Sleep(time.Millisecond) // and meanwhile another reads the same
			res, err := b.Adapter.Blacklist(ctx, r)
			res.Changed = true
			return res, err
		}
	}},
}

type pageOf[T any] = func(context.Context, adapters.Cursor, int) (adapters.Page[T], error)

// plantPages plants the faults of listings. At is where the listing stands in an adapter.
func plantPages[T any](name string, at func(*bent) *pageOf[T]) {
	plant := func(suffix string, bend func(intact pageOf[T]) pageOf[T]) {
		c := "Page/" + name + "/" + suffix
		planted[c] = append(planted[c], func(b *bent, _ *memory.World) { p := at(b); *p = bend(*p) })
	}
	answer := func(bend func(adapters.Page[T]) adapters.Page[T]) func(pageOf[T]) pageOf[T] {
		return func(intact pageOf[T]) pageOf[T] {
			return func(ctx context.Context, at adapters.Cursor, n int) (adapters.Page[T], error) {
				p, err := intact(ctx, at, n)
				return bend(p), err
			}
		}
	}
	plant("CompleteAndDisjoint", answer(func(p adapters.Page[T]) adapters.Page[T] { // loses the last of a long page
		if p.Next == "" && len(p.Items) > 1 {
			p.Items = p.Items[:len(p.Items)-1]
		}
		return p
	}))
	plant("CompleteAndDisjoint", func(intact pageOf[T]) pageOf[T] { // starts the second page where the first ended
		return func(ctx context.Context, at adapters.Cursor, n int) (adapters.Page[T], error) {
			p, err := intact(ctx, at, n)
			if at != "" && err == nil {
				first, _ := intact(ctx, "", 1)
				p.Items = append(first.Items, p.Items...)
			}
			return p, err
		}
	})
	plant("CompleteAndDisjoint", answer(func(p adapters.Page[T]) adapters.Page[T] { p.Next = "after:!"; return p })) // walks in a circle
	plant("ResumesElsewhere", func(intact pageOf[T]) pageOf[T] {                                                     // its cursors mean something to itself only
		var mu sync.Mutex
		places := map[adapters.Cursor]adapters.Cursor{}
		return func(ctx context.Context, at adapters.Cursor, n int) (adapters.Page[T], error) {
			mu.Lock()
			defer mu.Unlock()
			p, err := intact(ctx, places[at], n)
			if p.Next != "" {
				c := adapters.Cursor(fmt.Sprint(len(places)))
				places[c], p.Next = p.Next, c
			}
			return p, err
		}
	})
	plant("EarlyBreakLeaksNothing", func(intact pageOf[T]) pageOf[T] { // reads ahead into a channel that nobody empties
		return func(ctx context.Context, at adapters.Cursor, n int) (adapters.Page[T], error) {
			ahead := make(chan adapters.Page[T])
			go func() {
				select {
				case ahead <- adapters.Page[T]{}:
				case <-ctx.Done():
				}
			}()
			return intact(ctx, at, n)
		}
	})
	plant("ForeignCursorIsInvalid", func(intact pageOf[T]) pageOf[T] { // begins again
		return func(ctx context.Context, at adapters.Cursor, n int) (adapters.Page[T], error) {
			p, err := intact(ctx, at, n)
			if adapters.CodeOf(err) == adapters.InvalidArgument {
				return intact(ctx, "", n)
			}
			return p, err
		}
	})
}

func init() {
	plantPages("Members", func(b *bent) *pageOf[adapters.Member] { return &b.members })
	plantPages("Departments", func(b *bent) *pageOf[adapters.Department] { return &b.departments })
	plantPages("Contacts", func(b *bent) *pageOf[adapters.Contact] { return &b.contacts })
}

// broken is the harness with a fault planted in its adapters; nil plants none.
func broken(plant func(*bent, *memory.World)) Harness {
	h, w := inMemory()
	open := h.Open
	h.Open = func(log *slog.Logger, wrong bool) adapters.Adapter {
		a := open(log, wrong).(*memory.Adapter)
		b := &bent{Adapter: a, log: log, describe: a.Describe, check: a.Check, close: a.Close, blacklist: a.Blacklist, unblacklist: a.Unblacklist,
			members: a.Members, departments: a.Departments, contact: a.Contact, notify: a.Notify}
		b.contacts = func(ctx context.Context, at adapters.Cursor, n int) (adapters.Page[adapters.Contact], error) {
			return a.Contacts(ctx, h.World.Owner, at, n)
		}
		if plant != nil {
			plant(b, w)
		}
		return b
	}
	return h
}

// A kit that never fails proves nothing.
func TestEveryCaseFindsItsFault(t *testing.T) {
	known := map[string]bool{}
	for _, c := range cases {
		known[c.name] = true
		if skip, err := c.judge(t.Context(), func() Harness { return broken(nil) }, Options{}); err != nil || skip != "" {
			t.Errorf("%s does not pass the intact adapter: %v %s", c.name, err, skip)
		}
		if len(planted[c.name]) == 0 {
			t.Errorf("%s: no fault is planted for it", c.name)
		}
		for i, plant := range planted[c.name] {
			if skip, err := c.judge(t.Context(), func() Harness { return broken(plant) }, Options{}); err == nil {
				t.Errorf("%s does not find fault %d that is planted for it (%s)", c.name, i+1, skip)
			} else {
				t.Logf("%s, fault %d: %v", c.name, i+1, err)
			}
		}
	}
	for name := range planted {
		if !known[name] {
			t.Errorf("a fault is planted for %s, and there is no such case", name)
		}
	}
}

func TestWaivers(t *testing.T) {
	c := testCase{"Case", always, func(*try) error { return nil }}
	fails := testCase{"Case", always, func(*try) error { return errUnable }}
	bad := testCase{"Case", always, func(t *try) error { return want(adapters.NotFound, nil) }}
	start := func() Harness { return broken(nil) }
	waive := func(why string) Options { return Options{Waive: map[string]string{"Case": why}} }
	for _, tt := range []struct {
		name         string
		c            testCase
		o            Options
		fails, skips bool
	}{
		{"passes", c, Options{}, false, false},
		{"fails", bad, Options{}, true, false},
		{"waived and fails", bad, waive("the vendor has none"), false, true},
		{"waived without a reason", bad, waive(""), true, false},
		{"waived and passes", c, waive("the vendor has none"), true, false},
		{"cannot be played", fails, Options{}, false, true},
	} {
		skip, err := tt.c.judge(t.Context(), start, tt.o)
		if (err != nil) != tt.fails || (skip != "") != tt.skips {
			t.Errorf("%s: error %v, skip %q", tt.name, err, skip)
		}
	}
}
