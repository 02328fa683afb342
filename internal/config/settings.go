package config

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/text/currency"
)

// setting is one row of what can be set.
type setting struct {
	path     string // the key of the file; the other two spellings follow from it
	usage    string
	fallback string // its default, written as a value would be
	inDemo   string // the default of the demo, where it is another
	expected string
	field    func(*Config) any        // a pointer to the field
	choices  []string                 // of which a text must be one; nil: it need not
	valid    func(string) bool        // nil: any text
	show     func(text string) string // a value as people may see it; nil: as it is
}

var settings = []setting{
	{
		path: "listen", fallback: "127.0.0.1:8080",
		usage:    "address to listen on; port 0 picks a free one",
		expected: "HOST:PORT, with a port from 0 to 65535",
		field:    func(c *Config) any { return &c.Listen },
		valid:    isHostPort,
	},
	{
		path:     "db",
		usage:    "sqlite:PATH, sqlite::memory: or postgres://…; default a file in the user's data directory, with --demo a fresh temporary one",
		expected: "sqlite:PATH, sqlite::memory: or postgres://…",
		field:    func(c *Config) any { return &c.DB },
		valid:    isDatabase,
		show:     showDatabase,
	},
	{
		path:     "policies",
		usage:    "directory of the company's own policy files",
		expected: "a directory",
		field:    func(c *Config) any { return &c.Policies },
	},
	{
		path:     "demo",
		usage:    "serve the demo company, on loopback only",
		expected: "true or false",
		field:    func(c *Config) any { return &c.Demo },
	},
	{
		path:     "sim",
		usage:    "with --demo, where the simulator of a platform runs as a process of its own: PLATFORM=http://HOST:PORT; several with commas, or as several flags",
		expected: "PLATFORM=http://HOST:PORT with a loopback host, each platform once, commas between several",
		field:    func(c *Config) any { return &c.Sim },
	},
	{
		path: "http.status_profile", fallback: "compat",
		usage:    "which statuses answers have: compat, or those of the draft of GraphQL over HTTP",
		expected: "compat or draft",
		field:    func(c *Config) any { return &c.HTTP.StatusProfile },
		choices:  []string{"compat", "draft"},
	},
	{
		path: "http.upload_max", fallback: "32MiB",
		usage:    "how large a request may be that carries files",
		expected: "a size from 1KiB to 1GiB, such as 32MiB",
		field:    func(c *Config) any { return &c.HTTP.UploadMax },
		valid:    sizeWithin(1<<10, 1<<30),
	},
	{
		path:     "check.fail_open",
		usage:    "names of the workspaces whose pre-delivery question (POST /v1/check) is answered with yes while the store is away, with commas; of the others with no",
		expected: "names of workspaces, with commas",
		field:    func(c *Config) any { return &c.CheckFailOpen },
	},
	{
		path:     "explorer",
		usage:    "serve the GraphQL explorer at /; default with --demo true, else false",
		expected: "true or false",
		field:    func(c *Config) any { return &c.Explorer },
	},
	{
		path: "http.operation_time", fallback: "15s",
		usage:    "how long a query or a command may take",
		expected: "a duration from 1ms to 5m, such as 15s",
		field:    func(c *Config) any { return &c.HTTP.OperationTime },
		valid:    durationWithin(time.Millisecond, 5*time.Minute),
	},
	{
		path: "http.executor", fallback: "plan",
		usage:    "how operations are worked out: by plan, by gqlgen, or by both, which fails where they do not agree",
		expected: "plan, gqlgen or both",
		field:    func(c *Config) any { return &c.HTTP.Executor },
		choices:  []string{"plan", "gqlgen", "both"},
	},
	{
		path: "http.live_max", fallback: "100",
		usage:    "how many sockets and streams one person may have open",
		expected: "a number from 1 to 10000",
		field:    func(c *Config) any { return &c.HTTP.LiveMax },
		valid:    numberWithin(1, 10_000),
	},
	{
		path:     "http.origins",
		usage:    "origins whose pages may ask, beside the gateway's own; several with commas, or as several flags",
		expected: "https://HOST or http://HOST, with a port where it is not the usual one; commas between several",
		field:    func(c *Config) any { return &c.HTTP.Origins },
	},
	{
		path:     "http.trusted_proxies",
		usage:    "addresses of the proxies whose X-Request-Id and X-Forwarded-For are believed; several with commas, or as several flags",
		expected: "an address or a network such as 10.0.0.0/8; commas between several",
		field:    func(c *Config) any { return &c.HTTP.TrustedProxies },
	},
	{
		path: "limits.everyone", fallback: "5000/200000/20000", inDemo: "5000/50000000/5000000",
		usage:    "COST/CAPACITY/RESTORE of everybody: what one operation may cost, what may be spent at once, what a second restores; capacity 0 for any rate",
		expected: limitExpected,
		field:    func(c *Config) any { return &c.Limits.Everyone },
	},
	{
		path: "limits.strangers", fallback: "1000/10000/1000", inDemo: "1000/1000000/100000",
		usage:    "the same of those who have not signed in, by address",
		expected: limitExpected,
		field:    func(c *Config) any { return &c.Limits.Strangers },
	},
	{
		path:     "limits.roles",
		usage:    "the same of roles, where it is more: ROLE=COST/CAPACITY/RESTORE; several with commas, or as several flags",
		expected: "ROLE=COST/CAPACITY/RESTORE, each role once, commas between several",
		field:    func(c *Config) any { return &c.Limits.Roles },
	},
	{
		path:     "documents.path",
		usage:    "trusted documents: a directory of .graphql files, or a manifest in JSON",
		expected: "a directory of .graphql files, or a manifest in JSON",
		field:    func(c *Config) any { return &c.Documents.Path },
	},
	{
		path: "documents.mode", fallback: "off",
		usage:    "what becomes of documents that are not trusted: off answers them, log tells of them, enforce refuses them",
		expected: "off, log or enforce",
		field:    func(c *Config) any { return &c.Documents.Mode },
		choices:  []string{"off", "log", "enforce"},
	},
	{
		path: "log.level", fallback: "info",
		usage:    "least level that is logged: debug, info, warn or error",
		expected: "debug, info, warn or error",
		field:    func(c *Config) any { return &c.Log.Level },
		choices:  []string{"debug", "info", "warn", "error"},
	},
	{
		path: "log.format", fallback: "text",
		usage:    "text or json",
		expected: "text or json",
		field:    func(c *Config) any { return &c.Log.Format },
		choices:  []string{"text", "json"},
	},
	{
		path: "log.slow", fallback: "500ms",
		usage:    "from when on the log tells that an operation is slow; 0s: never",
		expected: "a duration from 0s to 1h, such as 500ms",
		field:    func(c *Config) any { return &c.Log.Slow },
		valid:    atMost(time.Hour),
	},
	{
		path:     "tracing.endpoint",
		usage:    "URL of an OpenTelemetry collector that speaks OTLP over HTTP; without it nothing is traced",
		expected: "http://HOST:PORT or https://HOST[:PORT], with a path or without",
		field:    func(c *Config) any { return &c.Tracing.Endpoint },
		valid:    isCollector,
		show:     redact, // people put keys into URLs
	},
	{
		path: "tracing.sample", fallback: "1",
		usage:    "which part of operations is traced",
		expected: "a number from 0 to 1, such as 0.1",
		field:    func(c *Config) any { return &c.Tracing.Sample },
		valid:    isPart,
	},
	{
		path:     "auth.secret_file",
		usage:    "file with the HS256 secret of tokens, at least 32 bytes",
		expected: "a file with at least 32 bytes of secret",
		field:    func(c *Config) any { return &c.Auth.SecretFile },
		show:     showPath,
	},
	{
		path:     "auth.issuer",
		usage:    "issuer whose tokens are believed",
		expected: "the issuer of the tokens to believe",
		field:    func(c *Config) any { return &c.Auth.Issuer },
	},
	{
		path: "auth.audience", fallback: "guanxi",
		usage:    "audience that tokens must name",
		expected: "the audience that tokens must name",
		field:    func(c *Config) any { return &c.Auth.Audience },
	},
	{
		path: "auth.leeway", fallback: "30s",
		usage:    "by how much clocks may differ when a token's times are judged",
		expected: "a duration from 0s to 5m, such as 30s",
		field:    func(c *Config) any { return &c.Auth.Leeway },
		// More would let tokens live long after they were said to end.
		valid: atMost(5 * time.Minute),
	},
	{
		path: "auth.account_claim", fallback: "sub",
		usage:    "claim of a token that names the account",
		expected: "the name of a claim",
		field:    func(c *Config) any { return &c.Auth.AccountClaim },
	},
	{
		path:     "auth.jwks_url",
		usage:    "URL of the issuer's JSON Web Key Set",
		expected: "https://HOST/PATH; http on a loopback host alone",
		field:    func(c *Config) any { return &c.Auth.JWKSURL },
		valid:    isKeySetURL,
	},
	{
		path:     "auth.jwks_file",
		usage:    "file with the issuer's JSON Web Key Set, in the place of its URL",
		expected: "a file with a JSON Web Key Set",
		field:    func(c *Config) any { return &c.Auth.JWKSFile },
	},
	{
		path: "auth.jwks_refresh", fallback: "5m",
		usage:    "how often the key set is read: a key that has gone from it is believed no longer",
		expected: "a duration from 1s to 1h, such as 5m",
		field:    func(c *Config) any { return &c.Auth.JWKSRefresh },
		valid:    between(time.Second, time.Hour),
	},
	{
		path: "auth.jwks_keep", fallback: "1h",
		usage:    "how long the last key set is good while it cannot be read",
		expected: "a duration from 1s to 24h, such as 1h",
		field:    func(c *Config) any { return &c.Auth.JWKSKeep },
		valid:    between(time.Second, 24*time.Hour),
	},
	{
		path:     "outbound.networks",
		usage:    "private ranges of addresses that the gateway's own requests may go to, with commas between",
		expected: "ranges such as 10.1.0.0/16, with commas between",
		field:    func(c *Config) any { return &c.Outbound.Networks },
	},
	{
		path:     "encryption.keyset_file",
		usage:    "file with the master key, a Tink keyset as JSON",
		expected: "a file with a Tink keyset as JSON",
		field:    func(c *Config) any { return &c.Encryption.KeysetFile },
		show:     showPath,
	},
	{
		path:     "audit.checkpoint_file",
		usage:    "file outside the database to which signed checkpoints of the trail are appended",
		expected: "a file to append to",
		field:    func(c *Config) any { return &c.Audit.CheckpointFile },
	},
	{
		path:     "audit.signing_key_file",
		usage:    "file with the key that signs checkpoints, as guanxi audit key makes it",
		expected: "a file with an Ed25519 key in PEM",
		field:    func(c *Config) any { return &c.Audit.SigningKeyFile },
		show:     showPath,
	},
	{
		path: "audit.checkpoint_every", fallback: "1m",
		usage:    "how often the trail is looked at for a new checkpoint",
		expected: "a duration from 100ms to 24h, such as 1m",
		field:    func(c *Config) any { return &c.Audit.CheckpointEvery },
		valid:    between(100*time.Millisecond, 24*time.Hour),
	},
	{
		path: "import.vanish_max", fallback: "5",
		usage:    "how many of the employed may be missing from a complete file before an import stops, in percent",
		expected: "a whole number from 0 to 100",
		field:    func(c *Config) any { return &c.Import.VanishMax },
		valid:    func(text string) bool { n, err := strconv.Atoi(text); return err == nil && 0 <= n && n <= 100 },
	},
	{
		path: "blacklist.keep", fallback: "0s",
		usage:    "how long a blacklisting is kept after its time ran out, before the gateway removes it by itself; 0 for good",
		expected: "a duration from 1h to 87600h, such as 2160h, or 0",
		field:    func(c *Config) any { return &c.Blacklist.Keep },
		valid: func(text string) bool {
			d, err := time.ParseDuration(text)
			return err == nil && (d == 0 || time.Hour <= d && d <= 87600*time.Hour)
		},
	},
	{
		path: "currency", fallback: "CNY",
		usage:    "the company's own currency",
		expected: "an ISO 4217 code, such as CNY",
		field:    func(c *Config) any { return &c.Currency },
		valid:    isCurrency,
	},
	{
		path: "shutdown_grace", fallback: "10s",
		usage:    "how long requests under way may take once the gateway is told to stop",
		expected: "a duration from 0s to 1h, such as 10s",
		field:    func(c *Config) any { return &c.ShutdownGrace },
		valid:    atMost(time.Hour),
	},
	{
		path: "shutdown_delay", fallback: "0s",
		usage:    "how long the gateway serves on after it is told to stop, while it says that it is not ready",
		expected: "a duration from 0s to 10m, such as 5s",
		field:    func(c *Config) any { return &c.ShutdownDelay },
		valid:    atMost(10 * time.Minute),
	},
}

