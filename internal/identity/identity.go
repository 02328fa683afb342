// Package identity says who asks: it believes a signed token as to the account, and nobody but the directory and the
// policy files as to what that person may do.
package identity

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/directory"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

// Store is where people and services are looked up, whoever asks.
type Store interface {
	MemberByAccount(ctx context.Context, account string) (im.Member, bool, error)
	// PeopleVersion grows after each write of this process that may have changed what [Store.MemberByAccount] reads, or ended a key.
	PeopleVersion() uint64
	FindMember(ctx context.Context, v im.Viewer, by directory.MemberKey) (im.Member, bool, error)
	KeyByPrefix(ctx context.Context, prefix string) (im.APIKey, bool, error)
	KeysOf(ctx context.Context, service im.ID) ([]im.APIKey, error)
	APIKeys(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.APIKey, error)
	UsedKey(ctx context.Context, key im.ID, now, before time.Time) error
	Standings(ctx context.Context, members []im.ID) (map[im.ID]im.Standing, error)
}

// Options are whose tokens are believed. There is a secret, or a set of keys, or both.
type Options struct {
	Secret   []byte  // HS256
	Keys     *KeySet // RS256, ES256, EdDSA
	Issuer   string
	Audience string
	Leeway   time.Duration
	Claim    string // names the account; empty: sub
	// Now is real time, also in the demo: tokens do not follow its clock.
	Now func() time.Time
	Log *slog.Logger
}

// Service checks tokens and keys, and reads who asks with their rights.
type Service struct {
	store  Store
	policy authz.Source
	o      Options
	parser *jwt.Parser
	live   live
	people *lru.Cache[string, person]      // who asked lately, by account
	tokens *lru.Cache[tokenHash, named]    // that were looked through lately
	keys   *lru.Cache[tokenHash, knownKey] // that were right lately
	heard  atomic.Uint64                   // how often another replica was heard of
}

