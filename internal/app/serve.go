package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/guanxi-im/guanxi/adapters"
	_ "github.com/guanxi-im/guanxi/adapters/all" // every platform
	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/db"
	"github.com/guanxi-im/guanxi/internal/accounts"
	"github.com/guanxi-im/guanxi/internal/approval"
	"github.com/guanxi-im/guanxi/internal/audit"
	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/clock"
	"github.com/guanxi-im/guanxi/internal/config"
	"github.com/guanxi-im/guanxi/internal/demo"
	"github.com/guanxi-im/guanxi/internal/directory"
	"github.com/guanxi-im/guanxi/internal/envelope"
	"github.com/guanxi-im/guanxi/internal/explorer"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/gateway"
	"github.com/guanxi-im/guanxi/internal/identity"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/intake"
	"github.com/guanxi-im/guanxi/internal/live"
	"github.com/guanxi-im/guanxi/internal/messaging"
	"github.com/guanxi-im/guanxi/internal/metrics"
	"github.com/guanxi-im/guanxi/internal/observe"
	"github.com/guanxi-im/guanxi/internal/outbound"
	"github.com/guanxi-im/guanxi/internal/platform"
	"github.com/guanxi-im/guanxi/internal/policy"
	"github.com/guanxi-im/guanxi/internal/webhook"
	"github.com/guanxi-im/guanxi/resolvers"
	"github.com/guanxi-im/guanxi/resolvers/view"
)

func (p *program) serve() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the gateway",
		Args:  usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config.Load(c.Flags(), p.environ, secretOption)
			if err != nil {
				return usageError{err}
			}
			return p.run(c.Context(), cfg)
		},
	}
	config.Flags(c.Flags())
	return c
}

// server is a gateway put together.
type server struct {
	cfg   config.Config
	log   *slog.Logger
	clock *clock.Clock
	store *db.Store
	hub   *live.Hub
	block *blocking.Service
	accts *accounts.Service
	send  *platform.Courier
	hooks *webhook.Courier
	who   *identity.Service
	rules *policy.Keeper
	files *intake.Service
	trust identity.Options // whose tokens are believed

	documents *gateway.Trusted
}

// gcPercent lets the heap grow to three times what lives in it, which is some fifteen megabytes: collecting half as often
// saves a tenth of the time. GOGC, where it is set, counts.
const gcPercent = 200