const limitExpected = "COST/CAPACITY/RESTORE, three whole numbers of which the first is not 0, such as 5000/200000/20000"

// known are the variables that are read elsewhere: they are no settings, and nobody's typing error.
var known = []string{configVariable, "GUANXI_SERVER", "GUANXI_TOKEN", "GUANXI_TEST_POSTGRES"}

const (
	configFlag     = "config"
	configVariable = variablePrefix + "CONFIG"
	variablePrefix = "GUANXI_"
)

// Flags registers --config, which names the file, and a flag for each setting that a command reads: for all of them, or for those
// that are named and those of the sections that are.
func Flags(flags *pflag.FlagSet, only ...string) {
	flags.String(configFlag, "", "file of settings, in YAML")
	for _, s := range settings {
		section, _, _ := strings.Cut(s.path, ".")
		if len(only) > 0 && !slices.Contains(only, s.path) && !slices.Contains(only, section) {
			continue
		}
		switch s.field(&Config{}).(type) {
		case *bool:
			flags.Bool(s.flag(), s.fallback == "true", s.usage)
		case *map[string]string, *map[string]Limit, *[]string, *[]netip.Prefix:
			flags.Var(new(list), s.flag(), s.usage)
		default:
			flags.String(s.flag(), s.fallback, s.usage)
		}
	}
}

