package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/resolvers"
)

// PreDelivery is the question of a platform, or of a relay before it, that is about to deliver something: may it. Everybody is
// named as the platform names him.
type PreDelivery struct {
	Workspace string     `json:"workspace"` // by its name
	From      string     `json:"from"`
	To        string     `json:"to"`
	Channel   im.Channel `json:"channel"`
	Group     string     `json:"group,omitempty"`
}

// Bounds of the question: it is asked before each message.
const (
	checkMax  = 4 << 10 // bytes
	checkTime = 3 * time.Second
)

// verdict is the answer. Why is never whom: nobody learns here who blocked him.
type checkVerdict struct {
	Allowed bool   `json:"allowed"`
	Reason  string `json:"reason,omitempty"`
}

// readPreDelivery reads the question; where it cannot be read, malformed is the status to refuse it with.
func readPreDelivery(w http.ResponseWriter, r *http.Request) (q PreDelivery, malformed int) {
	in := json.NewDecoder(http.MaxBytesReader(w, r.Body, checkMax))
	in.DisallowUnknownFields()
	err := in.Decode(&q)
	switch tooLarge := (*http.MaxBytesError)(nil); {
	case errors.As(err, &tooLarge):
		return q, http.StatusRequestEntityTooLarge
	case err != nil, in.More(), q.Workspace == "", q.From == "", q.To == "", !slices.Contains(im.Channels, q.Channel):
		return q, http.StatusBadRequest
	}
	return q, 0
}

// preDelivery answers POST /v1/check. While the store does not answer it says what is declared of the workspace: so that whoever
// asks need not know what to do then.
func (o *Options) preDelivery(w http.ResponseWriter, r *http.Request) {
	lang := resolvers.RequestOf(r.Context()).Language
	say := func(status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	refuse := func(status int, f *fault.Error) {
		say(status, map[string]string{"code": string(f.Code), "message": f.Text(lang)})
	}
	q, malformed := readPreDelivery(w, r)
	ctx, cancel := context.WithTimeout(r.Context(), checkTime)
	defer cancel()
	at, err := o.signIn(ctx, credentialOf(r.Header))
	if err == nil || fault.Is(err, fault.Unauthenticated) { // while the store is away nobody is known, and everybody gets his answer
		if err == nil {
			ctx = resolvers.With(ctx, resolvers.Request{Viewer: &at.Viewer})
		}
		bill := &bill{payer: payerOf(o.charge(ctx, proxies(o.Proxies).from(r)))}
		no := bill.pay(requestCost)
		bill.head(w.Header())
		if no != nil {
			refuse(http.StatusTooManyRequests, no)
			return
		}
	}
	if malformed != 0 { // which costs as much as a question that can be read
		refuse(malformed, fault.New(fault.BadUserInput, "check_malformed"))
		return
	}
	allowed := false
	if err == nil {
		allowed, err = o.Check(ctx, at.Viewer, q)
	}
	switch f := fault.As(err); {
	case err == nil && allowed:
		say(http.StatusOK, checkVerdict{Allowed: true})
	case err == nil:
		say(http.StatusOK, checkVerdict{Reason: fault.New(fault.PolicyDenied, "check_refused").Text(lang)})
	case fault.Is(err, fault.Unauthenticated):
		w.Header().Set("WWW-Authenticate", "Bearer")
		refuse(http.StatusUnauthorized, f)
	case fault.Is(err, fault.Forbidden):
		refuse(http.StatusForbidden, f)
	case fault.Is(err, fault.NotFound):
		refuse(http.StatusNotFound, f)
	case fault.Is(err, fault.BadUserInput):
		refuse(http.StatusBadRequest, f)
	default: // the store is away, or does not come to an end
		open := slices.Contains(o.FailOpen, q.Workspace)
		o.Log.WarnContext(ctx, "a pre-delivery question has no answer", "open", open, "error", err)
		key := "check_closed"
		if open {
			key = "check_open"
		}
		say(http.StatusOK, checkVerdict{open, fault.New(fault.Unavailable, key).Text(lang)})
	}
}
