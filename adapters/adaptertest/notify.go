package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/guanxi-im/guanxi/adapters"
)

// What is here is telling members something.

func notifies(a adapters.Adapter) bool { return has[adapters.Notifier](a) }

// otherKey is another key than that of a case.
const otherKey = key + "-2"

// hard is a text that is hard to carry.
const hard = "王芳 拉黑了 ＡＢＣ（全角） 👩‍👩‍👧 <a href=\"x\">&\"'\\\n第二行"

func (t *try) notice(k adapters.Key, text string) adapters.NotifyRequest {
	return adapters.NotifyRequest{Call: adapters.Call{Key: k, Operator: t.World.Owner}, To: t.World.Owner, Text: text}
}

// tells sends a notice through a new adapter, which can only know what the vendor knows.
func (t *try) tells(r adapters.NotifyRequest) error {
	_, err := t.open().(adapters.Notifier).Notify(t, r)
	return err
}

// shown fails unless the member is shown just these texts, each perhaps with something of the adapter's behind it.
func (t *try) shown(want ...string) error {
	if t.Told == nil {
		return errors.New("the harness does not show what members are told")
	}
	got := t.Told(t.World.Owner)
	if !slices.EqualFunc(got, want, func(g, w string) bool { return strings.HasPrefix(g, w) && len(g) <= len(w)+100 }) {
		return fmt.Errorf("the member is shown %q, want %q", got, want)
	}
	for _, id := range t.World.Members {
		if id != t.World.Owner && len(t.Told(id)) > 0 {
			return fmt.Errorf("%q is told too", id)
		}
	}
	return nil
}

func notifyReaches(t *try) error {
	out, err := t.opens[0].(adapters.Notifier).Notify(t, t.notice(key, hard))
	if err != nil {
		return err
	}
	if e := t.opens[0].Describe().Enforces[adapters.Notify]; out.Enforcement != e {
		return fmt.Errorf("enforcement %q, want %q", out.Enforcement, e)
	}
	return t.shown(hard)
}

func notifyTwice(t *try) error {
	for range 2 {
		if err := t.tells(t.notice(key, hard)); err != nil {
			return err
		}
	}
	return t.shown(hard)
}

// notifyLost loses the answer and asks again with the same key, as a caller does after a restart.
func notifyLost(t *try) error {
	if err := t.fault(LoseResponse, ""); err != nil {
		return err
	}
	if err := want(adapters.Indeterminate, t.tells(t.notice(key, hard))); err != nil {
		return fmt.Errorf("lost answer: %w", err)
	}
	if err := t.fault(None, ""); err != nil {
		return err
	}
	if err := t.tells(t.notice(key, hard)); err != nil {
		return fmt.Errorf("retry: %w", err)
	}
	return t.shown(hard)
}

// notifyOther: two things that read the same are two.
func notifyOther(t *try) error {
	for _, k := range []adapters.Key{key, otherKey} {
		if err := t.tells(t.notice(k, hard)); err != nil {
			return err
		}
	}
	return t.shown(hard, hard)
}

// notifyLong: what makes a message one of its own must not be what is cut off.
func notifyLong(t *try) error {
	long := strings.Repeat("长", 5000)
	for _, k := range []adapters.Key{key, otherKey, key} {
		if err := t.tells(t.notice(k, long)); err != nil {
			return err
		}
	}
	got := t.Told(t.World.Owner)
	if len(got) != 2 || !strings.HasPrefix(got[0], long[:1500]) || strings.ContainsRune(got[0], '\uFFFD') {
		return fmt.Errorf("%d messages, want 2 with 1,500 bytes at least of the text, cut between characters", len(got))
	}
	return nil
}

func notifyStranger(t *try) error {
	r := t.notice(key, hard)
	r.To = t.World.Stranger
	if err := want(adapters.NotFound, t.tells(r)); err != nil {
		return err
	}
	return t.shown()
}

func notifyCancelled(t *try) error {
	ctx, cancel := context.WithCancel(t)
	cancel()
	_, err := t.opens[0].(adapters.Notifier).Notify(ctx, t.notice(key, hard))
	if err := want(adapters.Unavailable, err); err != nil { // nothing was sent, and the caller may know that
		return err
	}
	return t.shown()
}

func notifyStalled(t *try) error {
	err := t.stalled(func(ctx context.Context) error {
		_, err := t.opens[0].(adapters.Notifier).Notify(ctx, t.notice(key, hard))
		return err
	})
	if c := adapters.CodeOf(err); c != adapters.Indeterminate && c != adapters.Unavailable {
		return fmt.Errorf("code %v, want Indeterminate, or Unavailable where nothing was sent (%v)", c, err)
	}
	return nil
}
