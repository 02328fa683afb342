package app

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/guanxi-im/guanxi/internal/demo"
	"github.com/guanxi-im/guanxi/internal/identity"
)

// demoRoutes are what the demo adds; a real server has none of them.
func (s *server) demoRoutes(sims *sims) map[string]http.Handler {
	if !s.cfg.Demo {
		return map[string]http.Handler{}
	}
	out := sims.routes()
	out["POST /demo/clock"] = local(s.moveClock(sims))
	out["GET /demo/personas"] = local(s.personas)
	return out
}

// local refuses requests that name another host, and those that a page of another origin sends: a foreign site whose name
// was made to lead here would else read the tokens of all personas, and any site could move the clock.
func local(h http.HandlerFunc) http.Handler {
	return http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if ip := net.ParseIP(strings.Trim(host, "[]")); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			answer(w, http.StatusForbidden, map[string]string{"error": "the demo answers on this machine alone"})
			return
		}
		h(w, r)
	}))
}

// personaTime is how long the token of a persona holds.
const personaTime = 12 * time.Hour

// personas lists the named people of the demo with a token for each.
func (s *server) personas(w http.ResponseWriter, _ *http.Request) {
	type persona struct {
		Account string   `json:"account"`
		Name    string   `json:"name"`
		Roles   []string `json:"roles"`
		Token   string   `json:"token"`
	}
	out := []persona{}
	for _, p := range demo.Personas() {
		token, err := identity.Token(s.trust, p.Account, personaTime)
		if err != nil {
			answer(w, http.StatusInternalServerError, map[string]string{"error": "no token"})
			return
		}
		out = append(out, persona{p.Account, p.Name, p.Roles, token})
	}
	answer(w, http.StatusOK, out)
}

// moveClock moves the demo's clock on, and answers once what came due has been done.
func (s *server) moveClock(sims *sims) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Advance string     `json:"advance"`
			Set     *time.Time `json:"set"`
		}
		d := json.NewDecoder(r.Body)
		d.DisallowUnknownFields()
		if err := d.Decode(&in); err != nil || (in.Advance == "") == (in.Set == nil) {
			answer(w, http.StatusBadRequest, map[string]string{"error": `send {"advance":"71h"} or {"set":"2026-11-21T00:00:00+08:00"}`})
			return
		}
		now, err := s.shift(r.Context(), sims, in.Advance, in.Set)
		if err != nil {
			answer(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
			return
		}
		answer(w, http.StatusOK, map[string]time.Time{"now": now})
	}
}

// shift moves the clock, from where the fastest replica has it: what it is moved by adds to what others moved it by.
func (s *server) shift(ctx context.Context, sims *sims, advance string, set *time.Time) (now time.Time, err error) {
	if err := s.follow(ctx, sims); err != nil {
		return now, err
	}
	if set != nil {
		now, err = s.clock.Set(*set)
	} else {
		var by time.Duration
		if by, err = time.ParseDuration(advance); err == nil {
			now, err = s.clock.Advance(by)
		}
	}
	if err != nil {
		return now, err
	}
	if err := s.store.KeepOffset(ctx, s.clock.Offset()); err != nil {
		return now, err
	}
	sims.setClock(ctx, now) // before what came due asks a platform for the time
	if _, err := s.block.RunDue(ctx); err != nil {
		return now, err
	}
	if _, err := s.accts.RunDue(ctx); err != nil {
		return now, err
	}
	if err := s.send.Flush(ctx); err != nil {
		return now, err
	}
	if err := s.hooks.Flush(ctx); err != nil {
		return now, err
	}
	if err := s.prune(ctx); err != nil {
		return now, err
	}
	return now, s.hub.Flush(ctx)
}

// followClock keeps the demo's clocks together until ctx ends: this process's with those of other replicas on the
// database, and the simulators' with it.
func (s *server) followClock(ctx context.Context, sims *sims) {
	const every = 500 * time.Millisecond
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := s.follow(ctx, sims); err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "following the clock failed", "error", err)
			}
		}
	}
}

// follow moves the clock on to where it is kept for all replicas, if that is ahead.
func (s *server) follow(ctx context.Context, sims *sims) error {
	kept, err := s.store.Offset(ctx)
	if err == nil && s.clock.Follow(kept) {
		sims.setClock(ctx, s.clock.Now())
	} else {
		sims.catchUp(ctx, s.clock.Now())
	}
	return err
}
