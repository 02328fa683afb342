// Package identity says who asks: it believes a signed token as to the account, and nobody but the directory and the
// policy files as to what that person may do.
package identity

import (
	"context"
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/directory"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

// Store is where people are looked up, whoever asks.
type Store interface {
	MemberByAccount(ctx context.Context, account string) (im.Member, bool, error)
	FindMember(ctx context.Context, v im.Viewer, by directory.MemberKey) (im.Member, bool, error)
}

// Options are whose tokens are believed.
type Options struct {
	Secret   []byte // HS256
	Issuer   string
	Audience string
	Leeway   time.Duration
	// Now is real time, also in the demo: tokens do not follow its clock.
	Now func() time.Time
}

// Service checks tokens and reads people with their rights.
type Service struct {
	store  Store
	policy authz.Source
	o      Options
	parser *jwt.Parser
}

// New makes the service.
func New(s Store, p authz.Source, o Options) *Service {
	return &Service{store: s, policy: p, o: o, parser: jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithIssuer(o.Issuer), jwt.WithAudience(o.Audience),
		jwt.WithLeeway(o.Leeway), jwt.WithExpirationRequired(), jwt.WithTimeFunc(o.Now))}
}

// tokenMax is longer than any token of ours.
const tokenMax = 4096

// Authenticate reads whom a token names, and until when it holds. Anything wrong with it is UNAUTHENTICATED, and
// nobody is told what.
func (s *Service) Authenticate(ctx context.Context, token string) (im.Viewer, time.Time, error) {
	refuse := func(cause error) (im.Viewer, time.Time, error) {
		f := fault.New(fault.Unauthenticated, "unauthenticated")
		f.Cause = cause
		return im.Viewer{}, time.Time{}, f
	}
	if len(token) > tokenMax {
		return refuse(errors.New("token too long"))
	}
	var claims jwt.RegisteredClaims
	if _, err := s.parser.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return s.o.Secret, nil }); err != nil {
		return refuse(err)
	}
	m, found, err := s.store.MemberByAccount(ctx, claims.Subject)
	if err != nil {
		return im.Viewer{}, time.Time{}, err
	}
	if !found || m.Employment == im.Departed {
		return refuse(errors.New("the token names nobody who works here"))
	}
	return s.rights(m), claims.ExpiresAt.Time, nil
}

// Viewer reads a member afresh, with the rights of this moment. One who is gone is UNAUTHENTICATED.
func (s *Service) Viewer(ctx context.Context, id im.ID) (im.Viewer, error) {
	all := im.Viewer{Scopes: map[im.Kind]im.Scope{im.KindMember: {im.ScopeAll}}}
	m, found, err := s.store.FindMember(ctx, all, directory.MemberKey{ID: id})
	if err != nil {
		return im.Viewer{}, err
	}
	if !found || m.Employment == im.Departed {
		return im.Viewer{}, fault.New(fault.Unauthenticated, "unauthenticated")
	}
	return s.rights(m), nil
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
}

// rights works out what policy lets a member read.
func (s *Service) rights(m im.Member) im.Viewer {
	a := authz.Actor{ID: m.ID.String(), Roles: m.Roles, Rank: m.Rank, JobFunction: string(m.JobFunction), Employment: string(m.Employment)}
	e := s.policy.Engine()
	v := im.Viewer{Member: m, Roles: e.Roles(m.Roles), Scopes: make(map[im.Kind]im.Scope, len(readable)), Unmask: e.Unmask(a)}
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
