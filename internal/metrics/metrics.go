// Package metrics tells a Prometheus server how this gateway is: by numbers and codes, rules' versions, files and lines, and
// the names of workspaces, and never by ids, names or texts of people. What labels can be is bounded.
package metrics

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/observe"
	"github.com/guanxi-im/guanxi/internal/policy"
)

// Metrics is what one server tells. It has a registry of its own, so that several may run in one process.
type Metrics struct {
	registry   *prometheus.Registry
	requests   *prometheus.HistogramVec
	operations *prometheus.HistogramVec
	batches    *prometheus.HistogramVec
	decisions  *prometheus.HistogramVec
	calls      *prometheus.HistogramVec
	vendors    *prometheus.HistogramVec
	live       *prometheus.GaugeVec
}

// Store is what the metrics of the database and of what waits in it are read from.
type Store interface {
	Statements() (reads, writes uint64)
	// Lag is for how long the oldest event has waited for the sealer.
	Lag(ctx context.Context) (time.Duration, error)
	// Waiting counts what is still to be delivered, by workspace.
	Waiting(ctx context.Context) (map[im.ID]int, error)
}

// Sources are what metrics are read from when they are asked for.
type Sources struct {
	Rules *policy.Keeper
	Store Store
	// Workspaces are those that deliveries may wait for.
	Workspaces []im.Workspace
	// Endpoints is how the endpoints of systems do.
	Endpoints func(ctx context.Context) ([]im.EndpointHealth, error)
}

// New makes the metrics of a server.
func New(src Sources) *Metrics {
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	}
	answers := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15}
	steps := []float64{.0001, .0005, .001, .005, .025, .1, .5, 2.5}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: histogram("guanxi_http_request_duration_seconds",
			"How long requests took, by the pattern of their route and the status of their answer. Sockets and streams are counted when they end, by a route of their own.",
			answers, "route", "code"),
		operations: histogram("guanxi_graphql_operation_duration_seconds",
			"How long operations took, by their type and the code of their first error; OK: none. Subscriptions are counted when they end; refused is what never became an operation.",
			answers, "type", "code"),
		batches: histogram("guanxi_loader_batch_duration_seconds",
			"How long it took to load rows for all siblings of a list at once.", steps, "loader", "code"),
		decisions: histogram("guanxi_decision_duration_seconds",
			"How long policy took to decide on a command or a question, by its outcome.", steps, "outcome"),
		calls: histogram("guanxi_adapter_call_duration_seconds",
			"How long calls of a platform's adapter took, with all requests that they made, by the adapters' error code; OK: none.", answers, "platform", "call", "code"),
		vendors: histogram("guanxi_platform_request_duration_seconds",
			"How long single requests to a platform took, by the HTTP status of a refusal; OK: it answered; failed: it did not.", answers, "platform", "code"),
		live: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "guanxi_live",
			Help: "How many sockets, streams of events, and subscriptions on either are open."}, []string{"what"}),
	}
	for _, what := range []string{"socket", "stream", "subscription"} {
		m.live.WithLabelValues(what)
	}
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector(),
		m.requests, m.operations, m.batches, m.decisions, m.calls, m.vendors, m.live,
		policyCollector{src.Rules},
		storeCollector{src.Store, src.Workspaces, src.Endpoints},
	)
	return m
}

// Live counts what begins (1) and ends (-1).
func (m *Metrics) Live(what string, by int) { m.live.WithLabelValues(what).Add(float64(by)) }

// Ended counts what was done.
func (m *Metrics) Ended(e observe.Event) {
	var of prometheus.Observer
	switch e.Kind {
	case observe.Operation:
		of = m.operations.WithLabelValues(e.Name, e.Code)
	case observe.Batch:
		of = m.batches.WithLabelValues(e.Name, e.Code)
	case observe.Decision:
		of = m.decisions.WithLabelValues(e.Code)
	case observe.Call:
		of = m.calls.WithLabelValues(e.Of, e.Name, e.Code)
	case observe.Request:
		of = m.vendors.WithLabelValues(e.Of, e.Code)
	default:
		return
	}
	of.Observe(e.Took.Seconds())
}

// Request counts an answered request.
func (m *Metrics) Request(route string, code int, took time.Duration) {
	m.requests.WithLabelValues(route, strconv.Itoa(code)).Observe(took.Seconds())
}

// Handler answers what a Prometheus server asks.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// problemsMax bounds the series of problems: files may have a thousand.
const problemsMax = 100

var (
	infoDesc = prometheus.NewDesc("guanxi_policy_info",
		"The version of the policy in force here; always 1.", []string{"version"}, nil)
	loadedDesc = prometheus.NewDesc("guanxi_policy_loaded_timestamp_seconds",
		"Since when this replica decides by it.", nil, nil)
	problemsDesc = prometheus.NewDesc("guanxi_policy_problems",
		"Why the newest policy files were refused: how many problems a line has; line 0 is the file as a whole. The first hundred lines.", []string{"file", "line", "severity"}, nil)
	problemCountDesc = prometheus.NewDesc("guanxi_policy_problem_count",
		"How many problems the newest policy files have, at most a thousand; 0: they are in force.", nil, nil)
	reloadsDesc = prometheus.NewDesc("guanxi_policy_reloads_total",
		"What became of policy files that were saved since the start.", []string{"result"}, nil)
)

