// Package config is what an operator can set, and the one place that reads it: a YAML file, over it the environment,
// over that the flags. Whatever is wrong anywhere in them is told at once, each fault with where it stands and what
// was expected, and a gateway with faults does not start.
//
// A setting has one name in three spellings: the key auth.secret_file of the file, the variable
// GUANXI_AUTH_SECRET_FILE and the flag --auth-secret-file. An empty value in any of them is as good as none.
package config

import (
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"time"
)

// Config is every setting, filled by [Load].
type Config struct {
	// Listen is the host:port to listen on; port 0 picks a free one.
	Listen string
	// DB is the database. With Demo it may be empty: a fresh temporary one.
	DB Database
	// Policies is the directory of the company's own policy files; empty: the shipped rules alone.
	Policies string
	// Demo serves the demo company, on loopback only.
	Demo       bool
	Log        Log
	Auth       Auth       // empty with Demo, which brings its own
	Encryption Encryption // likewise
	// Currency is the company's own, in which thresholds of policy are counted: an ISO 4217 code.
	Currency string
	// ShutdownGrace is how long requests that are under way may take once the gateway is told to stop.
	ShutdownGrace time.Duration
}

// Log says what is logged and how.
type Log struct {
	Level  slog.Level
	Format string // text or json
}

// Auth says whose tokens are believed.
type Auth struct {
	SecretFile string        // holds the HS256 secret
	Issuer     string        // a token's iss must equal it
	Audience   string        // and its aud hold it
	Leeway     time.Duration // by how much clocks may differ when a token's times are judged
}

// Encryption says where the master key is.
type Encryption struct {
	KeysetFile string // a Tink keyset as JSON
}

// Database is where the data is: sqlite:PATH, sqlite::memory: or postgres://…. It may hold a password, so it prints
// without one.
type Database string

// String is the database as people may see it.
func (d Database) String() string { return showDatabase(string(d)) }

// GoString is String.
func (d Database) GoString() string { return d.String() }

// MarshalText is String, for the JSON of logs.
func (d Database) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// LogValue is String.
func (d Database) LogValue() slog.Value { return slog.StringValue(d.String()) }

// secretBytes is the least length of an HS256 secret: that of the hash (RFC 7518, 3.2).
const secretBytes = 32

// Secret reads the HS256 secret. A line break at the end of the file is not part of it. The error never shows the
// path, for people put the secret itself there.
func (a Auth) Secret() ([]byte, error) {
	b, err := read(a.SecretFile)
	if err != nil {
		return nil, err
	}
	b = []byte(strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"))
	if len(b) < secretBytes {
		return nil, errors.New("the secret is too short")
	}
	return b, nil
}

// Keyset reads the keyset. Its keys are not looked at.
func (e Encryption) Keyset() ([]byte, error) {
	b, err := read(e.KeysetFile)
	if err == nil && len(b) == 0 {
		return nil, errors.New("the file is empty")
	}
	return b, err
}

// read reads a file that holds a secret. Pipes are refused: they could be read only once.
func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, cause(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	b, err := os.ReadFile(path)
	return b, cause(err)
}

// cause is what went wrong with a file, without its name.
func cause(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// Validate checks what no setting shows alone; [Load] has done so. The real server refuses to start without tokens
// that it can check and a key to encrypt with. The demo listens where only its own machine can reach it, and brings
// its own secrets: to give it real ones is a mistake (TRUST: "Demo"). The error is [Faults].
func (c Config) Validate() error {
	return c.faults(func(s setting) bool {
		return !reflect.ValueOf(s.field(&c)).Elem().IsZero()
	}).err()
}

// faults are those of Validate, where given tells which settings somebody set.
func (c Config) faults(given func(setting) bool) Faults {
	var faults Faults
	fault := func(path, value, expected string) {
		faults = append(faults, Fault{Path: path, Value: value, Expected: expected})
	}
	if c.Demo {
		if !loopback(c.Listen) {
			fault("listen", c.Listen, "a loopback address with demo: 127.0.0.1, [::1] or localhost")
		}
		for _, s := range settings {
			if s.notInDemo() && given(s) {
				fault(s.path, "", "nothing with demo, which brings its own")
			}
		}
	} else {
		if _, err := c.Auth.Secret(); c.Auth.SecretFile == "" || err != nil {
			fault("auth.secret_file", redact(c.Auth.SecretFile), "a file with at least 32 bytes of secret"+because(err))
		}
		if c.Auth.Issuer == "" {
			fault("auth.issuer", "", "the issuer of the tokens to believe")
		}
		if _, err := c.Encryption.Keyset(); c.Encryption.KeysetFile == "" || err != nil {
			fault("encryption.keyset_file", redact(c.Encryption.KeysetFile), "a file with a Tink keyset as JSON"+because(err))
		}
	}
	if c.Policies != "" {
		if info, err := os.Stat(c.Policies); err != nil {
			fault("policies", c.Policies, "a directory"+because(cause(err)))
		} else if !info.IsDir() {
			fault("policies", c.Policies, "a directory")
		}
	}
	return faults
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

// loopback reports whether only this machine reaches the host of listen. A name but localhost may resolve to
// anything, and no host at all is every address.
func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
