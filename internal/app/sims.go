package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/guanxi-im/guanxi/adapters"
	"github.com/guanxi-im/guanxi/internal/demo"
	"github.com/guanxi-im/guanxi/internal/directory"
	"github.com/guanxi-im/guanxi/internal/im"
)

// sims are the simulated platforms of a demo. Each runs in this process or elsewhere, and is spoken to over HTTP either
// way.
type sims struct {
	all  []*simulated // by platform
	http *http.Client
	log  *slog.Logger
}

// simulated is one of them.
type simulated struct {
	platform  string
	workspace string       // the one of the demo that is on it
	base      string       // its URL
	controls  *url.URL     // base/_sim
	stop      func() error // nil: it runs elsewhere

	mu     sync.Mutex // held while its clock is set
	due    time.Time  // what its clock shows at least, once it has been reached
	behind bool       // it was not reached
}

// simPatience bounds what a simulator may take to set its clock: whoever moves the demo's clock waits for it.
const simPatience = 2 * time.Second

// openSims starts the simulators of the demo, but for those that run elsewhere, and sets their clocks to the gateway's.
// One elsewhere that does not answer stops nothing: its clock is set once it does, see [server.followClock]. Made is
// what the database has just been filled with; nil: it held a company already.
func (s *server) openSims(ctx context.Context, dsn string, made *directory.Snapshot) (*sims, error) {
	for _, platform := range slices.Sorted(maps.Keys(s.cfg.Sim)) {
		if _, known := simulators[platform]; !known {
			return nil, usageError{fmt.Errorf("sim: no simulator for %q; there are: %s", platform, simulatorNames())}
		}
	}
	company := made
	if company == nil {
		c := demo.Company(im.NewIDs(time.Now), time.Now())
		company = &c
	}
	out := &sims{log: s.log, http: &http.Client{Timeout: simPatience, Transport: &http.Transport{IdleConnTimeout: time.Minute}}}
	for _, platform := range slices.Sorted(maps.Keys(simulators)) {
		p := &simulated{platform: platform, workspace: workspaceOn(*company, platform).Name}
		out.all = append(out.all, p)
		var err error
		if p.base = s.cfg.Sim[platform]; p.base == "" {
			p.base, p.stop, err = s.startSim(ctx, platform, *company, stateBeside(dsn, platform), made != nil)
		}
		if err == nil {
			p.controls, err = url.Parse(p.base + "/_sim")
		}
		if err != nil {
			return nil, errors.Join(err, out.close())
		}
	}
	out.setClock(ctx, s.clock.Now())
	return out, nil
}

// stateBeside is the file in which a simulator keeps its state: beside the database, so that a demo which is opened
// again finds its platforms as they were. A database that is in no file of its own has none.
func stateBeside(dsn, platform string) string {
	path, isFile := strings.CutPrefix(dsn, "sqlite:")
	if !isFile || path == ":memory:" {
		return ""
	}
	return path + ".sim-" + platform
}

// startSim starts a simulator in this process, and says where. A platform that remembers another company than the
// database would answer with people whom nobody knows, so what an older demo left is refused.
func (s *server) startSim(ctx context.Context, platform string, company directory.Snapshot, state string, made bool) (address string, stop func() error, err error) {
	if info, err := os.Stat(state); made && err == nil && info.Size() > 0 {
		return "", nil, usageError{fmt.Errorf("db: %s was left by a demo whose database is gone; remove it", state)}
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	sim, err := openSimulator(platform, company, state)
	if err != nil {
		return "", nil, errors.Join(err, l.Close())
	}
	srv := simulatorServer(sim, s.log)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("a simulator ended", "platform", platform, "error", err)
		}
	}()
	return "http://" + l.Addr().String(), func() error {
		err := srv.Close()
		<-done
		return errors.Join(err, sim.Close())
	}, nil
}

// close stops the simulators of this process. Whoever still waits for one sees it die.
func (s *sims) close() error {
	var errs []error
	for _, p := range s.all {
		if p.stop != nil {
			errs = append(errs, p.stop())
		}
	}
	s.http.CloseIdleConnections()
	return errors.Join(errs...)
}

// connections says how the demo's workspaces are connected: the options of each one's adapter, by the workspace's name.
func (s *sims) connections() map[string]map[string]string {
	out := make(map[string]map[string]string, len(s.all))
	for _, p := range s.all {
		out[p.workspace] = simulators[p.platform].options(p.base)
	}
	return out
}

// setClock sets the clocks of all platforms to t. A platform that is not reached is told later: see [sims.catchUp].
func (s *sims) setClock(ctx context.Context, t time.Time) {
	s.set(ctx, t, func(*simulated) bool { return true })
}

// catchUp sets the clocks of the platforms that could not be reached the last time.
func (s *sims) catchUp(ctx context.Context, t time.Time) {
	s.set(ctx, t, func(p *simulated) bool { return p.behind })
}

func (s *sims) set(ctx context.Context, t time.Time, which func(*simulated) bool) {
	var all sync.WaitGroup
	for _, p := range s.all {
		all.Go(func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			if !which(p) {
				return
			}
			if t.After(p.due) { // else somebody with a later time was faster
				p.due = t
			}
			err := p.tell(ctx, s.http)
			if err != nil && !p.behind {
				s.log.WarnContext(ctx, "a simulator's clock cannot be set yet", "platform", p.platform, "error", err)
			} else if err == nil && p.behind {
				s.log.InfoContext(ctx, "a simulator's clock is set again", "platform", p.platform)
			}
			p.behind = err != nil
		})
	}
	all.Wait()
}

// tell tells a simulator the time.
func (p *simulated) tell(ctx context.Context, c *http.Client) error {
	body, err := json.Marshal(map[string]time.Time{"set": p.due})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.controls.JoinPath("clock").String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	res, err := c.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.Copy(io.Discard, io.LimitReader(res.Body, 4096)); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", res.Status)
	}
	return nil
}

// routes are the controls of the platforms: /demo/sim/PLATFORM/X is /_sim/X of the simulator.
func (s *sims) routes() map[string]http.Handler {
	platforms := http.NewServeMux()
	for _, p := range s.all {
		prefix := "/demo/sim/" + p.platform
		platforms.Handle(prefix+"/", http.StripPrefix(prefix, &httputil.ReverseProxy{
			Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(p.controls) },
			Transport: s.http.Transport,
			ErrorLog:  slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
			ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
				answer(w, http.StatusBadGateway, map[string]string{"error": "the simulator does not answer"})
			},
		}))
	}
	platforms.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusNotFound, map[string]string{"error": "no such simulator; there are: " + simulatorNames()})
	})
	return map[string]http.Handler{"/demo/sim/": local(platforms.ServeHTTP)}
}

// connections says how workspaces are connected to their platforms: the options of each one's adapter, by the
// workspace's name. In a demo they are those of its simulators; else they are as configured, where what an adapter
// declares secret must stand in a file.
func (s *server) connections(sims *sims, workspaces []im.Workspace) (map[string]map[string]string, error) {
	if s.cfg.Demo {
		return sims.connections(), nil
	}
	platforms := map[string]string{} // by workspace
	for _, w := range workspaces {
		platforms[w.Name] = w.Platform
	}
	out, err := s.cfg.Connections(func(workspace, option string) bool {
		return slices.ContainsFunc(adapters.Offers(), func(i adapters.Info) bool {
			return i.Platform == platforms[workspace] &&
				slices.ContainsFunc(i.Options, func(o adapters.Option) bool { return o.Secret && o.Name == option })
		})
	})
	if err != nil {
		return nil, usageError{err}
	}
	return out, nil
}