// run serves until ctx ends.
func (p *program) run(ctx context.Context, cfg config.Config) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	s := &server{cfg: cfg, log: logger(cfg.Log, p.stderr), clock: clock.New(time.Time{}, 0)}
	master, err := s.secrets()
	if err != nil {
		return usageError{err}
	}
	dsn := string(cfg.DB)
	if dsn == "" {
		dsn = "sqlite::memory:"
	}
	now := func() time.Time { return s.clock.Now() }
	if s.store, err = db.Open(ctx, dsn, db.Options{Master: master, Now: now, Log: s.log,
		Personal: personal(platform.NewCatalogue(adapters.All()))}); err != nil {
		return usageError{err}
	}
	defer func() { _ = s.store.Close() }()
	if free, err := s.store.Hold(ctx, false); err != nil {
		return err
	} else if !free {
		return usageError{errors.New("db: an import or guanxi migrate down holds this database; start when it has ended")}
	}
	made, err := s.prepare(ctx)
	if err != nil {
		return err
	}
	if err := s.readKeys(ctx); err != nil {
		return err
	}
	sims := &sims{}
	if cfg.Demo {
		if sims, err = s.openSims(ctx, dsn, made); err != nil {
			return err
		}
		defer func() { _ = sims.close() }()
	}
	workspaces, err := s.store.Workspaces(ctx)
	if err != nil {
		return err
	}
	settings, err := s.connections(sims, workspaces)
	if err != nil {
		return err
	}
	platforms, err := s.connect(ctx, workspaces, settings)
	if err != nil {
		return err
	}
	defer func() { _ = platforms.Close() }()
	ids := im.NewIDs(now)
	s.hub = live.New(s.store, s.log)
	if err := s.openPolicy(ctx, platforms.Catalogue, workspaces, ids); err != nil {
		return err
	}
	s.who = identity.New(s.store, s.rules, s.trust)
	s.send = platform.NewCourier(platform.CourierOptions{Store: s.store, Connections: platforms, Log: s.log, Now: now, IDs: ids, Wake: s.hub.Wake})
	if s.hooks, err = s.openWebhooks(ids); err != nil {
		return err
	}
	wake := func() { s.hub.Wake(); s.who.Wake() }
	s.accts = accounts.New(s.store, accounts.Options{Policy: s.rules, Platforms: platforms, Viewer: s.who.Viewer, CutOff: s.who.CutOff, Now: now, IDs: ids,
		Wake: wake, Deliver: s.send.Deliver})
	s.block = blocking.New(s.store, blocking.Options{Policy: s.rules, Platforms: platforms, Viewer: s.who.Viewer, Now: now, IDs: ids,
		Currency: cfg.Currency, Wake: wake, Deliver: s.send.Deliver, Endpoints: s.hooks.Told, Matters: map[im.Kind]approval.Opener{
			im.KindAccount:  s.accts.Matter,
			im.KindIdentity: s.accts.LinkMatter,
			im.KindImport: func(ctx context.Context, v im.Viewer, a im.Approval) (approval.Matter, error) {
				return s.files.Matter(ctx, v, a)
			}},
		Asks: s.accts.Inquirers()})
	if _, err := s.accts.RunDue(ctx); err != nil { // what was to be frozen while nobody was there is, before anybody is served
		return err
	}

	s.files = newIntake(s.store, s.rules.Engine(), cfg, now, ids, intake.Options{Log: s.log, Wake: wake, Policy: s.rules, Viewer: s.who.Viewer,
		Kinds: map[im.ImportKind]intake.Kind{im.BlacklistImport: &intake.Blacklist{Store: s.store, Blocking: s.block, Viewer: s.who.Viewer}}})
	if err := s.store.ReclaimImports(ctx, false); err != nil {
		return err
	}
	messages := messaging.New(s.store, messaging.Options{Policy: s.rules, Own: func(name string) bool { return platforms.Platform(name).Own },
		Refuse: s.block.Refuse, Now: now, IDs: ids, Wake: s.hub.Wake})

	marks, err := s.openMarks()
	if err != nil {
		return err
	}
	if marks != nil {
		defer func() { _ = marks.Close() }()
	}

	if s.documents, err = gateway.OpenTrusted(cfg.Documents.Path, gateway.DocumentsMode(cfg.Documents.Mode), s.log); err != nil {
		return usageError{err}
	}
	tracer, err := s.tracer(ctx)
	if err != nil {
		return usageError{err}
	}
	defer s.closeTracer(ctx, tracer)
	counted := metrics.New(metrics.Sources{Rules: s.rules, Store: s.store, Workspaces: workspaces, Endpoints: s.hooks.Health})
	observer := observe.New(counted.Ended, tracer)
	work, stop := context.WithCancel(observe.With(context.WithoutCancel(ctx), observer)) // what is under way when ctx ends finishes
	defer stop()
	background := make(chan struct{})
	go func() { defer close(background); s.background(work, sims, marks) }()
	defer func() { stop(); <-background }()

	history := policy.NewHistory(s.rules, s.store, blocking.Duties())
	more := s.demoRoutes(sims)
	more["GET /metrics"] = counted.Handler()
	more["GET /imports/{id}/errors.csv"] = http.HandlerFunc(s.importErrors)
	if cfg.Explorer {
		pages, err := explorer.Routes(cfg.Demo)
		if err != nil {
			return err
		}
		maps.Copy(more, pages)
	}
	draining, drain := context.WithCancel(work)
	defer drain()
	h, err := gateway.New(gateway.Options{
		Resolver: &resolvers.Resolver{
			Sources: view.Sources{Directory: directory.New(s.store), Blocking: s.block, Accounts: s.accts, Messaging: messages, Audit: s.store, Platforms: platforms, Imports: s.files,
				Services: s.store.Services, Keys: identity.NewKeys(s.store, identity.KeysOptions{Policy: s.rules,
					Now: func() time.Time { return s.clock.Now() }, Real: time.Now, IDs: ids, Wake: wake}),
				Waiting: s.store.Waiting, Policy: s.rules.Status, Rules: history.Rule, Explain: history.Explain,
				Reason: func(d im.Decision, l fault.Language) string { return s.rules.Engine().Reason(d.Outcome, d.Rules, l) }},
			Hub: s.hub, Again: s.who.Again,
		},
		Authenticate:    s.who.Authenticate,
		AuthenticateKey: s.who.AuthenticateKey,
		Again:           s.who.Again,
		Watch:           s.who.Watch,
		Check: func(ctx context.Context, v im.Viewer, q gateway.PreDelivery) (bool, error) {
			return s.block.PreDelivery(ctx, blocking.Call{Viewer: v, RequestID: resolvers.RequestOf(ctx).RequestID},
				blocking.PlatformPair{Workspace: q.Workspace, From: q.From, To: q.To, Group: q.Group}, q.Channel)
		},
		FailOpen: cfg.CheckFailOpen,
		Ready: func(asked context.Context) error {
			if ctx.Err() != nil {
				return errors.New("the gateway is about to stop")
			}
			return s.ready(asked)
		},
		Request:  counted.Request,
		Live:     counted.Live,
		Observer: observer,
		Slow:     cfg.Log.Slow,
		Log:      s.log,
		Stop:     draining,

		Profile: gateway.Profile(cfg.HTTP.StatusProfile), Executor: cfg.HTTP.Executor, UploadMax: int64(cfg.HTTP.UploadMax), OperationTime: cfg.HTTP.OperationTime,
		LiveMax: cfg.HTTP.LiveMax, Origins: cfg.HTTP.Origins, Proxies: cfg.HTTP.TrustedProxies, Limits: limits(cfg.Limits), Trusted: s.documents,
	}, more)
	if err != nil {
		return usageError{err}
	}
	return s.listen(ctx, drain, h, p)
}