// list is the value of a flag that may be given more than once: what it is given, with commas between.
type list string

// String is the value.
func (l *list) String() string { return string(*l) }

// Set adds to the value.
func (l *list) Set(text string) error {
	if *l != "" {
		*l += ","
	}
	*l += list(text)
	return nil
}

// Type is what help calls the value.
func (l *list) Type() string { return "string" }

func (s setting) flag() string { return strings.NewReplacer(".", "-", "_", "-").Replace(s.path) }

func (s setting) variable() string {
	return variablePrefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(s.path))
}

// notInDemo: the demo brings its own.
func (s setting) notInDemo() bool {
	return strings.HasPrefix(s.path, "auth.") || strings.HasPrefix(s.path, "encryption.")
}

// onlyInDemo: a real server has nothing of the kind.
func (s setting) onlyInDemo() bool { return s.path == "sim" }

// set gives the setting a value, or reports that the text is none for it.
func (s setting) set(c *Config, text string) bool {
	if s.choices != nil && !slices.Contains(s.choices, text) || s.valid != nil && !s.valid(text) {
		return false
	}
	var err error
	switch p := s.field(c).(type) {
	case *string:
		*p = text
	case *Database:
		*p = Database(text)
	case *int:
		*p, err = strconv.Atoi(text)
	case *bool:
		*p, err = strconv.ParseBool(text)
	case *map[string]string:
		*p, err = simulators(text)
	case *float64:
		*p, err = strconv.ParseFloat(text, 64)
	case *time.Duration:
		*p, err = time.ParseDuration(text)
	case *Names:
		for name := range strings.SplitSeq(text, ",") {
			if name = strings.TrimSpace(name); name != "" {
				*p = append(*p, name)
			}
		}
	case *[]string:
		*p, err = origins(text)
	case *[]netip.Prefix:
		*p, err = networks(text)
	case *Limit:
		*p, err = limit(text)
	case *map[string]Limit:
		*p, err = roles(text)
	case *Size:
		*p, err = size(text)
	case *slog.Level:
		err = p.UnmarshalText([]byte(text))
	}
	return err == nil
}

