// Package sim is a WeCom (企业微信) to test and to demonstrate against: an HTTP server that answers the documented calls
// as the vendor's pages say, and keeps a ledger of them. What a page leaves open, the comment of the call says, and how
// it is settled here.
package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/guanxi-im/guanxi/adapters/sim/stage"
)

// Platform is the platform's name.
const Platform = "wecom"

// Options say how a simulator runs; the zero value will do.
type Options struct {
	// File keeps ledger and state, so that they survive a kill; empty: nothing does. Only one process at a time may
	// have it open, which is for the caller to see to.
	File   string
	Limits Limits
	// Now is real time; nil: time.Now.
	Now func() time.Time
}

// Server is the simulator. It serves the vendor's calls under /cgi-bin and its own controls under /_sim.
type Server struct {
	stage  *stage.Stage
	world  *world
	limits Limits
	mux    *http.ServeMux

	// Only while the stage decides:
	meters meters
	wrong  map[string]int // secrets in a row, by address

	mu      sync.Mutex
	running map[string]int // calls by API
	writing map[string]int // writes by what they are on
}

// Open makes a simulator: of what the file holds, else of the seed.
func Open(seed Seed, o Options) (*Server, error) {
	s := &Server{world: &world{}, limits: o.Limits.orPublished(), mux: http.NewServeMux(),
		meters: meters{}, wrong: map[string]int{}, running: map[string]int{}, writing: map[string]int{}}
	var err error
	if s.stage, err = stage.Open(stage.Options{Platform: Platform, World: s.world, Seed: seed, File: o.File, Now: o.Now}); err != nil {
		return nil, err
	}
	s.mux.Handle("/_sim/", http.StripPrefix("/_sim", s.Control()))
	s.mux.HandleFunc("/", s.receive)
	return s, nil
}

// Control is the control surface alone, with paths that begin at its root, to mount elsewhere: see [stage.Stage.Control].
func (s *Server) Control() http.Handler { return s.stage.Control() }

// Close lets go of the file.
func (s *Server) Close() error { return s.stage.Close() }

// ServeHTTP serves calls and controls.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// op is one call of the vendor's.
type op struct {
	method string
	scope  scope
	run    func(*call) (any, error)
	// on is what the call writes, where two such writes at once are refused.
	on func(body []byte) string
}

// scope says which secrets may make a call; the page of each call names them under 权限说明.
type scope int

const (
	anyone      scope = iota // without a token
	directory                // any app
	contactSync              // the contact-sync assistant alone
	customers                // apps that are listed for customer contact
)

func (s scope) admits(a *App) bool {
	switch s {
	case contactSync:
		return a.ContactSync
	case customers:
		return a.CustomerContact
	default:
		return true
	}
}

// ops are the calls that the simulator knows.
var ops = map[string]op{
	"/cgi-bin/gettoken": {method: http.MethodGet, scope: anyone, run: (*call).getToken},

	"/cgi-bin/department/list":       {method: http.MethodGet, scope: directory, run: (*call).departmentList},
	"/cgi-bin/department/simplelist": {method: http.MethodGet, scope: directory, run: (*call).departmentSimpleList},
	"/cgi-bin/user/get":              {method: http.MethodGet, scope: directory, run: (*call).userGet},
	"/cgi-bin/user/list":             {method: http.MethodGet, scope: directory, run: (*call).userList},
	"/cgi-bin/user/simplelist":       {method: http.MethodGet, scope: directory, run: (*call).userSimpleList},
	"/cgi-bin/user/list_id":          {method: http.MethodPost, scope: contactSync, run: (*call).userListID},

	"/cgi-bin/message/send": {method: http.MethodPost, scope: directory, run: (*call).sendMessage},

	"/cgi-bin/externalcontact/get_follow_user_list": {method: http.MethodGet, scope: customers, run: (*call).followUserList},
	"/cgi-bin/externalcontact/list":                 {method: http.MethodGet, scope: customers, run: (*call).contactList},
	"/cgi-bin/externalcontact/get":                  {method: http.MethodGet, scope: customers, run: (*call).contactGet},
	"/cgi-bin/externalcontact/batch/get_by_user":    {method: http.MethodPost, scope: customers, run: (*call).contactBatch},
	"/cgi-bin/externalcontact/remark":               {method: http.MethodPost, scope: customers, run: (*call).remark},
	"/cgi-bin/externalcontact/get_corp_tag_list":    {method: http.MethodPost, scope: customers, run: (*call).tagList},
	"/cgi-bin/externalcontact/add_corp_tag":         {method: http.MethodPost, scope: customers, run: (*call).addTag},
	"/cgi-bin/externalcontact/mark_tag":             {method: http.MethodPost, scope: customers, run: (*call).markTag, on: pair},
	"/cgi-bin/externalcontact/groupchat/list":       {method: http.MethodPost, scope: customers, run: (*call).groupList},
	"/cgi-bin/externalcontact/groupchat/get":        {method: http.MethodPost, scope: customers, run: (*call).groupGet},
}