// limits are those of the settings, as the gateway has them.
func limits(c config.Limits) gateway.Limits {
	out := gateway.Limits{Everyone: gateway.Limit(c.Everyone), Strangers: gateway.Limit(c.Strangers), Roles: map[string]gateway.Limit{}}
	for role, l := range c.Roles {
		out.Roles[role] = gateway.Limit(l)
	}
	return out
}

// tracer opens what spans are sent with; nil where nobody wants them.
func (s *server) tracer(ctx context.Context) (*observe.Tracer, error) {
	t := s.cfg.Tracing
	if t.Endpoint == "" {
		return nil, nil
	}
	return observe.OpenTracer(ctx, observe.TracerOptions{Endpoint: t.Endpoint, Sample: t.Sample,
		Failed: func(error) { s.log.WarnContext(ctx, "spans could not be sent; they are dropped") }}) // the error quotes the collector's answer
}

// closeTracer sends the spans that are left, while there is time.
func (s *server) closeTracer(ctx context.Context, t *observe.Tracer) {
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.ShutdownGrace)
	defer cancel()
	if err := t.Close(grace); err != nil {
		s.log.WarnContext(ctx, "the last spans could not be sent")
	}
}

// secrets reads what the gateway must not be without: the master key, and whose tokens it believes.
func (s *server) secrets() (*envelope.Master, error) {
	if s.cfg.Demo {
		s.trust = identity.Demo(time.Now)
		return envelope.Demo(), nil
	}
	var faults []error
	s.trust = identity.Options{Issuer: s.cfg.Auth.Issuer, Audience: s.cfg.Auth.Audience, Leeway: s.cfg.Auth.Leeway,
		Claim: s.cfg.Auth.AccountClaim, Keys: s.issuersKeys(), Now: time.Now, Log: s.log}
	if s.cfg.Auth.SecretFile != "" {
		var err error
		s.trust.Secret, err = s.cfg.Auth.Secret()
		faults = append(faults, err)
	}
	s.warnOfReaders()
	if s.trust.IsDemo() {
		faults = append(faults, errors.New("auth: the demo's secret and issuer are known to everybody; set others"))
	}
	keyset, err := s.cfg.Encryption.Keyset()
	faults = append(faults, err)
	if envelope.IsDemo(keyset) {
		faults = append(faults, errors.New("encryption.keyset_file: the demo's keyset is known to everybody; make another"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return envelope.Open(keyset)
}

// warnOfReaders says which files of secrets others than their owner can read. It is no fault: whoever mounts them may have no choice.
func (s *server) warnOfReaders() {
	for setting, path := range map[string]string{"encryption.keyset_file": s.cfg.Encryption.KeysetFile, "auth.secret_file": s.cfg.Auth.SecretFile,
		"audit.signing_key_file": s.cfg.Audit.SigningKeyFile} {
		const others = 0o077
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&others != 0 {
			s.log.Warn("a file of secrets can be read by others than its owner; take their rights away", "setting", setting, "mode", info.Mode().Perm().String())
		}
	}
}

// issuersKeys is the key set of the issuer, not read yet; nil where there is none.
func (s *server) issuersKeys() *identity.KeySet {
	a := s.cfg.Auth
	o := identity.KeySetOptions{Refresh: a.JWKSRefresh, Keep: a.JWKSKeep, Now: time.Now, Log: s.log}
	switch {
	case a.JWKSURL != "":
		at, err := url.Parse(a.JWKSURL)
		if err != nil { // it was looked at when settings were read
			return nil
		}
		client := outbound.Client(outbound.Options{Hosts: []string{at.Hostname()}, Networks: s.cfg.Outbound.Networks})
		o.Read = func(ctx context.Context) ([]byte, error) {
			return outbound.Get(ctx, client, a.JWKSURL, identity.KeySetMax)
		}
	case a.JWKSFile != "":
		o.Read = func(context.Context) ([]byte, error) { return a.JWKS() }
	default:
		return nil
	}
	return identity.NewKeySet(o)
}

// readKeys reads the issuer's keys for the first time. A file must be sound; an issuer that is away now may be back soon, and
// until then the server is not ready.
func (s *server) readKeys(ctx context.Context) error {
	if s.trust.Keys == nil {
		return nil
	}
	err := s.trust.Keys.Refresh(ctx)
	if err != nil && s.cfg.Auth.JWKSFile != "" {
		return usageError{fmt.Errorf("auth.jwks_file: %w", err)}
	}
	if err != nil {
		s.log.WarnContext(ctx, "the keys of the issuer cannot be read yet", "error", err)
	}
	return nil
}

// connect opens the platforms of the workspaces.
func (s *server) connect(ctx context.Context, workspaces []im.Workspace, settings map[string]map[string]string) (*platform.Connections, error) {
	now := func() time.Time { return s.clock.Now() }
	vendors := &http.Client{Timeout: vendorTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	out, err := platform.Connect(platform.NewCatalogue(adapters.All()), workspaces, settings,
		adapters.Env{HTTP: vendors, Log: s.log, Now: now, Store: s.store.Ping}, s.store)
	if err != nil {
		return nil, usageError{err}
	}
	if err := s.store.Reclaim(ctx); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	out.Check(ctx)
	return out, nil
}

// personal lists the platforms that people are on by themselves, without a company.
func personal(platforms *platform.Catalogue) (names []string) {
	for _, p := range platforms.All() {
		if !p.Organisation {
			names = append(names, p.Name)
		}
	}
	return names
}

// vendorTimeout bounds one call of a vendor's; a redirect is no answer of theirs.
const vendorTimeout = 10 * time.Second

// openPolicy puts the rules in force: those of the product, of every platform, and of the company.
func (s *server) openPolicy(ctx context.Context, platforms *platform.Catalogue, workspaces []im.Workspace, ids *im.IDs) (err error) {
	src := policySources(platforms)
	for _, w := range workspaces { // a platform without an adapter has rules all the same: the default ones
		p := platforms.Platform(w.Platform)
		known := authz.Platform{Name: p.Name, Organisation: p.Organisation}
		if !slices.Contains(src.Platforms, known) {
			src.Platforms = append(src.Platforms, known)
		}
	}
	o := policy.Options{Store: s.store, Log: s.log, Now: func() time.Time { return s.clock.Now() }, IDs: ids, Wake: s.hub.Wake}
	if s.cfg.Policies != "" {
		o.Files = os.DirFS(s.cfg.Policies)
	}
	o.Build = func() (*authz.Engine, error) {
		if o.Files == nil {
			return authz.Build(src)
		}
		company, err := companyLayers(s.cfg.Policies)
		if err != nil {
			return nil, err
		}
		all := src
		all.Layers = append(slices.Clone(src.Layers), company...)
		return authz.Build(all)
	}
	s.rules, err = policy.Open(ctx, o)
	if problems := (*authz.Problems)(nil); errors.As(err, &problems) {
		return usageError{fmt.Errorf("policy:\n%w", err)}
	}
	return err
}

// ready says what keeps this replica from serving: a store that does not answer, or rules that are not those in force.
func (s *server) ready(ctx context.Context) error {
	if err := s.store.Ping(ctx); err != nil {
		return err
	}
	if s.trust.Keys != nil && s.trust.Secret == nil {
		if err := s.trust.Keys.Ready(); err != nil {
			return err
		}
	}
	return s.rules.Agrees(ctx)
}

// prepare judges the database, and for the demo makes it; made is the company that it has just been filled with.
func (s *server) prepare(ctx context.Context) (made *directory.Snapshot, err error) {
	st, err := s.store.Inspect(ctx)
	if err != nil {
		return nil, err
	}
	s.clock = clock.New(st.Clock, st.Offset)
	if !s.cfg.Demo {
		switch {
		case st.Demo:
			return nil, usageError{errors.New("db: this database was made by the demo, whose keys are known to everybody; use another")}
		case st.Existing != "":
			return nil, usageError{fmt.Errorf("db: there are tables of somebody else's (%s); use a database of its own", st.Existing)}
		case !st.Current:
			return nil, usageError{errors.New("db: the schema is not that of this version; run guanxi migrate up")}
		}
		err := s.store.Start(ctx)
		if errors.Is(err, db.ErrKeyset) {
			return nil, usageError{err}
		}
		return nil, err
	}
	if !st.Empty && !st.Demo {
		return nil, usageError{errors.New("db: the demo works only on a database that it made; this one holds something else")}
	}
	if _, err := s.store.Migrate(ctx); err != nil {
		return nil, err
	}
	if err := s.store.Start(ctx); err != nil {
		return nil, err
	}
	if st.Demo && !st.Empty {
		return nil, nil
	}
	company := demo.Company(im.NewIDs(s.clock.Now), s.clock.Now())
	service, key := identity.DemoService(im.NewIDs(time.Now), time.Now())
	company.Services, company.Keys = []im.Service{service}, []im.APIKey{key}
	err = s.store.SeedDemo(ctx, company)
	if errors.Is(err, db.ErrSeeded) { // another replica was faster
		return nil, nil
	}
	return &company, err
}

// sweepTime is how often it is done what time alone brings.
const sweepTime = time.Second

// background seals, delivers, hears of other replicas, and does what time alone brings.
func (s *server) background(ctx context.Context, sims *sims, marks *audit.Keeper) {
	var others sync.WaitGroup
	others.Go(func() { s.hub.Run(ctx) })
	others.Go(func() { s.store.Listen(ctx, func() { s.hub.Wake(); s.who.Heard() }) })
	others.Go(func() { s.who.Run(ctx) })
	if s.trust.Keys != nil {
		others.Go(func() { s.trust.Keys.Run(ctx) })
	}
	others.Go(func() { s.send.Run(ctx) })
	others.Go(func() { s.hooks.Run(ctx) })
	others.Go(func() { s.files.Run(ctx) })
	others.Go(func() { s.rules.Run(ctx) })
	others.Go(func() { s.tidy(ctx) })
	others.Go(func() { giveBack(ctx) })
	if marks != nil {
		others.Go(func() { s.keepMarks(ctx, marks) })
	}
	others.Go(func() { s.documents.Run(ctx) })
	if s.cfg.Demo {
		others.Go(func() { s.followClock(ctx, sims) })
	}
	tick := time.NewTicker(sweepTime)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			others.Wait()
			return
		case <-tick.C:
			if _, err := s.block.RunDue(ctx); err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "doing what is due failed", "error", err)
			}
			if _, err := s.accts.RunDue(ctx); err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "freezing again what was unfrozen for a time failed", "error", err)
			}
		}
	}
}