// shown is a value as people may see it.
func (s setting) shown(text string) string {
	if s.show != nil {
		return s.show(text)
	}
	return text
}

const redacted = "[redacted]"

func redact(text string) string {
	if text == "" {
		return ""
	}
	return redacted
}

// showDatabase shows files. A URL hides passwords in more places than one, as user information and as parameters, so of it
// where it goes is shown, and nothing of what is neither.
func showDatabase(text string) string {
	if strings.HasPrefix(text, "sqlite:") || showPath(text) == text {
		return text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return redact(text)
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// showPath shows what is written as a path, or is a file. People put secrets where the name of a file belongs, so other texts are
// not shown.
func showPath(text string) string {
	_, err := os.Stat(text)
	if err == nil || writtenAsPath.MatchString(text) {
		return text
	}
	return redact(text)
}

// writtenAsPath: from a folder on, or with the ending of a file's name.
var writtenAsPath = regexp.MustCompile(`^(\.{0,2}/)?[\w.-]+(/[\w.-]+)*\.[a-z]{2,6}$|^\.{0,2}/[\w.-]+(/[\w.-]+)*/?$`)

func atMost(limit time.Duration) func(string) bool { return between(0, limit) }

func between(least, most time.Duration) func(string) bool {
	return func(s string) bool {
		d, err := time.ParseDuration(s)
		return err == nil && least <= d && d <= most
	}
}

// isKeySetURL: whoever can change what is read there can sign as anybody, so it is read over TLS, or from this machine.
func isKeySetURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && loopback(net.JoinHostPort(u.Hostname(), "0"))
}

// size reads 512B, 64KiB, 32MiB or 1GiB.
func size(text string) (Size, error) {
	for i, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		number, ok := strings.CutSuffix(text, unit)
		if n, err := strconv.ParseUint(number, 10, 32); ok && err == nil {
			return Size(n) << (10 * i), nil
		}
	}
	return 0, errors.New("no size")
}