// call is one call while it is decided on.
type call struct {
	*world
	now    time.Time
	limits Limits
	query  url.Values
	body   []byte
	effect stage.Effect // what it comes to
}

// in reads the body, in which an unknown field is ignored as the vendor does.
func (c *call) in(v any) error {
	if err := json.Unmarshal(c.body, v); err != nil {
		return malformed{}
	}
	return nil
}

// bodyLimit bounds what a call may send.
const bodyLimit = 1 << 20

// receive takes one call of the vendor's.
func (s *Server) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyLimit))
	if err != nil {
		http.Error(w, "the body cannot be read", http.StatusBadRequest)
		return
	}
	o, known := ops[r.URL.Path]
	ip, _, _ := net.SplitHostPort(r.RemoteAddr)
	leave, crowded := s.arrive(r.URL.Path, o, body)
	defer leave()
	v := s.stage.Receive(r.Context(), stage.Call{Method: r.Method, Path: r.URL.Path, Request: request(r, body)},
		func(now time.Time, f stage.Fault) stage.Verdict {
			if !known {
				return stage.Verdict{Code: "404"}
			}
			c := &call{world: s.world, now: now, limits: s.limits, query: r.URL.Query(), body: body}
			answer, err := s.decide(c, o, r, ip, f, crowded)
			if err != nil {
				h := refusal(err, now, ip)
				return stage.Verdict{Code: strconv.Itoa(int(h.ErrCode)), Effect: c.effect, Answer: h}
			}
			return stage.Verdict{Code: "0", Effect: c.effect, Answer: answer}
		})
	if !known { // a gap of the simulator must not look like an answer of the vendor's
		http.Error(w, "the simulator does not know this call", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	if h, failed := v.Answer.(head); failed && h.ErrCode != 0 {
		w.Header().Set("error-code", v.Code)
		w.Header().Set("error-msg", h.ErrMsg)
	}
	_ = json.NewEncoder(w).Encode(v.Answer) // a client that hung up is no fault of ours
}

// decide judges a call in the order in which a server of the vendor's can: how often, who, what.
func (s *Server) decide(c *call, o op, r *http.Request, ip string, f stage.Fault, crowded error) (any, error) {
	if f.Code != "" {
		n, err := strconv.Atoi(f.Code)
		if err != nil {
			return nil, busy // no code of WeCom's
		}
		return nil, code(n)
	}
	api := r.URL.Path
	byCorp := s.meters.of("", api).admit(c.now, s.limits.CorpMinute, s.limits.CorpHour)
	byIP := s.meters.of(ip, api).admit(c.now, s.limits.IPMinute, s.limits.IPHour)
	if !byCorp || !byIP {
		return nil, tooOften
	}
	if errors.Is(crowded, tooManyAtOnce) {
		return nil, tooManyAtOnce
	}
	if o.scope != anyone {
		app, err := c.appOf(c.query.Get("access_token"), c.now)
		if err != nil {
			return nil, err
		}
		if f.VoidToken {
			c.effect = stage.NewEffect(tokensVoided, app.Name, struct{}{})
			return nil, badToken
		}
		if !o.scope.admits(app) {
			return nil, apiForbidden
		}
	}
	if r.Method != o.method {
		return nil, badParameter
	}
	if crowded != nil {
		return nil, crowded
	}
	answer, err := o.run(c)
	if o.scope == anyone {
		s.judge(c.now, ip, api, err)
	}
	return answer, err
}

// judge shuts an address out that goes on trying wrong secrets.
func (s *Server) judge(now time.Time, ip, api string, err error) {
	switch {
	case err == nil:
		s.wrong[ip] = 0
	case errors.Is(err, badSecret):
		if s.wrong[ip]++; s.wrong[ip] >= s.limits.WrongSecrets {
			s.meters.of(ip, api).shut = now.Add(time.Hour)
			s.wrong[ip] = 0
		}
	}
}

// arrive counts a call in, and says whether it is one too many or meets another on what it writes.
func (s *Server) arrive(api string, o op, body []byte) (leave func(), crowded error) {
	on := ""
	if o.on != nil {
		on = o.on(body)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[api]++; s.running[api] > s.limits.Concurrent {
		crowded = tooManyAtOnce
	}
	if s.writing[on]++; on != "" && s.writing[on] > 1 && crowded == nil {
		crowded = writeConflict
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.running[api]--; s.running[api] == 0 {
			delete(s.running, api)
		}
		if s.writing[on]--; s.writing[on] == 0 {
			delete(s.writing, on)
		}
	}, crowded
}

// request is what the ledger keeps of a call: never a secret or a token.
func request(r *http.Request, body []byte) json.RawMessage {
	if len(body) > 0 && json.Valid(body) {
		return bytes.Clone(body)
	}
	kept := map[string]string{}
	for name, values := range r.URL.Query() {
		switch name {
		case "access_token":
		case "corpsecret":
			kept[name] = "[redacted]"
		default:
			kept[name] = values[0]
		}
	}
	if len(body) > 0 {
		kept["body"] = string(body)
	}
	text, _ := json.Marshal(kept) // strings alone
	return text
}