// New makes the service.
func New(s Store, p authz.Source, o Options) *Service {
	if o.Claim == "" {
		o.Claim = "sub"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	var methods []string
	if len(o.Secret) > 0 {
		methods = append(methods, secretMethod)
	}
	if o.Keys != nil {
		methods = append(methods, keyMethods...)
	}
	people, _ := lru.New[string, person](knownMost) // fails only for a size below one
	tokens, _ := lru.New[tokenHash, named](knownMost)
	keys, _ := lru.New[tokenHash, knownKey](knownMost)
	return &Service{store: s, policy: p, o: o, live: newLive(), people: people, tokens: tokens, keys: keys, parser: jwt.NewParser(
		jwt.WithValidMethods(methods), jwt.WithIssuer(o.Issuer), jwt.WithAudience(o.Audience),
		jwt.WithLeeway(o.Leeway), jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithTimeFunc(o.Now))}
}

// tokenMax is longer than any token of ours.
const tokenMax = 4096

// refuse is UNAUTHENTICATED: whoever asks is not told what was wrong; the log is, by a [reason].
func refuse(cause error) error {
	f := fault.New(fault.Unauthenticated, "unauthenticated")
	f.Cause = cause
	return f
}

// Authenticate reads whom a token names, and until when it holds. Anything wrong with it is UNAUTHENTICATED; while the keys
// of the issuer cannot be had, it is UNAVAILABLE.
func (s *Service) Authenticate(ctx context.Context, token string) (im.Session, error) {
	if len(token) > tokenMax {
		return im.Session{}, refuse(tooLong)
	}
	n, err := s.nameIn(ctx, token)
	if err != nil {
		return im.Session{}, err
	}
	out := im.Session{Began: n.began, Until: n.until}
	p, found, err := s.person(ctx, n.account)
	if err != nil {
		return im.Session{}, err
	}
	switch {
	case !found:
		return im.Session{}, refuse(noSuch)
	case p.standing.Ends(out.Began):
		if p.standing.Employment == im.Departed || p.standing.Shut {
			return im.Session{}, refuse(departed)
		}
		return im.Session{}, refuse(cutOff)
	}
	out.Viewer = p.viewer
	return out, nil
}

func standing(m im.Member) im.Standing {
	return im.Standing{Employment: m.Employment, ValidFrom: m.ValidFrom, Shut: im.Shut(m.Standing)}
}

// Viewer reads a member, or a service, afresh, with the rights of this moment: of a service, all that its keys may do. One who is
// gone is UNAUTHENTICATED.
func (s *Service) Viewer(ctx context.Context, id im.ID) (im.Viewer, error) {
	all := im.Viewer{Scopes: map[im.Kind]im.Scope{im.KindMember: {im.ScopeAll}}}
	m, found, err := s.store.FindMember(ctx, all, directory.MemberKey{ID: id, SigningIn: true})
	if err != nil {
		return im.Viewer{}, err
	}
	if found {
		if m.Employment == im.Departed {
			return im.Viewer{}, refuse(nil)
		}
		return s.rights(m), nil
	}
	keys, err := s.store.KeysOf(ctx, id)
	if err != nil {
		return im.Viewer{}, err
	}
	var union *im.APIKey
	for _, k := range keys {
		if !k.HoldsAt(s.o.Now()) {
			continue
		}
		if union == nil {
			union = &im.APIKey{ServiceID: k.ServiceID, ServiceName: k.ServiceName}
		}
		union.Scopes = append(union.Scopes, k.Scopes...)
	}
	if union == nil {
		return im.Viewer{}, refuse(nil)
	}
	slices.Sort(union.Scopes)
	union.Scopes = slices.Compact(union.Scopes)
	return s.ofService(*union), nil
}

// Again reads who a session is of afresh: it may have ended, and rights may have changed.
func (s *Service) Again(ctx context.Context, at im.Session) (im.Viewer, error) {
	if at.Viewer.IsService() && !at.Viewer.Service.KeyID.IsZero() {
		ks, err := s.store.APIKeys(ctx, everyKey, []im.ID{at.Viewer.Service.KeyID})
		if err != nil {
			return im.Viewer{}, err
		}
		if k, found := ks[at.Viewer.Service.KeyID]; found && k.HoldsAt(s.o.Now()) {
			return s.ofService(k), nil
		}
		return im.Viewer{}, refuse(nil)
	}
	v, err := s.Viewer(ctx, at.Viewer.ID())
	if err == nil && standing(v.Member).Ends(at.Began) {
		return im.Viewer{}, refuse(nil)
	}
	return v, err
}

// readable is the kinds of things that have read scopes, with their names in the policy files.
var readable = map[im.Kind]string{
	im.KindMember:       authz.TypeMember,
	im.KindAccount:      authz.TypeAccount,
	im.KindContact:      authz.TypeContact,
	im.KindGroup:        authz.TypeGroup,
	im.KindRelationship: authz.TypeRelationship,
	im.KindApproval:     authz.TypeApproval,
	im.KindAudit:        authz.TypeAudit,
	im.KindAlert:        authz.TypeAlert,
	im.KindRule:         authz.TypePolicy,
	im.KindAPIKey:       authz.TypeAPIKey,
	im.KindImport:       authz.TypeImport,
	im.KindMessage:      authz.TypeMessage,
}

// rights works out what policy lets a member read.
func (s *Service) rights(m im.Member) im.Viewer {
	return allowed(s.policy.Engine(), im.Viewer{Member: m})
}

// ofService works out what policy lets a service read that asks with a key.
func (s *Service) ofService(k im.APIKey) im.Viewer {
	return allowed(s.policy.Engine(), im.Viewer{Service: serviceOf(k)})
}

func serviceOf(k im.APIKey) im.Service {
	return im.Service{ID: k.ServiceID, Name: k.ServiceName, Scopes: k.Scopes, KeyID: k.ID}
}

// actorOf is who asks, as policy sees him where no workspace is in question. A service is active: its key holds.
func actorOf(v im.Viewer) authz.Actor {
	if v.IsService() {
		return authz.Actor{ID: v.Service.ID.String(), Roles: v.Service.Scopes, Status: string(im.AccountActive)}
	}
	m := v.Member
	return authz.Actor{ID: m.ID.String(), Roles: m.Roles, Rank: m.Rank, JobFunction: string(m.JobFunction), Status: v.Standing(),
		Employment: string(m.Employment)}
}

// CutOff is what a command's unit carries to end all sessions of a member that began before now; who posts it calls [Service.Wake].
func (s *Service) CutOff(member im.ID) im.CutOff { return im.CutOff{MemberID: member, From: s.o.Now()} }

func allowed(e *authz.Engine, v im.Viewer) im.Viewer {
	a := actorOf(v)
	v.Roles, v.Unmask, v.Scopes = e.Roles(a.Roles), e.Unmask(a), make(map[im.Kind]im.Scope, len(readable))
	for kind, name := range readable {
		v.Scopes[kind] = e.Scope(a, name)
	}
	return v
}

// Token signs a token for an account.
func Token(o Options, account string, ttl time.Duration) (string, error) {
	now := o.Now()
	return jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{Issuer: o.Issuer, Audience: jwt.ClaimStrings{o.Audience},
		Subject: account, IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(ttl))}).SignedString(o.Secret)
}

// Demo is whose tokens the demo believes: those signed with a secret that everybody knows. A real server refuses both
// the secret and the issuer.
func Demo(now func() time.Time) Options {
	return Options{Secret: []byte("guanxi demo secret, known to everybody: never for real data"), Issuer: demoIssuer, Audience: "guanxi",
		Leeway: 30 * time.Second, Now: now}
}

const demoIssuer = "guanxi-demo"

// IsDemo reports whether options would believe the demo's tokens.
func (o Options) IsDemo() bool {
	return o.Issuer == demoIssuer || string(o.Secret) == string(Demo(nil).Secret)
}
