package observe

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Tracer sends spans to a collector.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// TracerOptions are what a tracer needs.
type TracerOptions struct {
	// Endpoint is the URL of a collector that speaks OTLP over HTTP: http://HOST:4318.
	Endpoint string
	// Sample is which part of what begins here is traced, from 0 to 1.
	Sample float64
	// Failed is told when spans could not be sent; what it is told names no span.
	Failed func(error)
}

// How spans are sent: what does not fit into the queue is dropped, and the gateway never waits for a collector.
const (
	sendTime   = 10 * time.Second
	queuedMost = 4096
	sentMost   = 512
	sendEvery  = 2 * time.Second
)

// OpenTracer makes a tracer. A collector that does not answer does not keep the gateway from starting.
func OpenTracer(ctx context.Context, o TracerOptions) (*Tracer, error) {
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint(o.Endpoint)), otlptracehttp.WithTimeout(sendTime))
	if err != nil {
		return nil, fmt.Errorf("open the exporter of traces: %w", err)
	}
	version := "unknown"
	if b, ok := debug.ReadBuildInfo(); ok {
		version = b.Main.Version
	}
	provider := sdk.NewTracerProvider(
		sdk.WithBatcher(quiet{exporter, o.Failed}, sdk.WithMaxQueueSize(queuedMost), sdk.WithMaxExportBatchSize(sentMost), sdk.WithBatchTimeout(sendEvery)),
		sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(o.Sample))),
		sdk.WithResource(resource.NewSchemaless(attribute.String("service.name", "guanxi"), attribute.String("service.version", version))),
	)
	return &Tracer{provider: provider, tracer: provider.Tracer("github.com/guanxi-im/guanxi")}, nil
}

// endpoint is where spans go: /v1/traces, where the URL names no path of its own.
func endpoint(url string) string {
	if i := strings.Index(url, "://"); i >= 0 && !strings.Contains(strings.TrimSuffix(url[i+3:], "/"), "/") {
		return strings.TrimSuffix(url, "/") + "/v1/traces"
	}
	return url
}

// quiet tells of what could not be sent where we want it told, and not through a logger of the whole process.
type quiet struct {
	sdk.SpanExporter
	failed func(error)
}

// ExportSpans is part of [sdk.SpanExporter].
func (q quiet) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	if err := q.SpanExporter.ExportSpans(ctx, spans); err != nil && q.failed != nil {
		q.failed(err)
	}
	return nil
}

// Close sends what is left, until ctx ends.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// Received makes a context that knows of the trace that a request says to belong to. Of one that is trusted that is the
// parent of its operations, also as to whether they are traced. Of any other it is a link: anybody can send one, and nobody
// outside decides what is traced, or as part of what. Nothing else that may come along, tracestate or baggage, is taken.
func Received(ctx context.Context, h http.Header, trusted bool) context.Context {
	o, _ := ctx.Value(observerKey{}).(*Observer)
	if o == nil || o.tracer == nil || h.Get("Traceparent") == "" {
		return ctx
	}
	only := propagation.MapCarrier{"traceparent": h.Get("Traceparent")}
	remote := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), only))
	if !remote.IsValid() {
		return ctx
	}
	if trusted {
		return trace.ContextWithRemoteSpanContext(ctx, remote)
	}
	return context.WithValue(ctx, linkKey{}, remote)
}

type linkKey struct{}

// span is one of a trace, or none.
type span struct{ trace.Span }

var spanKinds = map[Kind]trace.SpanKind{Operation: trace.SpanKindServer, Batch: trace.SpanKindInternal, Decision: trace.SpanKindInternal,
	Call: trace.SpanKindInternal, Request: trace.SpanKindClient}

// spanName names a span by what is bounded: an operation by its type alone, as its own name is the client's.
func spanName(e Event) string {
	switch e.Kind {
	case Batch:
		return "load " + e.Name
	case Decision:
		return "decide"
	case Call, Request:
		return e.Of + " " + e.Name
	}
	return e.Name
}

func (t *Tracer) begin(ctx context.Context, e Event, began time.Time) (context.Context, span) {
	o := []trace.SpanStartOption{trace.WithSpanKind(spanKinds[e.Kind]), trace.WithTimestamp(began)}
	if link, ok := ctx.Value(linkKey{}).(trace.SpanContext); ok && e.Kind == Operation {
		o = append(o, trace.WithLinks(trace.Link{SpanContext: link}))
	}
	switch e.Kind {
	case Operation:
		o = append(o, trace.WithAttributes(attribute.String("graphql.operation.type", e.Name)))
	case Decision:
		o = append(o, trace.WithAttributes(attribute.String("guanxi.action", e.Name)))
	case Call, Request:
		o = append(o, trace.WithAttributes(attribute.String("guanxi.platform", e.Of)))
	}
	ctx, s := t.tracer.Start(ctx, spanName(e), o...)
	return ctx, span{s}
}

func (s span) set(key string, value any) {
	if s.Span == nil {
		return
	}
	switch v := value.(type) {
	case string:
		s.SetAttributes(attribute.String(key, v))
	case int:
		s.SetAttributes(attribute.Int(key, v))
	case int64:
		s.SetAttributes(attribute.Int64(key, v))
	}
}

func (s span) end(e Event) {
	if s.Span == nil {
		return
	}
	s.SetAttributes(attribute.String("guanxi.code", e.Code))
	if e.Code == "INTERNAL" || e.Code == "UNAVAILABLE" || (e.Kind == Call || e.Kind == Request) && e.Code != OK {
		s.SetStatus(codes.Error, e.Code)
	}
	s.End()
}
