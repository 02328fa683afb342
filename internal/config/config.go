// Package config is what an operator can set, and the one place that reads it: a YAML file, over it the environment,
// over that the flags. Whatever is wrong anywhere in them is told at once, each fault with where it stands and what
// was expected, and a gateway with faults does not start.
//
// A setting has one name in three spellings: the key auth.secret_file of the file, the variable
// GUANXI_AUTH_SECRET_FILE and the flag --auth-secret-file. An empty value in any of them is as good as none. Workspaces
// and webhooks alone stand only in the file: their names are no settings of ours.
package config

import (
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"os"
	"reflect"
	"slices"
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
	Demo bool
	// Sim says where simulators of the demo run that do not run in its own process: http://HOST:PORT by platform.
	Sim map[string]string
	// Explorer serves the page at / in which people try operations. Where nobody says, the demo has it and a real server
	// has not: a page that asks for tokens is for whoever wants one there.
	Explorer   bool
	HTTP       HTTP
	Limits     Limits
	Documents  Documents
	Log        Log
	Tracing    Tracing
	Auth       Auth       // empty with Demo, which brings its own
	Encryption Encryption // likewise
	Outbound   Outbound
	Audit      Audit
	// Workspaces says how workspaces are connected to their platforms, by the workspace's name. Empty with Demo.
	Workspaces map[string]Connection
	// Webhooks says where systems are told of what policy has them told of, by the name of their endpoint: see [Config.Endpoints].
	Webhooks  map[string]Connection
	Import    Import
	Blacklist Blacklist
	// CheckFailOpen names the workspaces of which the pre-delivery question is answered with yes while the store is away; of the
	// others with no.
	CheckFailOpen Names
	// Currency is the company's own, in which thresholds of policy are counted: an ISO 4217 code.
	Currency string
	// ShutdownGrace is how long requests that are under way may take once the gateway is told to stop.
	ShutdownGrace time.Duration
	// ShutdownDelay is how long the gateway, once it is told to stop, is not ready and serves on all the same: until those
	// who send requests have noticed.
	ShutdownDelay time.Duration
}

// HTTP says how requests are answered.
type HTTP struct {
	StatusProfile  string         // compat or draft
	Executor       string         // plan, gqlgen or both
	UploadMax      Size           // bytes of a request that carries files
	OperationTime  time.Duration  // of a query or a command
	LiveMax        int            // sockets and streams of one person
	Origins        []string       // of pages that may ask: scheme://host[:port]
	TrustedProxies []netip.Prefix // whose word on a request's id and origin is taken
}

// Limits say how much one may ask for.
type Limits struct {
	Everyone  Limit
	Strangers Limit            // who have not signed in, by their address
	Roles     map[string]Limit // the largest of a person's roles holds
}

// Limit is the cost of one operation at most, what may be spent at once, and what a second restores of that. With
// nothing to spend at once there is no limit to the rate.
type Limit struct{ Cost, Capacity, Restore int }

// Documents says which documents are trusted, and what becomes of others.
type Documents struct {
	Path string // a directory of .graphql files, or a manifest in JSON
	Mode string // off, log or enforce
}

// Names is a list of names.
type Names []string

// Size is a number of bytes.
type Size int64

// Log says what is logged and how.
type Log struct {
	Level  slog.Level
	Format string        // text or json
	Slow   time.Duration // from when on it tells that an operation is slow; 0: never
}

// Tracing says where spans are sent. Without an endpoint there are none.
type Tracing struct {
	Endpoint string  // the URL of a collector that speaks OTLP over HTTP
	Sample   float64 // which part of operations is traced, from 0 to 1
}

// Auth says whose tokens are believed: those signed with the secret, or by a key of the issuer's set.
type Auth struct {
	SecretFile   string        // holds the HS256 secret
	Issuer       string        // a token's iss must equal it
	Audience     string        // and its aud hold it
	Leeway       time.Duration // by how much clocks may differ when a token's times are judged
	AccountClaim string        // the claim that names the account
	JWKSURL      string        // where the issuer's key set is
	JWKSFile     string        // or the file that it is in
	JWKSRefresh  time.Duration // how often it is read
	JWKSKeep     time.Duration // how long it is good while it cannot be read
}

