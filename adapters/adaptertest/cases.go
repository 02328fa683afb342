package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/guanxi-im/guanxi/adapters"
)

// cases is the specification, in the order in which an integrator meets it.
var cases = slices.Concat([]testCase{
	{"Describe/IsConstant", always, describeConstant},
	{"Describe/AgreesWithCapabilities", always, func(t *try) error { return adapters.Agree(t.opens[0]) }},
	{"Check/Passes", always, func(t *try) error { return t.opens[0].Check(t) }},
	{"Check/WrongSecretIsUnauthenticated", vendored, checkWrongSecret},
	{"Check/UnreachableIsUnavailable", always, checkUnreachable},
	{"Check/CancelledIsUnavailable", always, checkCancelled},
	{"Check/StalledReturns", always, checkStalled},
	{"Close/EndsCalls", always, closeEnds},

	{"Blacklist/ReachesTheEnd", blacklists, blacklistReaches},
	{"Blacklist/TwiceIsOnce", blacklists, blacklistTwice},
	{"Blacklist/LostAnswerThenRetryIsOnce", blacklists, blacklistLost},
	{"Blacklist/MissingContactIsNotFound", blacklists, blacklistMissing},
	{"Blacklist/CancelledChangesNothing", blacklists, blacklistCancelled},
	{"Blacklist/StalledReturns", blacklists, blacklistStalled},
	{"Unblacklist/PutsTheSnapshotBack", blacklists, unblacklistRestores},
	{"Unblacklist/TwiceIsOnce", blacklists, unblacklistTwice},
	{"Unblacklist/WithoutSnapshotPutsNothingBack", blacklists, unblacklistBare},
	{"Unblacklist/NamesWhatIsGone", blacklists, unblacklistGone},
	{"Blacklist/ShortfallsSayWhy", blacklists, shortfallsSayWhy},
	{"Notify/ReachesTheMember", notifies, notifyReaches},
	{"Notify/TwiceIsOnce", notifies, notifyTwice},
	{"Notify/LostAnswerThenRetryIsOnce", notifies, notifyLost},
	{"Notify/OtherKeySameTextIsAnother", notifies, notifyOther},
	{"Notify/LongTextsStayApart", notifies, notifyLong},
	{"Notify/StrangerIsNotFound", notifies, notifyStranger},
	{"Notify/CancelledTellsNothing", notifies, notifyCancelled},
	{"Notify/StalledReturns", notifies, notifyStalled},
}, listing("Members", func(t *try, a adapters.Adapter) pager[adapters.MemberID] {
	return keys(a.(adapters.MemberReader).Members, func(m adapters.Member) adapters.MemberID { return m.ID })
}, has[adapters.MemberReader], func(w World) []adapters.MemberID { return w.Members },
), listing("Departments", func(t *try, a adapters.Adapter) pager[adapters.DepartmentID] {
	return keys(a.(adapters.DepartmentReader).Departments, func(d adapters.Department) adapters.DepartmentID { return d.ID })
}, has[adapters.DepartmentReader], func(w World) []adapters.DepartmentID { return w.Departments },
), listing("Contacts", func(t *try, a adapters.Adapter) pager[adapters.ContactID] {
	return keys(func(ctx context.Context, at adapters.Cursor, size int) (adapters.Page[adapters.Contact], error) {
		return a.(adapters.ContactReader).Contacts(ctx, t.World.Owner, at, size)
	}, func(c adapters.Contact) adapters.ContactID { return c.ID })
}, has[adapters.ContactReader], func(w World) []adapters.ContactID { return w.Contacts },
), []testCase{
	{"Contact/MissingIsNotFound", has[adapters.ContactReader], contactMissing},
	{"Errors/EveryRowOfTheTable", vendored, errorsTable},
	{"Errors/TellNoSecret", always, errorsSecret},
	{"Limit/RetryAfterSurfaces", vendored, limitSurfaces},
	{"Token/ColdStartFetchesOnce", always, tokenCold},
	{"Token/ExpiryRefreshesOnce", always, tokenExpiry},
	{"Text/ReadsUnchanged", has[adapters.ContactReader], textReads},
	{"Text/SurvivesBlacklistAndUndo", func(a adapters.Adapter) bool { return blacklists(a) && has[adapters.ContactReader](a) }, textRoundTrip},
	{"Race/ManyAtOnce", always, raceMany},
	{"Race/OneEffectOfMany", blacklists, raceOne},
})