// policyCollector tells of the rules in force as they are when they are asked for.
type policyCollector struct{ rules *policy.Keeper }

// Describe implements [prometheus.Collector].
func (policyCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{infoDesc, loadedDesc, problemsDesc, problemCountDesc, reloadsDesc} {
		out <- d
	}
}

// Collect implements [prometheus.Collector].
func (c policyCollector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	now := c.rules.Status()
	gauge(infoDesc, 1, now.Engine.Version())
	gauge(loadedDesc, float64(now.LoadedAt.UnixMilli())/1000)
	gauge(problemCountDesc, float64(len(now.Problems)))
	type place struct {
		file     string
		line     int
		severity string
	}
	lines := map[place]int{}
	for _, p := range now.Problems {
		at := place{strings.ToValidUTF8(p.File, "\ufffd"), p.Line, p.Severity} // a name of a file may be any bytes, a label not
		if lines[at] > 0 || len(lines) < problemsMax {
			lines[at]++
		}
	}
	for at, n := range lines {
		gauge(problemsDesc, float64(n), at.file, strconv.Itoa(at.line), at.severity)
	}
	for result, n := range c.rules.Reloads() {
		out <- prometheus.MustNewConstMetric(reloadsDesc, prometheus.CounterValue, float64(n), string(result))
	}
}

var (
	statementsDesc = prometheus.NewDesc("guanxi_db_statements_total",
		"How many statements were run on the database.", []string{"kind"}, nil)
	lagDesc = prometheus.NewDesc("guanxi_audit_seal_lag_seconds",
		"For how long the oldest event of the trail has waited to be sealed; 0: none waits.", nil, nil)
	pendingDesc = prometheus.NewDesc("guanxi_deliveries_pending",
		"How much is on its way to the platform of a workspace.", []string{"workspace", "platform"}, nil)
	webhooksDesc = prometheus.NewDesc("guanxi_webhooks_pending",
		"How much waits for the endpoint of a system.", []string{"endpoint"}, nil)
	failuresDesc = prometheus.NewDesc("guanxi_webhook_failures",
		"How many tries at an endpoint have failed since one did not; 0: the last one did not.", []string{"endpoint"}, nil)
	disabledDesc = prometheus.NewDesc("guanxi_webhook_disabled",
		"1 where an endpoint is disabled: it failed for days, or says that it is gone.", []string{"endpoint"}, nil)
	upDesc = prometheus.NewDesc("guanxi_db_up",
		"1 where the database answered when it was asked for these metrics, else 0.", nil, nil)
)

// storeTime bounds what a scrape asks the database.
const storeTime = 2 * time.Second

// storeCollector tells of what waits in the database when it is asked for. All replicas on it tell the same.
type storeCollector struct {
	store      Store
	workspaces []im.Workspace
	endpoints  func(ctx context.Context) ([]im.EndpointHealth, error)
}

// Describe implements [prometheus.Collector].
func (storeCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{statementsDesc, lagDesc, pendingDesc, webhooksDesc, failuresDesc, disabledDesc, upDesc} {
		out <- d
	}
}

// Collect implements [prometheus.Collector]. What the database does not say is left out, and that it does not is said.
func (c storeCollector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	reads, writes := c.store.Statements()
	out <- prometheus.MustNewConstMetric(statementsDesc, prometheus.CounterValue, float64(reads), "read")
	out <- prometheus.MustNewConstMetric(statementsDesc, prometheus.CounterValue, float64(writes), "write")
	ctx, cancel := context.WithTimeout(context.Background(), storeTime)
	defer cancel()
	lag, err := c.store.Lag(ctx)
	var waiting map[im.ID]int
	if err == nil {
		gauge(lagDesc, lag.Seconds())
		waiting, err = c.store.Waiting(ctx)
	}
	var endpoints []im.EndpointHealth
	if err == nil {
		endpoints, err = c.endpoints(ctx)
	}
	if err != nil {
		gauge(upDesc, 0)
		return
	}
	gauge(upDesc, 1)
	for _, w := range c.workspaces {
		gauge(pendingDesc, float64(waiting[w.ID]), strings.ToValidUTF8(w.Name, "\ufffd"), w.Platform)
	}
	for _, e := range endpoints {
		disabled := 0.
		if !e.DisabledAt.IsZero() {
			disabled = 1
		}
		gauge(webhooksDesc, float64(e.Pending), e.Name)
		gauge(failuresDesc, float64(e.Failures), e.Name)
		gauge(disabledDesc, disabled, e.Name)
	}
}
