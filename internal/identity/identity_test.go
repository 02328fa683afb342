package identity

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/directory"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

var now = time.Date(2026, 11, 20, 1, 30, 0, 0, time.UTC)

func clock() time.Time { return now }

// people is a directory in memory, by account name.
type people map[string]im.Member

func (p people) MemberByAccount(_ context.Context, account string) (im.Member, bool, error) {
	m, ok := p[account]
	if account == "broken" {
		return m, false, errors.New("no database")
	}
	return m, ok, nil
}

func (p people) FindMember(_ context.Context, v im.Viewer, by directory.MemberKey) (im.Member, bool, error) {
	for _, m := range p {
		if m.ID == by.ID && v.Scopes[im.KindMember].Has(im.ScopeAll) {
			return m, true, nil
		}
	}
	return im.Member{}, false, nil
}

func (people) PeopleVersion() uint64 { return 0 }

// None of them is asked for here.
func (people) KeyByPrefix(context.Context, string) (k im.APIKey, found bool, err error) {
	return k, false, nil
}
func (people) KeysOf(context.Context, im.ID) ([]im.APIKey, error)         { return nil, nil }
func (people) UsedKey(context.Context, im.ID, time.Time, time.Time) error { return nil }
func (people) APIKeys(context.Context, im.Viewer, []im.ID) (map[im.ID]im.APIKey, error) {
	return nil, nil
}

func (p people) Standings(_ context.Context, ids []im.ID) (map[im.ID]im.Standing, error) {
	out := map[im.ID]im.Standing{}
	for _, m := range p {
		if slices.Contains(ids, m.ID) {
			out[m.ID] = standing(m)
		}
	}
	return out, nil
}

var directoryOf = people{
	"cut":         {ID: im.ID{16}, AccountName: "cut", Roles: []string{"employee"}, Employment: im.Employed, ValidFrom: now},
	"wangfang004": {ID: im.ID{4}, AccountName: "wangfang004", Roles: []string{"employee"}, JobFunction: im.Sales, Employment: im.Employed},
	"guping012":   {ID: im.ID{12}, AccountName: "guping012", Roles: []string{"auditor"}, Employment: im.Employed},
	"gone":        {ID: im.ID{13}, AccountName: "gone", Roles: []string{"admin"}, Employment: im.Departed},
	"going":       {ID: im.ID{14}, AccountName: "going", Roles: []string{"employee"}, Employment: im.Departing},
	"":            {ID: im.ID{15}, Roles: []string{"employee"}, Employment: im.Employed},
}

func service(t testing.TB, o Options) *Service {
	t.Helper()
	e, err := authz.Build(authz.Sources{Layers: authz.Shipped(), Platforms: []authz.Platform{{Name: "native", Organisation: true}},
		Duties: []string{authz.DutyUndo, authz.DutyUndoReview, authz.DutyAlert, authz.DutyNotify, authz.DutyExpire, authz.DutyCooldown, authz.DutyUndoTrace, authz.DutyCuts, authz.DutyCloses, authz.DutyRisk, authz.DutyRiskLevel}})
	if err != nil {
		t.Fatal(err)
	}
	return New(directoryOf, e, o)
}

var ours = Options{Secret: []byte("a secret of at least thirty-two bytes"), Issuer: "https://issuer.example", Audience: "guanxi", Leeway: 30 * time.Second, Now: clock}