func describeConstant(t *try) error {
	text := func() string { return fmt.Sprintf("%#v", t.opens[0].Describe()) }
	if x, y := text(), text(); x != y {
		return fmt.Errorf("the description was %s and is %s", x, y)
	}
	return nil
}

func checkWrongSecret(t *try) error {
	a := t.Open(slog.New(slog.DiscardHandler), true)
	defer a.Close()
	return want(adapters.Unauthenticated, a.Check(t))
}

// checkUnreachable loses the vendor, and finds it again: an adapter must not take a moment's trouble for lasting.
func checkUnreachable(t *try) error {
	if err := t.opens[0].Check(t); err != nil { // let it have its token
		return err
	}
	if err := t.fault(Unreachable, ""); err != nil {
		return err
	}
	if err := want(adapters.Unavailable, t.opens[0].Check(t)); err != nil {
		return err
	}
	if err := t.fault(None, ""); err != nil {
		return err
	}
	if err := t.opens[0].Check(t); err != nil {
		return fmt.Errorf("reachable again: %w", err)
	}
	return nil
}

func checkCancelled(t *try) error {
	ctx, cancel := context.WithCancel(t)
	cancel()
	return want(adapters.Unavailable, t.opens[0].Check(ctx))
}

func checkStalled(t *try) error {
	err := t.stalled(t.opens[0].Check)
	if c := adapters.CodeOf(err); c != adapters.Unavailable {
		return fmt.Errorf("code %v, want Unavailable, as a reading changes nothing (%v)", c, err)
	}
	return nil
}

// soon is when a call must have come back after its end.
const soon = 2 * time.Second

// stalled makes a call that nobody answers, and answers its error once its context has ended.
func (t *try) stalled(call func(context.Context) error) error {
	if err := t.opens[0].Check(t); err != nil { // let it have its token
		return err
	}
	if err := t.fault(Stall, ""); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(t, 50*time.Millisecond)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- call(ctx) }()
	select {
	case err := <-done:
		return err
	case <-time.After(soon):
		return errors.New("the call outlives its context")
	}
}

func closeEnds(t *try) error {
	a := t.opens[0]
	if err := a.Check(t); err != nil {
		return err
	}
	if err := a.Close(); err != nil {
		return err
	}
	if err := want(adapters.Unavailable, a.Check(t)); err != nil {
		return fmt.Errorf("closed: %w", err)
	}
	return nil
}

// What follows is blacklisting.

type blacklister interface {
	adapters.Blacklister
	adapters.BlacklistReader
}

func blacklists(a adapters.Adapter) bool { return has[blacklister](a) }

// key is the one key of a case.
const key adapters.Key = "0197a5c0-0000-7000-8000-000000000001"

func (t *try) request(held *adapters.Snapshot) adapters.BlacklistRequest {
	return adapters.BlacklistRequest{Call: adapters.Call{Key: key, Reason: "多次骚扰客服"}, Owner: t.World.Owner, Contact: t.World.Contact, Held: held}
}

// state reads the contact's state through a new adapter, which can only know what the vendor knows.
func (t *try) state() (adapters.BlacklistState, error) {
	return t.open().(blacklister).Blacklisted(t, t.World.Owner, t.World.Contact)
}

// one counts the effects of one undisturbed blacklisting, in a world of its own.
func (t *try) one() (int, error) {
	u := &try{Context: t.Context, Harness: t.start(), start: t.start, log: new(journal)}
	a := u.open()
	defer a.Close()
	_, err := a.(blacklister).Blacklist(u, u.request(nil))
	n := u.Effects(key)
	if err == nil && n == 0 {
		err = errors.New("a blacklisting had no effect at the vendor")
	}
	return n, err
}

// effects fails unless the vendor changed as much as one undisturbed blacklisting.
func (t *try) effects() error {
	want, err := t.one()
	if got := t.Effects(key); err == nil && got != want {
		err = fmt.Errorf("%d effects at the vendor, want %d", got, want)
	}
	return err
}