func sizeWithin(least, most Size) func(string) bool {
	return func(s string) bool {
		n, err := size(s)
		return err == nil && least <= n && n <= most
	}
}

func durationWithin(least, most time.Duration) func(string) bool {
	return func(s string) bool {
		d, err := time.ParseDuration(s)
		return err == nil && least <= d && d <= most
	}
}

func numberWithin(least, most int) func(string) bool {
	return func(s string) bool {
		n, err := strconv.Atoi(s)
		return err == nil && least <= n && n <= most
	}
}

// origins reads scheme://host[:port],… as browsers write origins: in small letters, without a port that is the usual one.
func origins(text string) ([]string, error) {
	var out []string
	for origin := range strings.SplitSeq(text, ",") {
		u, err := url.Parse(origin)
		if err != nil {
			return nil, err
		}
		usual := map[string]string{"http": "80", "https": "443"}[u.Scheme]
		if origin != u.Scheme+"://"+u.Host || usual == "" || u.Hostname() == "" || u.Port() == usual || strings.HasSuffix(u.Host, ":") ||
			origin != strings.ToLower(origin) || strings.Contains(origin, "*") || slices.Contains(out, origin) {
			return nil, errors.New("no origin, or one twice")
		}
		out = append(out, origin)
	}
	return out, nil
}

// networks reads addresses and networks.
func networks(text string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for one := range strings.SplitSeq(text, ",") {
		if a, err := netip.ParseAddr(one); err == nil {
			out = append(out, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		n, err := netip.ParsePrefix(one)
		if err != nil || n != n.Masked() {
			return nil, errors.New("no network")
		}
		out = append(out, n)
	}
	return out, nil
}

// limit reads COST/CAPACITY/RESTORE.
func limit(text string) (l Limit, err error) {
	parts := strings.Split(text, "/")
	into := []*int{&l.Cost, &l.Capacity, &l.Restore}
	if len(parts) != len(into) {
		return l, errors.New("not three numbers")
	}
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 31)
		if err != nil {
			return l, err
		}
		*into[i] = int(n)
	}
	if l.Cost == 0 || l.Capacity > 0 && l.Restore == 0 {
		return l, errors.New("nothing could ever be asked")
	}
	return l, nil
}

// roles reads ROLE=COST/CAPACITY/RESTORE,….
func roles(text string) (map[string]Limit, error) {
	out := map[string]Limit{}
	for entry := range strings.SplitSeq(text, ",") {
		role, rest, _ := strings.Cut(entry, "=")
		l, err := limit(rest)
		if err != nil {
			return nil, err
		}
		if _, again := out[role]; again || role == "" {
			return nil, errors.New("no role, or one twice")
		}
		out[role] = l
	}
	return out, nil
}

// simulators reads PLATFORM=http://HOST:PORT,…. Only loopback will do: a simulator believes whoever reaches it.
func simulators(text string) (map[string]string, error) {
	sims := map[string]string{}
	for entry := range strings.SplitSeq(text, ",") {
		platform, address, _ := strings.Cut(entry, "=")
		u, err := url.Parse(address)
		if err != nil {
			return nil, err
		}
		if at := (url.URL{Scheme: "http", Host: u.Host}); address != at.String() && address != at.String()+"/" || !isHostPort(u.Host) || !loopback(u.Host) {
			return nil, errors.New("the URL is more or less than http://HOST:PORT on loopback")
		}
		if _, again := sims[platform]; again || platform == "" {
			return nil, errors.New("no platform, or one twice")
		}
		sims[platform] = "http://" + u.Host
	}
	return sims, nil
}

func isPart(s string) bool {
	f, err := strconv.ParseFloat(s, 64)
	return err == nil && 0 <= f && f <= 1
}

func isCollector(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

func isCurrency(s string) bool {
	unit, err := currency.ParseISO(s)
	return err == nil && unit.String() == s
}

func isDatabase(s string) bool {
	if path, ok := strings.CutPrefix(s, "sqlite:"); ok {
		return path != "" && (path == ":memory:" || !strings.HasPrefix(path, ":"))
	}
	if !strings.HasPrefix(s, "postgres://") {
		return false
	}
	_, err := url.Parse(s)
	return err == nil
}

// hostname is what RFC 1123 allows, with a last label that no one takes for part of an address.
var hostname = regexp.MustCompile(`^([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)*[a-zA-Z]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$`)

func isHostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return false
	}
	if _, err := netip.ParseAddr(host); err == nil || host == "" {
		return true
	}
	return len(host) <= 253 && hostname.MatchString(host)
}
