package identity

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
	"github.com/guanxi-im/guanxi/internal/page"
)

// KeyStore is where keys are kept.
type KeyStore interface {
	Post(ctx context.Context, u ledger.Unit) error
	Fingerprint(b []byte) []byte
	Answer(ctx context.Context, actor im.ID, key string) (*ledger.Answer, error)
	ServiceByName(ctx context.Context, name string) (im.ID, error)
	APIKeys(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.APIKey, error)
	ListAPIKeys(ctx context.Context, v im.Viewer, r page.Request) (page.Result[im.APIKey], error)
}

// KeysOptions are what commands on keys need beside their store.
type KeysOptions struct {
	Policy authz.Source
	Now    func() time.Time // of decisions and of the trail
	Real   func() time.Time // of keys: real time, also in the demo
	IDs    *im.IDs
	Wake   func() // called after each write
}

// Keys is the use-case of letting services in, and keeping them out again.
type Keys struct {
	store KeyStore
	o     KeysOptions
}

// NewKeys makes the use-case.
func NewKeys(s KeyStore, o KeysOptions) *Keys { return &Keys{s, o} }

// KeysNewest is the order of lists of keys.
const KeysNewest = "api_keys.newest"

// Call is what every command carries beside its own input.
type Call struct {
	Viewer    im.Viewer
	Key       string // idempotency key; empty: none
	RequestID string
}

// KeyResult is what came of a command on a key.
type KeyResult struct {
	Decision *im.Decision   `json:"decision,omitempty"`
	Key      *im.APIKey     `json:"-"`
	KeyID    im.ID          `json:"key,omitzero"`
	Faults   []*fault.Error `json:"faults,omitempty"`
	// Secret is the whole key. It is answered once, to whoever made it, and kept nowhere: a repetition with the same idempotency
	// key answers the key without it.
	Secret string `json:"-"`
}

// List reads one page of keys, newest first.
func (k *Keys) List(ctx context.Context, v im.Viewer, r page.Request) (page.Result[im.APIKey], error) {
	return k.store.ListAPIKeys(ctx, v, r)
}

// APIKeys reads keys by id.
func (k *Keys) APIKeys(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.APIKey, error) {
	return k.store.APIKeys(ctx, v, ids)
}

// NewKeyInput asks for a key.
type NewKeyInput struct {
	Service   string
	Scopes    []string
	ExpiresAt time.Time
}