// same compares snapshots; the order of tags means nothing.
func same(got, want adapters.Snapshot) error {
	ids := func(s adapters.Snapshot) (out []adapters.TagID) {
		for _, t := range s.Tags {
			out = append(out, t.ID)
		}
		slices.Sort(out)
		return out
	}
	if g, w := ids(got), ids(want); !slices.Equal(g, w) {
		return fmt.Errorf("tags %q, want %q", g, w)
	}
	if got.Remark != want.Remark {
		return fmt.Errorf("remark %q, want %q", got.Remark, want.Remark)
	}
	return nil
}

// blacklisted blacklists the contact and answers what it was before.
func (t *try) blacklisted() (before adapters.BlacklistState, res adapters.BlacklistResult, err error) {
	if before, err = t.state(); err != nil {
		return before, res, err
	}
	if before.Listed || len(before.Snapshot.Tags) < 2 || before.Snapshot.Remark == "" {
		return before, res, errors.New("the harness's contact is listed, or lacks tags or a remark")
	}
	res, err = t.opens[0].(blacklister).Blacklist(t, t.request(nil))
	return before, res, err
}

func blacklistReaches(t *try) error {
	before, res, err := t.blacklisted()
	if err != nil {
		return err
	}
	if e := t.opens[0].Describe().Enforces[adapters.BlacklistContact]; res.Enforcement != e || !res.Changed {
		return fmt.Errorf("enforcement %q, changed %t; want %q and a change", res.Enforcement, res.Changed, e)
	}
	if err := same(res.Snapshot, before.Snapshot); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	after, err := t.state()
	if err == nil && (!after.Listed || len(after.Snapshot.Tags) > 0) {
		err = fmt.Errorf("read back: listed %t with %d tags", after.Listed, len(after.Snapshot.Tags))
	}
	return err
}

func blacklistTwice(t *try) error {
	before, first, err := t.blacklisted()
	if err != nil {
		return err
	}
	again, err := t.open().(blacklister).Blacklist(t, t.request(&first.Snapshot))
	if err != nil {
		return err
	}
	if again.Changed {
		return errors.New("the repeat says that it changed something")
	}
	if err := same(again.Snapshot, before.Snapshot); err != nil {
		return fmt.Errorf("the repeat's snapshot: %w", err)
	}
	return t.effects()
}

// blacklistLost does what a caller does: read, keep, call, and after a lost answer read again and call again, with the
// same key and through a new adapter, as after a restart.
func blacklistLost(t *try) error {
	before, err := t.state()
	if err != nil {
		return err
	}
	if err := t.fault(LoseResponse, ""); err != nil {
		return err
	}
	res, err := t.opens[0].(blacklister).Blacklist(t, t.request(&before.Snapshot))
	if err := want(adapters.Indeterminate, err); err != nil {
		return fmt.Errorf("lost answer: %w", err)
	}
	if err := same(res.Snapshot, before.Snapshot); err != nil {
		return fmt.Errorf("the snapshot beside the error: %w", err)
	}
	if err := t.fault(None, ""); err != nil {
		return err
	}
	if _, err := t.state(); err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	if res, err = t.open().(blacklister).Blacklist(t, t.request(&before.Snapshot)); err != nil {
		return fmt.Errorf("retry: %w", err)
	}
	if err := same(res.Snapshot, before.Snapshot); err != nil {
		return fmt.Errorf("the retry's snapshot: %w", err)
	}
	if after, err := t.state(); err != nil || !after.Listed {
		return fmt.Errorf("after the retry: listed %t (%v)", after.Listed, err)
	}
	return t.effects()
}

func blacklistMissing(t *try) error {
	req := t.request(nil)
	req.Contact = t.World.Missing
	if _, err := t.opens[0].(blacklister).Blacklist(t, req); want(adapters.NotFound, err) != nil {
		return want(adapters.NotFound, err)
	}
	if n := t.Effects(key); n != 0 {
		return fmt.Errorf("%d effects on nobody", n)
	}
	return nil
}