// What is not kept for ever: decisions that were only asked for, changes that nobody can resume from, files that no import came of.
const (
	askedKept  = 30 * 24 * time.Hour
	upkeep     = time.Hour
	forgetMost = 1000 // in one transaction
	chunksKept = 24 * time.Hour
)

// tidy drops what is not kept for ever, and makes room for the decisions of the next days, until ctx ends.
func (s *server) tidy(ctx context.Context) {
	tick := time.NewTicker(upkeep)
	defer tick.Stop()
	for {
		now := s.clock.Now()
		err := s.store.PartitionDecisions(ctx, now)
		for n := forgetMost; n == forgetMost && err == nil; {
			n, err = s.store.DropAsked(ctx, now.Add(-askedKept), forgetMost)
		}
		for n := forgetMost; n == forgetMost && err == nil; {
			n, err = s.store.DropChanges(ctx, now.Add(-live.Kept-upkeep), forgetMost)
		}
		if err == nil {
			err = s.store.DropChunks(ctx, now.Add(-chunksKept))
		}
		if err == nil {
			err = s.prune(ctx)
		}
		if err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "tidying up failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// prune removes blacklistings that the settings keep no longer.
func (s *server) prune(ctx context.Context) error {
	if s.cfg.Blacklist.Keep == 0 {
		return nil
	}
	_, err := s.block.PruneDue(ctx, s.clock.Now().Add(-s.cfg.Blacklist.Keep))
	return err
}

// listen serves g until ctx ends; then it says for a while that it is not ready, closes what only listens, and lets what
// is under way finish.
func (s *server) listen(ctx context.Context, drain func(), g *gateway.Gateway, p *program) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.cfg.Listen)
	if err != nil {
		return usageError{err}
	}
	if a, ok := l.Addr().(*net.TCPAddr); s.cfg.Demo && (!ok || !a.IP.IsLoopback()) { // whatever its name resolved to
		_ = l.Close()
		return usageError{fmt.Errorf("listen: the demo listens on loopback only, not on %s", l.Addr())}
	}
	srv := &http.Server{Handler: g, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), Protocols: new(http.Protocols)}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetUnencryptedHTTP2(true) // of proxies: many streams on one connection
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	fmt.Fprintf(p.stdout, "listening on http://%s\n", l.Addr())
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	time.Sleep(s.cfg.ShutdownDelay)
	drain()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.ShutdownGrace)
	defer cancel()
	if err := errors.Join(srv.Shutdown(grace), g.Wait(grace)); err != nil {
		return fmt.Errorf("some requests did not finish in time: %w", err)
	}
	return nil
}

// answer writes JSON.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that hung up is no fault of ours
}