// Outbound says where requests may go that the gateway makes.
type Outbound struct {
	Networks []netip.Prefix // ranges that are nobody's on the internet, and may be asked all the same
}

// Import says what of a file is believed.
type Import struct {
	VanishMax int // the share of the employed who may be missing from a file that says that it is complete, in percent
}

// Blacklist says how long what has ended is kept.
type Blacklist struct {
	Keep time.Duration // after its time ran out; 0: for good
}

// Encryption says where the master key is.
type Encryption struct {
	KeysetFile string // a Tink keyset as JSON
}

// Audit says where signed checkpoints of the trail go: nowhere, where no file is named.
type Audit struct {
	CheckpointFile  string // they are appended to it
	SigningKeyFile  string // an Ed25519 key in PEM
	CheckpointEvery time.Duration
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

// Connection is how a workspace is connected to its platform: options by name. What they are called and which of them
// there must be, the platform's adapter knows. NAME_file stands for the option NAME and names the file that it is read
// from, which is how secrets are given. It prints without values, for people put secrets into those all the same.
type Connection map[string]string

// fileSuffix follows the name of an option that is read from a file.
const fileSuffix = "_file"

// Connections reads the files of workspaces, and gives the options of each as its adapter knows them, by the workspace's
// name. What secret says of an option must not stand in the settings themselves. The error is [Faults], which show
// neither values nor the paths of files.
func (c Config) Connections(secret func(workspace, option string) bool) (map[string]map[string]string, error) {
	out := make(map[string]map[string]string, len(c.Workspaces))
	var faults Faults
	for _, name := range slices.Sorted(maps.Keys(c.Workspaces)) {
		prefix := workspacesKey + "." + name + "."
		options, more := c.Workspaces[name].options(prefix)
		faults = append(faults, more...)
		faults = append(faults, c.Workspaces[name].inTheOpen(prefix, func(option string) bool { return secret(name, option) })...)
		out[name] = options
	}
	if err := faults.err(); err != nil {
		return nil, err
	}
	return out, nil
}

// options reads the files. The path of each fault begins with the prefix.
func (c Connection) options(prefix string) (map[string]string, Faults) {
	options := make(map[string]string, len(c))
	var faults Faults
	for _, key := range slices.Sorted(maps.Keys(c)) {
		name, isFile := strings.CutSuffix(key, fileSuffix)
		if !isFile || name == "" {
			options[key] = c[key]
			continue
		}
		if _, both := c[name]; both {
			faults = append(faults, Fault{Path: prefix + key, Expected: "either " + name + " or " + key})
			continue
		}
		text, err := readLine(c[key])
		if err == nil && text == "" {
			err = errors.New("the file is empty")
		}
		if err != nil {
			faults = append(faults, Fault{Path: prefix + key, Value: redact(c[key]), Expected: "a file that holds the " + name + because(err)})
			continue
		}
		options[name] = text
	}
	return options, faults
}

// inTheOpen are the secrets that stand in the settings themselves.
func (c Connection) inTheOpen(prefix string, secret func(option string) bool) (faults Faults) {
	for _, option := range slices.Sorted(maps.Keys(c)) {
		if secret(option) {
			faults = append(faults, Fault{Path: prefix + option, Expected: "it in a file, which " + option + fileSuffix + " names"})
		}
	}
	return faults
}

// String is the names of the options.
func (c Connection) String() string { return strings.Join(slices.Sorted(maps.Keys(c)), ", ") }

// GoString is String.
func (c Connection) GoString() string { return c.String() }

// MarshalText is String, for the JSON of logs.
func (c Connection) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// LogValue is String.
func (c Connection) LogValue() slog.Value { return slog.StringValue(c.String()) }

// secretBytes is the least length of an HS256 secret: that of the hash (RFC 7518, 3.2).
const secretBytes = 32

// Secret reads the HS256 secret. A line break at the end of the file is not part of it. The error does not show the
// path, for people put the secret itself there.
func (a Auth) Secret() ([]byte, error) {
	text, err := readLine(a.SecretFile)
	if err != nil {
		return nil, err
	}
	if len(text) < secretBytes {
		return nil, errors.New("the secret is too short")
	}
	return []byte(text), nil
}

// JWKS reads the key set that is in a file.
func (a Auth) JWKS() ([]byte, error) { return read(a.JWKSFile) }

// Keyset reads the keyset. Its keys are not looked at.
func (e Encryption) Keyset() ([]byte, error) {
	b, err := read(e.KeysetFile)
	if err == nil && len(b) == 0 {
		return nil, errors.New("the file is empty")
	}
	return b, err
}

// SigningKey reads the key that signs checkpoints. It is not looked at.
func (a Audit) SigningKey() ([]byte, error) { return read(a.SigningKeyFile) }

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

// readLine is read without a line break at the end.
func readLine(path string) (string, error) {
	b, err := read(path)
	return strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"), err
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
	}, nil).err()
}

