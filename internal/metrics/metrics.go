// Package metrics tells a Prometheus server how this gateway is: by numbers, rules' versions, files and lines, and never
// by ids, names or texts.
package metrics

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/guanxi-im/guanxi/internal/policy"
)

// Metrics is what one server tells. It has a registry of its own, so that several may run in one process.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
}

// New makes the metrics of a server that decides by the rules of a keeper.
func New(rules *policy.Keeper) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "guanxi_http_request_duration_seconds",
			Help:    "How long requests took, by the pattern of their route and the status of their answer. Sockets and streams are counted when they end, by a route of their own.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15},
		}, []string{"route", "code"}),
	}
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.requests,
		policyCollector{rules},
	)
	return m
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