func blacklistCancelled(t *try) error {
	ctx, cancel := context.WithCancel(t)
	cancel()
	_, err := t.opens[0].(blacklister).Blacklist(ctx, t.request(nil))
	if err := want(adapters.Unavailable, err); err != nil { // nothing was sent, and the caller may know that
		return err
	}
	if n := t.Effects(key); n != 0 {
		return fmt.Errorf("%d effects under a cancelled context", n)
	}
	return nil
}

func blacklistStalled(t *try) error {
	err := t.stalled(func(ctx context.Context) error {
		_, err := t.opens[0].(blacklister).Blacklist(ctx, t.request(nil))
		return err
	})
	if c := adapters.CodeOf(err); c != adapters.Indeterminate && c != adapters.Unavailable {
		return fmt.Errorf("code %v, want Indeterminate, or Unavailable where only a reading was under way (%v)", c, err)
	}
	return nil
}

func unblacklistRestores(t *try) error {
	before, res, err := t.blacklisted()
	if err != nil {
		return err
	}
	undo, err := t.open().(blacklister).Unblacklist(t, t.request(&res.Snapshot))
	if err != nil {
		return err
	}
	if !undo.Changed || len(undo.Short) > 0 {
		return fmt.Errorf("changed %t, short of %v", undo.Changed, undo.Short)
	}
	after, err := t.state()
	if err == nil && after.Listed {
		err = errors.New("still listed")
	}
	if err == nil {
		err = same(after.Snapshot, before.Snapshot)
	}
	return err
}

func unblacklistTwice(t *try) error {
	_, res, err := t.blacklisted()
	if err != nil {
		return err
	}
	for i, changed := range []bool{true, false} {
		effects := t.Effects(key)
		undo, err := t.opens[0].(blacklister).Unblacklist(t, t.request(&res.Snapshot))
		if err != nil {
			return fmt.Errorf("call %d: %w", i+1, err)
		}
		if did := t.Effects(key) > effects; undo.Changed != changed || did != changed {
			return fmt.Errorf("call %d: says changed %t, did change %t; want %t", i+1, undo.Changed, did, changed)
		}
	}
	return nil
}

func unblacklistBare(t *try) error {
	if _, _, err := t.blacklisted(); err != nil {
		return err
	}
	if _, err := t.opens[0].(blacklister).Unblacklist(t, t.request(nil)); err != nil {
		return err
	}
	after, err := t.state()
	if err == nil && (after.Listed || len(after.Snapshot.Tags) > 0) {
		err = fmt.Errorf("listed %t with %d tags; lifting puts none back", after.Listed, len(after.Snapshot.Tags))
	}
	return err
}

func unblacklistGone(t *try) error {
	before, res, err := t.blacklisted()
	if err != nil {
		return err
	}
	undo, err := t.opens[0].(blacklister).Unblacklist(t, t.request(withGone(res.Snapshot)))
	if err != nil {
		return err
	}
	if len(undo.Short) != 1 || undo.Short[0].What != gone || undo.Short[0].Code != adapters.ShortGone {
		return fmt.Errorf("short of %+v, want %s as %s", undo.Short, gone, adapters.ShortGone)
	}
	after, err := t.state()
	if err == nil {
		err = same(after.Snapshot, before.Snapshot)
	}
	return err
}

// gone is a tag that is not in the platform's library.
const gone = "no-such-tag"

func withGone(s adapters.Snapshot) *adapters.Snapshot {
	s.Tags = append(slices.Clone(s.Tags), adapters.Tag{ID: gone, Name: "已删除"})
	return &s
}

// shortfallsSayWhy blacklists each contact and undoes it. People are told by the code, so that one without a sentence
// would leave them with nothing.
func shortfallsSayWhy(t *try) error {
	a := t.opens[0].(blacklister)
	for _, id := range t.World.Contacts {
		req := t.request(nil)
		req.Contact = id
		res, err := a.Blacklist(t, req)
		if err != nil {
			return fmt.Errorf("%q: %w", id, err)
		}
		req.Held = withGone(res.Snapshot)
		undo, err := a.Unblacklist(t, req)
		if err != nil {
			return fmt.Errorf("%q: undo: %w", id, err)
		}
		for _, s := range slices.Concat(res.Short, undo.Short) {
			if !slices.Contains([]adapters.ShortfallCode{adapters.ShortGone, adapters.ShortNotOurs, adapters.ShortEmpty}, s.Code) || s.What == "" || s.Why == "" {
				return fmt.Errorf("%q: short of %+v, want a known code, what and why", id, s)
			}
		}
	}
	return nil
}