// faults are those of Validate, where given tells which settings somebody set, and secret which options of workspaces are.
func (c Config) faults(given func(setting) bool, secret func(option string) bool) Faults {
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
				fault(s.path, "", broughtByDemo)
			}
		}
		if len(c.Workspaces) > 0 {
			fault(workspacesKey, "", broughtByDemo)
		}
	} else {
		for _, s := range settings {
			if s.onlyInDemo() && given(s) {
				fault(s.path, "", "nothing without demo")
			}
		}
		switch {
		case c.Auth.SecretFile != "":
			if _, err := c.Auth.Secret(); err != nil {
				fault("auth.secret_file", showPath(c.Auth.SecretFile), "a file with at least 32 bytes of secret"+because(err))
			}
		case c.Auth.JWKSURL == "" && c.Auth.JWKSFile == "":
			fault("auth.secret_file", "", "one of auth.secret_file, auth.jwks_url and auth.jwks_file")
		}
		if c.Auth.JWKSFile != "" {
			if c.Auth.JWKSURL != "" {
				fault("auth.jwks_file", c.Auth.JWKSFile, "either auth.jwks_url or auth.jwks_file")
			}
			if _, err := read(c.Auth.JWKSFile); err != nil {
				fault("auth.jwks_file", c.Auth.JWKSFile, "a file with a JSON Web Key Set"+because(err))
			}
		}
		if c.Auth.JWKSKeep < c.Auth.JWKSRefresh {
			fault("auth.jwks_keep", c.Auth.JWKSKeep.String(), "no less than auth.jwks_refresh")
		}
		if c.Auth.Issuer == "" {
			fault("auth.issuer", "", "the issuer of the tokens to believe")
		}
		if _, err := c.Encryption.Keyset(); c.Encryption.KeysetFile == "" || err != nil {
			fault("encryption.keyset_file", showPath(c.Encryption.KeysetFile), "a file with a Tink keyset as JSON"+because(err))
		}
		for _, name := range slices.Sorted(maps.Keys(c.Workspaces)) {
			prefix := workspacesKey + "." + name + "."
			_, more := c.Workspaces[name].options(prefix)
			faults = append(faults, more...)
			if secret != nil {
				faults = append(faults, c.Workspaces[name].inTheOpen(prefix, secret)...)
			}
		}
	}
	if _, err := c.Endpoints(); err != nil {
		faults = append(faults, err.(Faults)...)
	}
	if a := c.Audit; a.CheckpointFile != "" || a.SigningKeyFile != "" {
		if a.CheckpointFile == "" {
			fault("audit.checkpoint_file", "", "the file for what audit.signing_key_file signs")
		}
		if _, err := a.SigningKey(); err != nil {
			fault("audit.signing_key_file", showPath(a.SigningKeyFile), "a file with an Ed25519 key in PEM"+because(err))
		}
	}
	if c.Documents.Mode == "enforce" && c.Documents.Path == "" {
		fault("documents.path", "", "the trusted documents, with documents.mode enforce")
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

const broughtByDemo = "nothing with demo, which brings its own"

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
