// Package webhook sends word of what was done to a company's other systems, a CRM or an OA, signed as Standard Webhooks
// (https://www.standardwebhooks.com) has it. What is to be sent waits in the store, written in the transaction of what it is about:
// any replica may go on where another one died, and what nobody knows to have arrived is sent again under the same webhook-id.
package webhook

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/outbound"
)

// Endpoint is where a system is told.
type Endpoint struct {
	Name     string
	URL      string
	Secrets  []Secret // each signs
	Purposes []string // what it is told about; none: everything
}

// Takes reports whether it is told of what has a purpose.
func (e Endpoint) Takes(purpose string) bool {
	return len(e.Purposes) == 0 || slices.Contains(e.Purposes, purpose)
}

// hash is what the store keeps of the URL, in which there may be a secret.
func (e Endpoint) hash() string {
	sum := sha256.Sum256([]byte(e.URL))
	return hex.EncodeToString(sum[:16])
}

// Host is the host of a URL, which is the only one that its requests go to.
func (e Endpoint) Host() string {
	u, err := url.Parse(e.URL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// Job is a claimed notice with what is said of it.
type Job struct {
	Notice       im.Notice
	Relationship im.Relationship // its kind, parties and workspace; its state is that of the notice
	Workspace    string          // its name
	Platform     string
	TargetName   string // for the trail; it is not sent
	PlatformID   string // the target's, on the workspace
}

// message is what is sent. There are ids in it, and no name or text of anybody.
type message struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      data      `json:"data"`
}

type data struct {
	Workspace    place        `json:"workspace"`
	Relationship relationship `json:"relationship"`
	Initiator    reference    `json:"initiator"`
	Target       reference    `json:"target"`
}

type place struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Platform string `json:"platform"`
}

type relationship struct {
	ID      string `json:"id"`
	Kind    string `json:"kind"`
	State   string `json:"state"`
	Version int    `json:"version"`
}

type reference struct {
	ID         string `json:"id"`
	PlatformID string `json:"platformId,omitempty"`
}

// id is the webhook-id: the same at every try.
func (j Job) id() string { return "ntc_" + strings.ReplaceAll(j.Notice.ID.String(), "-", "") }

func (j Job) body() ([]byte, error) {
	n, r := j.Notice, j.Relationship
	return json.Marshal(message{Type: n.Purpose, Timestamp: n.At, Data: data{
		Workspace:    place{ID: nodeid.Encode(im.KindWorkspace, r.WorkspaceID), Name: j.Workspace, Platform: j.Platform},
		Relationship: relationship{ID: nodeid.Of(n.Subject), Kind: string(r.Kind), State: string(n.State), Version: n.Version},
		Initiator:    reference{ID: nodeid.Encode(im.KindMember, r.InitiatorID)},
		Target:       reference{ID: nodeid.Of(r.Target), PlatformID: j.PlatformID},
	}})
}

// answerMax bounds what is read of an answer, which says nothing but that it came.
const answerMax = 16 << 10

// post sends a job once. code is why it did not arrive, empty where it did; err is for the log; pause is for how long the
// endpoint asks not to be asked.
func post(ctx context.Context, c *http.Client, e Endpoint, j Job, now time.Time) (code string, pause time.Duration, err error) {
	body, err := j.body()
	if err != nil {
		return im.WebhookRefused, 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(body))
	if err != nil {
		return im.WebhookForbidden, 0, errors.New("no URL")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "guanxi")
	req.Header.Set("Webhook-Id", j.id())
	req.Header.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
	req.Header.Set("Webhook-Signature", sign(e.Secrets, j.id(), now, body))
	resp, err := c.Do(req)
	if at := (*url.Error)(nil); errors.As(err, &at) {
		err = at.Err // the URL may hold a secret
	}
	switch {
	case errors.Is(err, outbound.ErrRedirect):
		return im.WebhookRedirects, 0, err
	case errors.Is(err, outbound.ErrHost), errors.Is(err, outbound.ErrAddress):
		return im.WebhookForbidden, 0, err
	case err != nil:
		return im.WebhookSilent, 0, err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, answerMax)) // so that the connection can be used again
	_ = resp.Body.Close()
	code = codeOf(resp.StatusCode)
	if code != "" {
		err = errors.New("answered with status " + strconv.Itoa(resp.StatusCode))
	}
	if seconds, e := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 31); e == nil && code == im.WebhookFails {
		pause = time.Duration(seconds) * time.Second
	}
	return code, pause, err
}

// codeOf is what a status says.
func codeOf(status int) string {
	switch {
	case status >= 200 && status < 300:
		return ""
	case status == http.StatusGone:
		return im.WebhookGone
	case status >= 500, status == http.StatusRequestTimeout, status == http.StatusTooManyRequests:
		return im.WebhookFails
	case status >= 300 && status < 400:
		return im.WebhookRedirects
	}
	return im.WebhookRefused
}