// claims are those of a good token.
func claims() jwt.MapClaims {
	return jwt.MapClaims{"iss": ours.Issuer, "aud": ours.Audience, "sub": "wangfang004", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
}

func sign(t *testing.T, m jwt.SigningMethod, key any, c jwt.MapClaims) string {
	t.Helper()
	s, err := jwt.NewWithClaims(m, c).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAuthenticate(t *testing.T) {
	s := service(t, ours)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	with := func(name string, v any) jwt.MapClaims {
		c := claims()
		c[name] = v
		if v == nil {
			delete(c, name)
		}
		return c
	}
	hs := func(c jwt.MapClaims) string { return sign(t, jwt.SigningMethodHS256, ours.Secret, c) }
	good := hs(claims())
	reasons := map[string]reason{"expired": "expired", "without an end": "no exp", "not yet": "not valid yet", "another issuer": "issuer", "no issuer": "no iss",
		"another audience": "audience", "no audience": "no aud", "of tomorrow": "issued ahead", "from before the cut-off": "sessions ended", "nobody": "unknown account",
		"someone who is gone": "departed", "an account that is no text": "no account", "another secret": "signature", "our secret, HS512": "signature",
		"that asks for the unknown": "key", "no token": "malformed", "nothing": "malformed", "too long": "too long", "the demo's": "signature"}
	head, rest, _ := strings.Cut(good, ".")
	body, signature, _ := strings.Cut(rest, ".")
	for name, c := range map[string]struct {
		token string
		ok    bool
	}{
		"good":                         {good, true},
		"one of several audiences":     {hs(with("aud", []string{"x", ours.Audience})), true},
		"expired within the leeway":    {hs(with("exp", now.Add(-29*time.Second).Unix())), true},
		"expired":                      {hs(with("exp", now.Add(-31*time.Second).Unix())), false},
		"without an end":               {hs(with("exp", nil)), false},
		"an end that is no number":     {hs(with("exp", "tomorrow")), false},
		"not yet":                      {hs(with("nbf", now.Add(time.Minute).Unix())), false},
		"another issuer":               {hs(with("iss", "https://issuer.example.evil")), false},
		"no issuer":                    {hs(with("iss", nil)), false},
		"another audience":             {hs(with("aud", "other")), false},
		"no audience":                  {hs(with("aud", nil)), false},
		"of tomorrow":                  {hs(with("iat", now.Add(time.Hour).Unix())), false},
		"that asks for the unknown":    {crit(t, claims()), false},
		"from before the cut-off":      {hs(cut(now.Add(-time.Second).Unix())), false},
		"of the cut-off's second":      {hs(cut(now.Unix())), true},
		"that does not say when, cut":  {hs(cut(nil)), false},
		"that does not say when":       {hs(with("iat", nil)), true},
		"an account that is no text":   {hs(with("sub", 4)), false},
		"nobody":                       {hs(with("sub", "nobody")), false},
		"someone who is gone":          {hs(with("sub", "gone")), false},
		"someone who is going":         {hs(with("sub", "going")), true},
		"unsigned":                     {sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims()), false},
		"unsigned by another name":     {"eyJhbGciOiJOb05lIn0." + body + ".", false},
		"without its signature":        {head + "." + body + ".", false},
		"another secret":               {sign(t, jwt.SigningMethodHS256, []byte("another secret of thirty-two bytes or so"), claims()), false},
		"the empty secret":             {sign(t, jwt.SigningMethodHS256, []byte{}, claims()), false},
		"our secret, HS512":            {sign(t, jwt.SigningMethodHS512, ours.Secret, claims()), false},
		"RS256":                        {sign(t, jwt.SigningMethodRS256, private, claims()), false},
		"RS256 by name only":           {"eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9." + body + "." + signature, false},
		"another's words, our stamp":   {head + "." + strings.Split(hs(with("sub", "guping012")), ".")[1] + "." + signature, false},
		"nothing":                      {"", false},
		"no token":                     {"x.y.z", false},
		"too long":                     {hs(with("x", strings.Repeat("x", tokenMax))), false},
		"the demo's":                   {must(Token(Demo(clock), "wangfang004", time.Hour)), false},
		"one that ended when it began": {must(Token(ours, "wangfang004", -time.Hour)), false},
	} {
		t.Run(name, func(t *testing.T) {
			at, err := s.Authenticate(t.Context(), c.token)
			v, until := at.Viewer, at.Until
			if c.ok {
				if err != nil || v.Member.ID.IsZero() || until.IsZero() {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if !fault.Is(err, fault.Unauthenticated) || !v.Member.ID.IsZero() {
				t.Errorf("answered %v and %v", v.Member.AccountName, err)
			}
			if why, ok := errors.AsType[reason](err); !ok || reasons[name] != "" && why != reasons[name] {
				t.Errorf("the log is told %q, want %q", why, reasons[name])
			}
			if text := fault.As(err).Text(fault.English); text != fault.New(fault.Unauthenticated, "unauthenticated").Text(fault.English) {
				t.Errorf("tells what is wrong: %s", text)
			}
		})
	}
	if _, err := s.Authenticate(t.Context(), hs(with("sub", "broken"))); err == nil || fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a database that does not answer reads as a bad token: %v", err)
	}
}

// cut are claims of somebody whose sessions were ended.
func cut(iat any) jwt.MapClaims {
	c := claims()
	c["sub"], c["iat"] = "cut", iat
	if iat == nil {
		delete(c, "iat")
	}
	return c
}

// crit is a token with an extension that must be understood.
func crit(t *testing.T, c jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, c)
	token.Header["crit"] = []string{"exp"}
	return must(token.SignedString(ours.Secret))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestRightsComeFromTheDirectory(t *testing.T) {
	s := service(t, ours)
	c := claims()
	c["roles"], c["scope"] = []string{"super_admin"}, "all" // a token may say what it likes
	at, err := s.Authenticate(t.Context(), sign(t, jwt.SigningMethodHS256, ours.Secret, c))
	if err != nil {
		t.Fatal(err)
	}
	v, until := at.Viewer, at.Until
	if v.Is("admin") || !v.Is("employee") || v.Scopes[im.KindRelationship].Has(im.ScopeAll) || v.Unmask.Has(im.ScopeAll) {
		t.Errorf("roles %v, scopes %v, unmask %v", v.Roles, v.Scopes, v.Unmask)
	}
	if !until.Equal(now.Add(time.Hour)) {
		t.Errorf("holds until %s", until)
	}
	for kind := range readable {
		if _, ok := v.Scopes[kind]; !ok {
			t.Errorf("no scope for %s", kind)
		}
	}
	auditor, err := s.Viewer(t.Context(), im.ID{12})
	if err != nil || !auditor.Scopes[im.KindAudit].Has(im.ScopeAll) {
		t.Errorf("the auditor reads %v: %v", auditor.Scopes, err)
	}
	for _, id := range []im.ID{{13}, {99}, {}} {
		if _, err := s.Viewer(t.Context(), id); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%v is still somebody: %v", id, err)
		}
	}
}

func TestIsDemo(t *testing.T) {
	half := ours
	half.Secret = Demo(clock).Secret
	issuer := ours
	issuer.Issuer = Demo(clock).Issuer
	for _, o := range []Options{Demo(clock), half, issuer} {
		if !o.IsDemo() {
			t.Errorf("%s is the demo's", o.Issuer)
		}
	}
	if ours.IsDemo() {
		t.Error("ours is not the demo's")
	}
}
