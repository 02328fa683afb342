package im

import (
	"log/slog"
	"time"
)

// Service (服务) is a program that asks in nobody's name. It has no roles in the directory and no account anywhere: what it
// may do, the scopes of its API key say.
type Service struct {
	ID     ID
	Name   string
	Scopes []string // roles of policy (service:bulk), of the key that it asks with
	KeyID  ID       // the key that it asks with
}

// APIKey lets a service in. Its secret is known to nobody but the service: the store has a hash.
type APIKey struct {
	ID          ID
	ServiceID   ID
	ServiceName string
	Prefix      string // begins the key, and finds it
	Hash        []byte
	Scopes      []string
	CreatedBy   ID
	CreatedAt   time.Time // times of keys are real ones, in the demo too, as those of tokens are
	ExpiresAt   time.Time // zero: never
	RevokedAt   time.Time
	LastUsedAt  time.Time // within an hour
}

// HoldsAt reports whether the key lets anybody in at t.
func (k APIKey) HoldsAt(t time.Time) bool {
	return k.RevokedAt.IsZero() && (k.ExpiresAt.IsZero() || t.Before(k.ExpiresAt))
}

// LogValue keeps everything but its id out of logs.
func (k APIKey) LogValue() slog.Value { return slog.StringValue(k.ID.String()) }

// Session is what signed somebody in: who it is, and for how long it holds.
type Session struct {
	Viewer Viewer
	Began  time.Time // when the token was issued; zero: it does not say, or it is an API key
	Until  time.Time // zero: until it is ended
}

// Standing is what of a caller a session hangs on.
type Standing struct {
	Employment Employment
	ValidFrom  time.Time // sessions that began earlier have ended; zero: none has
	Shut       bool      // all that is his own is frozen or disabled where the company is
}

// Ends reports whether a session that began at a moment has ended. Tokens count in whole seconds: one of the very second
// is older.
func (s Standing) Ends(began time.Time) bool {
	return s.Employment == Departed || s.Shut || !s.ValidFrom.IsZero() && began.Before(s.ValidFrom)
}

// CutOff ends all sessions of a member that began before a moment, which is a real one, as tokens have them.
type CutOff struct {
	MemberID ID
	From     time.Time
}