var serviceName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}[a-z0-9]$`)

// Create makes a key for a service, and the service where it is new. Faults, in this order: INVALID_INPUT, POLICY_DENIED.
func (k *Keys) Create(ctx context.Context, c Call, in NewKeyInput) (KeyResult, error) {
	return k.run(ctx, "create_api_key", c, in, func() (res KeyResult, u ledger.Unit, err error) {
		known := k.o.Policy.Engine().Scopes()
		switch {
		case !serviceName.MatchString(in.Service):
			return failed(fault.Input("service", "service_name"))
		case len(in.Scopes) == 0:
			return failed(fault.Input("scopes", "scopes_missing", strings.Join(known, ", ")))
		case !in.ExpiresAt.IsZero() && !in.ExpiresAt.After(k.o.Real()):
			return failed(fault.Input("expiresAt", "expiry_past"))
		}
		for i, s := range in.Scopes {
			if !slices.Contains(known, s) || slices.Contains(in.Scopes[:i], s) {
				return failed(fault.Input("scopes", "scope_unknown", clip(s), strings.Join(known, ", ")))
			}
		}
		key := im.APIKey{ID: k.o.IDs.New(), ServiceName: in.Service, Scopes: slices.Sorted(slices.Values(in.Scopes)), CreatedBy: c.Viewer.ID(),
			CreatedAt: k.o.Real().UTC().Truncate(time.Microsecond), ExpiresAt: in.ExpiresAt}
		d, err := k.decide(ctx, &u, c, authz.ActionCreateAPIKey, "api_key.create", key, strings.Join(key.Scopes, " "))
		if err != nil || d.Outcome != im.Allow {
			return refused(d), u, err
		}
		if key.ServiceID, err = k.store.ServiceByName(ctx, in.Service); err != nil {
			return res, u, err
		}
		if key.ServiceID.IsZero() {
			key.ServiceID = k.o.IDs.New()
			u.Services = []im.Service{{ID: key.ServiceID, Name: in.Service}}
		}
		var secret string
		key.Prefix, secret, key.Hash = newKey()
		u.Keys = []im.APIKey{key}
		return KeyResult{Decision: &d, Key: &key, KeyID: key.ID, Secret: secret}, u, nil
	})
}

// RevokeKeyInput asks for the end of a key.
type RevokeKeyInput struct {
	KeyID  im.ID
	Reason im.Text
}

// Revoke ends a key: it lets nobody in any more, and what it let in ends, at every replica. Faults, in this order:
// INVALID_INPUT, NOT_FOUND, POLICY_DENIED, INVALID_TRANSITION.
func (k *Keys) Revoke(ctx context.Context, c Call, in RevokeKeyInput) (KeyResult, error) {
	return k.run(ctx, "revoke_api_key", c, in, func() (res KeyResult, u ledger.Unit, err error) {
		if f := fault.CheckReason("reason", in.Reason, true); f != nil {
			return failed(f)
		}
		found, err := k.store.APIKeys(ctx, c.Viewer, []im.ID{in.KeyID})
		if err != nil {
			return res, u, err
		}
		key, there := found[in.KeyID]
		if !there {
			f := fault.New(fault.NotFound, "not_found_key")
			f.Path = []string{"apiKeyId"}
			return failed(f)
		}
		d, err := k.decide(ctx, &u, c, authz.ActionRevokeAPIKey, "api_key.revoke", key, string(in.Reason))
		if err != nil || d.Outcome != im.Allow {
			return refused(d), u, err
		}
		res = KeyResult{Decision: &d, Key: &key, KeyID: key.ID}
		if !key.RevokedAt.IsZero() {
			f := fault.New(fault.InvalidTransition, "transition_revoke")
			f.DecisionID = d.ID
			res.Faults = []*fault.Error{f}
			return res, u, nil
		}
		key.RevokedAt = k.o.Real().UTC().Truncate(time.Microsecond)
		u.Revoked = []im.APIKey{key}
		return res, u, nil
	})
}

func failed(f *fault.Error) (KeyResult, ledger.Unit, error) {
	return KeyResult{Faults: []*fault.Error{f}}, ledger.Unit{}, nil
}

func refused(d im.Decision) KeyResult {
	f := fault.New(fault.PolicyDenied, "policy_denied")
	f.DecisionID = d.ID
	return KeyResult{Decision: &d, Faults: []*fault.Error{f}}
}

func clip(s string) string { return s[:min(len(s), 64)] }

// decide asks policy, and puts the decision and the event into the unit.
func (k *Keys) decide(ctx context.Context, u *ledger.Unit, c Call, action, event string, key im.APIKey, detail string) (im.Decision, error) {
	v := c.Viewer
	r := authz.Request{Action: action, Actor: actorOf(v), Object: authz.Object{Type: authz.TypeAPIKey, ID: key.ID.String()}}
	got, err := k.o.Policy.Engine().Decide(ctx, r)
	if err != nil {
		return im.Decision{}, err
	}
	on := im.Ref{Kind: im.KindAPIKey, ID: key.ID}
	d := im.Decision{ID: k.o.IDs.New(), At: k.o.Now(), Action: action, ActorID: v.ID(), Target: on, Outcome: got.Outcome, Rules: got.Refs(),
		Needs: got.Needs, Obligations: got.Obligations, PolicyVersion: got.Version, Facts: r.Facts(), Times: 1}
	u.Decisions = append(u.Decisions, d)
	u.Events = append(u.Events, im.AuditEvent{ID: k.o.IDs.New(), At: k.o.Now(), Actor: v.Ref(), ActorName: v.Name(), Action: event, Outcome: d.Outcome,
		Subject: on, SubjectName: key.ServiceName, About: im.Company, DecisionID: d.ID, RequestID: c.RequestID, Detail: im.Text(detail)})
	return d, nil
}

// triesMax is how often a command is worked out again because somebody else was faster.
const triesMax = 20

// run carries a command out: it answers from the record of its idempotency key, which holds no secret, or plans and posts.
func (k *Keys) run(ctx context.Context, operation string, c Call, input any, plan func() (KeyResult, ledger.Unit, error)) (KeyResult, error) {
	var print []byte
	if c.Key != "" {
		if f := fault.CheckKey(c.Key); f != nil {
			return KeyResult{Faults: []*fault.Error{f}}, nil
		}
		b, err := json.Marshal([]any{operation, input})
		if err != nil {
			return KeyResult{}, fault.Wrap(err, "encode input")
		}
		print = k.store.Fingerprint(b)
	}
	for range triesMax {
		if c.Key != "" {
			a, err := k.store.Answer(ctx, c.Viewer.ID(), c.Key)
			if err != nil {
				return KeyResult{}, err
			}
			if a != nil {
				return k.replay(ctx, *a, operation, print)
			}
		}
		res, u, err := plan()
		if err != nil {
			return KeyResult{}, err
		}
		if len(u.Events) == 0 { // nothing was decided
			return res, nil
		}
		if c.Key != "" {
			b, err := json.Marshal(res)
			if err != nil {
				return KeyResult{}, fault.Wrap(err, "encode result")
			}
			u.Answer = &ledger.Answer{ActorID: c.Viewer.ID(), Key: c.Key, Operation: operation, RequestHash: print, Result: b, At: k.o.Now()}
		}
		switch err := k.store.Post(ctx, u); {
		case err == nil:
			k.o.Wake()
			return res, nil
		case !errors.Is(err, ledger.ErrAnswered) && !errors.Is(err, ledger.ErrStale):
			return KeyResult{}, err
		}
	}
	return KeyResult{Faults: []*fault.Error{fault.New(fault.Conflict, "conflict_race")}}, nil
}

func (k *Keys) replay(ctx context.Context, a ledger.Answer, operation string, print []byte) (res KeyResult, err error) {
	if a.Operation != operation || string(a.RequestHash) != string(print) {
		f := fault.New(fault.IdempotencyKeyReused, "key_reused")
		f.Path = []string{"idempotencyKey"}
		return KeyResult{Faults: []*fault.Error{f}}, nil
	}
	if err := json.Unmarshal(a.Result, &res); err != nil {
		return KeyResult{}, fault.Wrap(err, "decode answer")
	}
	found, err := k.store.APIKeys(ctx, everyKey, []im.ID{res.KeyID})
	if key, there := found[res.KeyID]; there {
		res.Key = &key
	}
	return res, err
}
