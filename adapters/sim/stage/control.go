package stage

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Control is the surface under which a demo or a test controls the simulator. Its paths are relative: mount it under a
// prefix with [http.StripPrefix].
//
//	GET ledger[?after=SEQ]   what was received and what effect it had, in order
//	POST faults, DELETE faults
//	POST act                 something that the platform's own people do
//	GET state                what stands there now
//	POST clock {"set":…}
func (s *Stage) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ledger", func(w http.ResponseWriter, r *http.Request) {
		after := int64(0)
		if text := r.FormValue("after"); text != "" {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				complain(w, http.StatusBadRequest, errors.New("after: expected a number"))
				return
			}
			after = n
		}
		entries, err := s.Ledger(after)
		reply(w, append([]Entry{}, entries...), err) // none is [], not null
	})
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, _ *http.Request) {
		state, err := s.State()
		reply(w, state, err)
	})
	mux.HandleFunc("POST /faults", func(w http.ResponseWriter, r *http.Request) {
		var f Faults
		if !read(w, r, &f) {
			return
		}
		if err := s.SetFaults(f); err != nil {
			complain(w, http.StatusBadRequest, err)
			return
		}
		reply(w, f, nil)
	})
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, Faults{Rules: []Rule{}}, s.SetFaults(Faults{}))
	})
	mux.HandleFunc("POST /clock", func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Set *time.Time `json:"set"`
		}
		if !read(w, r, &in) {
			return
		}
		if in.Set == nil {
			complain(w, http.StatusBadRequest, errors.New(`send {"set":"2026-11-21T00:00:00+08:00"}`))
			return
		}
		now, err := s.SetClock(*in.Set)
		reply(w, map[string]time.Time{"now": now}, err)
	})
	mux.HandleFunc("POST /act", s.act)
	return mux
}

func (s *Stage) act(w http.ResponseWriter, r *http.Request) {
	var a Act
	if !read(w, r, &a) {
		return
	}
	if known := s.world.Actions(); !slices.Contains(known, a.Action) {
		show(w, http.StatusBadRequest, map[string]any{"error": fmt.Sprintf("unknown action %q", a.Action), "actions": known})
		return
	}
	e, err := s.Act(a)
	refusal := (*Refusal)(nil)
	if errors.As(err, &refusal) {
		complain(w, refusal.Status, err)
		return
	}
	reply(w, e, err)
}

// bodyLimit bounds what the control surface reads.
const bodyLimit = 1 << 20

// read reads a body and complains where it is not what is expected.
func read(w http.ResponseWriter, r *http.Request, v any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, bodyLimit))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		complain(w, http.StatusBadRequest, err)
		return false
	}
	return true
}

func reply(w http.ResponseWriter, v any, err error) {
	if err != nil {
		complain(w, http.StatusInternalServerError, err)
		return
	}
	show(w, http.StatusOK, v)
}

func complain(w http.ResponseWriter, status int, err error) {
	show(w, status, map[string]string{"error": err.Error()})
}

func show(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that hung up is no fault of ours
}