// raceMany calls one adapter from many goroutines, and then closes it under them.
func raceMany(t *try) error {
	a := t.opens[0]
	errs := make([]error, crowd)
	var wg sync.WaitGroup
	for i := range crowd {
		wg.Go(func() { _, errs[i] = a.Describe(), a.Check(t) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	ended := make(chan error, crowd)
	for range crowd {
		go func() {
			for {
				if err := a.Check(t); err != nil {
					ended <- err
					return
				}
			}
		}()
	}
	if err := a.Close(); err != nil {
		return err
	}
	late := time.After(soon)
	for range crowd {
		select {
		case err := <-ended:
			if err := want(adapters.Unavailable, err); err != nil {
				return fmt.Errorf("closed under way: %w", err)
			}
		case <-late:
			return errors.New("calls go on after the adapter was closed")
		}
	}
	return nil
}

func raceOne(t *try) error {
	const many = 16
	a := t.opens[0].(blacklister)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	changed := 0
	for i := range many {
		wg.Go(func() {
			res, err := a.Blacklist(t, t.request(nil))
			if _, readErr := a.Blacklisted(t, t.World.Owner, t.World.Contacts[i%len(t.World.Contacts)]); err == nil {
				err = readErr
			}
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
			if res.Changed {
				changed++
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if changed != 1 {
		return fmt.Errorf("%d of %d say that they changed it", changed, many)
	}
	return t.effects()
}

// What follows is listing.

type pager[K comparable] func(ctx context.Context, at adapters.Cursor, size int) ([]K, adapters.Cursor, error)

// keys turns a listing into one of ids.
func keys[T any, K comparable](page func(context.Context, adapters.Cursor, int) (adapters.Page[T], error), key func(T) K) pager[K] {
	return func(ctx context.Context, at adapters.Cursor, size int) ([]K, adapters.Cursor, error) {
		p, err := page(ctx, at, size)
		out := make([]K, len(p.Items))
		for i, it := range p.Items {
			out[i] = key(it)
		}
		return out, p.Next, err
	}
}

// listing is the cases of one listing.
func listing[K ~string](name string, of func(*try, adapters.Adapter) pager[K], need func(adapters.Adapter) bool, all func(World) []K) []testCase {
	complete := func(t *try, got []K) error {
		want := slices.Sorted(slices.Values(all(t.World)))
		slices.Sort(got)
		if len(want) < 3 {
			return fmt.Errorf("the harness's world has %d of them, too few to page", len(want))
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("listed %q, want each once of %q", got, want)
		}
		return nil
	}
	return []testCase{
		{"Page/" + name + "/CompleteAndDisjoint", need, func(t *try) error {
			for _, size := range []int{1, 2, len(all(t.World)), 1000} {
				var got []K
				walk := of(t, t.opens[0])
				for k, err := range adapters.Each(t, size, func(ctx context.Context, at adapters.Cursor, n int) (adapters.Page[K], error) {
					items, next, err := walk(ctx, at, n)
					if len(items) > n {
						err = fmt.Errorf("%d items on a page of %d", len(items), n)
					}
					return adapters.Page[K]{Items: items, Next: next}, err
				}) {
					if err != nil {
						return fmt.Errorf("by %d: %w", size, err)
					}
					got = append(got, k)
				}
				if err := complete(t, got); err != nil {
					return fmt.Errorf("by %d: %w", size, err)
				}
			}
			return nil
		}},
		{"Page/" + name + "/ResumesElsewhere", need, func(t *try) error {
			var got []K
			for at := adapters.Cursor(""); ; {
				items, next, err := of(t, t.open())(t, at, 2) // each page by an adapter that has seen no other
				if err != nil {
					return err
				}
				if got = append(got, items...); next == "" {
					return complete(t, got)
				}
				if next == at {
					return errors.New("the cursor does not move")
				}
				at = next
			}
		}},
		{"Page/" + name + "/EarlyBreakLeaksNothing", need, func(t *try) error {
			first := of(t, t.opens[0])
			if _, _, err := first(t, "", 1); err != nil { // connections that stay are not leaks
				return err
			}
			const times = 40
			before := settled()
			for range times {
				if _, _, err := first(t, "", 1); err != nil {
					return err
				}
			}
			if after := settled(); after > before+times/4 {
				return fmt.Errorf("%d goroutines after %d first pages, %d before", after, times, before)
			}
			return nil
		}},
		{"Page/" + name + "/ForeignCursorIsInvalid", need, func(t *try) error {
			_, _, err := of(t, t.opens[0])(t, "\x00not a cursor", 2)
			return want(adapters.InvalidArgument, err)
		}},
	}
}

// settled is how many goroutines there are once those that are about to end have ended, of this case and of others.
func settled() int {
	n, same := runtime.NumGoroutine(), 0
	for range 200 {
		time.Sleep(2 * time.Millisecond)
		if now := runtime.NumGoroutine(); now != n {
			n, same = now, 0
		} else if same++; same == 10 {
			break
		}
	}
	return n
}

func contactMissing(t *try) error {
	_, err := t.opens[0].(adapters.ContactReader).Contact(t, t.World.Missing)
	return want(adapters.NotFound, err)
}

// What follows is errors.

// refusals calls f with the error of each code in turn.
func (t *try) refusals(f func(vendor string, code adapters.Code, err error) error) error {
	if err := t.opens[0].Check(t); err != nil { // let it have its token
		return err
	}
	for _, vendor := range slices.Sorted(func(yield func(string) bool) {
		for v := range t.Codes {
			if !yield(v) {
				return
			}
		}
	}) {
		if err := t.fault(Refuse, vendor); err != nil {
			return err
		}
		if err := f(vendor, t.Codes[vendor], t.opens[0].Check(t)); err != nil {
			return fmt.Errorf("%s: %w", vendor, err)
		}
	}
	return nil
}

func errorsTable(t *try) error {
	if len(t.Codes) == 0 {
		return errors.New("the harness gives no table")
	}
	if err := t.refusals(func(vendor string, code adapters.Code, err error) error {
		if err := want(code, err); err != nil {
			return err
		}
		if e := (*adapters.Error)(nil); !errors.As(err, &e) || e.Vendor.Code != vendor || e.Vendor.Docs == "" || e.Op == "" || e.Message == "" {
			return fmt.Errorf("lacks the vendor's code, its page, an operation or a message: %#v", err)
		}
		return nil
	}); err != nil {
		return err
	}
	if err := t.fault(Refuse, t.Unlisted); err != nil {
		return err
	}
	return want(adapters.Unknown, t.opens[0].Check(t))
}

// errorsSecret lets everything go wrong that the kit knows, and reads what was said of it.
func errorsSecret(t *try) error {
	var said strings.Builder
	hear := func(err error) {
		for ; err != nil; err = errors.Unwrap(err) {
			fmt.Fprintf(&said, "%v\n%+v\n%#v\n", err, err, err)
		}
	}
	if vendored(t.opens[0]) {
		wrong := t.Open(slog.New(slog.NewJSONHandler(t.log, &slog.HandlerOptions{Level: slog.LevelDebug})), true)
		hear(wrong.Check(t))
		_ = wrong.Close()
	}
	if err := t.refusals(func(_ string, _ adapters.Code, err error) error { hear(err); return nil }); err != nil {
		return err
	}
	if err := t.fault(None, ""); err != nil {
		return err
	}
	if a, ok := t.opens[0].(blacklister); ok {
		res, err := a.Blacklist(t, t.request(nil))
		hear(err)
		slog.New(slog.NewJSONHandler(t.log, nil)).Info("kit", "snapshot", res.Snapshot)
		_, err = a.Unblacklist(t, t.request(&res.Snapshot))
		hear(err)
		if t.fault(LoseResponse, "") == nil {
			_, err = a.Blacklist(t, t.request(nil))
			hear(err)
		}
	}
	if a, ok := t.opens[0].(adapters.Notifier); ok {
		req := t.notice(key, strings.Join(t.World.Secrets, " "))
		_, err := a.Notify(t, req)
		hear(err)
		slog.New(slog.NewJSONHandler(t.log, nil)).Info("kit", "notice", req)
		if t.fault(LoseResponse, "") == nil {
			_, err = a.Notify(t, t.notice(otherKey, req.Text))
			hear(err)
		}
	}
	if t.fault(Unreachable, "") == nil {
		hear(t.opens[0].Check(t))
	}
	if err := t.fault(None, ""); err != nil {
		return err
	}
	hear(t.stalled(t.opens[0].Check))
	if len(t.World.Secrets) == 0 {
		return errors.New("the harness names no secrets")
	}
	for _, s := range t.World.Secrets {
		if strings.Contains(said.String(), s) {
			return fmt.Errorf("an error tells %q", s)
		}
		if strings.Contains(t.log.String(), s) {
			return fmt.Errorf("the log tells %q", s)
		}
	}
	return nil
}

func limitSurfaces(t *try) error {
	seen := false
	err := t.refusals(func(_ string, code adapters.Code, err error) error {
		if code != adapters.RateLimited {
			return nil
		}
		seen = true
		if e := (*adapters.Error)(nil); !errors.As(err, &e) || e.RetryAfter <= 0 || e.Code.Retry() != adapters.SameKey {
			return fmt.Errorf("a limit without a word on when to come again: %v", err)
		}
		return nil
	})
	if err == nil && !seen {
		err = errors.New("the table knows no limit")
	}
	return err
}

// What follows is tokens.

// crowd is how many call at once.
const crowd = 50

// crowded counts the tokens that a crowd of calls costs.
func (t *try) crowded() (int, error) {
	if t.Tokens == nil {
		return 0, errUnable
	}
	before := t.Tokens()
	errs := make([]error, crowd)
	var wg sync.WaitGroup
	for i := range crowd {
		wg.Go(func() { errs[i] = t.opens[0].Check(t) })
	}
	wg.Wait()
	return t.Tokens() - before, errors.Join(errs...)
}

func tokenCold(t *try) error {
	n, err := t.crowded()
	if err == nil && n != 1 {
		err = fmt.Errorf("%d tokens for %d calls", n, crowd)
	}
	return err
}

func tokenExpiry(t *try) error {
	if err := t.opens[0].Check(t); err != nil {
		return err
	}
	if err := t.fault(Expire, ""); err != nil {
		return err
	}
	return tokenCold(t)
}

// What follows is text.

func (t *try) reads(a adapters.ContactReader, c adapters.Contact) error {
	got, err := a.Contact(t, c.ID)
	if err != nil {
		return fmt.Errorf("%q: %w", c.ID, err)
	}
	for i := range min(len(got.Follows), len(c.Follows)) {
		if got.Follows[i].Since.Equal(c.Follows[i].Since) { // the same moment in another zone is the same
			got.Follows[i].Since = c.Follows[i].Since
		}
		slices.SortFunc(got.Follows[i].Tags, func(x, y adapters.Tag) int { return strings.Compare(string(x.ID), string(y.ID)) })
	}
	if !reflect.DeepEqual(got, c) {
		return fmt.Errorf("read %+v, want %+v", got, c)
	}
	return nil
}

func textReads(t *try) error {
	if len(t.World.Texts) == 0 {
		return errors.New("the harness gives no texts")
	}
	for _, c := range t.World.Texts {
		if err := t.reads(t.opens[0].(adapters.ContactReader), c); err != nil {
			return err
		}
	}
	return nil
}

func textRoundTrip(t *try) error {
	a := t.opens[0].(interface {
		blacklister
		adapters.ContactReader
	})
	for _, c := range t.World.Texts {
		req := t.request(nil)
		req.Contact = c.ID
		res, err := a.Blacklist(t, req)
		if err != nil {
			return fmt.Errorf("%q: %w", c.ID, err)
		}
		req.Held = &res.Snapshot
		undo, err := a.Unblacklist(t, req)
		if err != nil || len(undo.Short) > 0 {
			return fmt.Errorf("%q: undo is short of %v (%v)", c.ID, undo.Short, err)
		}
		if err := t.reads(a, c); err != nil {
			return fmt.Errorf("after undo: %w", err)
		}
	}
	return nil
}
