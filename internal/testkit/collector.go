package testkit

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/proto"
)

// Collector takes spans as an OpenTelemetry collector does, in OTLP over HTTP.
type Collector struct {
	URL string

	mu    sync.Mutex
	bytes []byte
	spans []Span
}

// Span is one that was collected.
type Span struct {
	Trace, ID, Parent, Name string
	Links                   []string // the traces that it is linked to
	Attributes              map[string]any
	Failed                  bool
}

// Collect starts a collector, and stops it when the test ends.
func Collect(t testing.TB) *Collector {
	c := &Collector{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", func(w http.ResponseWriter, r *http.Request) {
		if err := c.take(r); err != nil {
			t.Errorf("collect: %v", err)
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	c.URL = s.URL
	return c
}

func (c *Collector) take(r *http.Request) error {
	b, err := io.ReadAll(r.Body)
	if err == nil && r.Header.Get("Content-Encoding") == "gzip" {
		var z *gzip.Reader
		if z, err = gzip.NewReader(bytes.NewReader(b)); err == nil {
			b, err = io.ReadAll(z)
		}
	}
	if err != nil {
		return err
	}
	var sent collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(b, &sent); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes = append(c.bytes, b...)
	for _, of := range sent.ResourceSpans {
		for _, scope := range of.ScopeSpans {
			for _, s := range scope.Spans {
				span := Span{Trace: hex.EncodeToString(s.TraceId), ID: hex.EncodeToString(s.SpanId), Parent: hex.EncodeToString(s.ParentSpanId),
					Name: s.Name, Attributes: map[string]any{}, Failed: s.GetStatus().GetCode() == 2}
				for _, l := range s.Links {
					span.Links = append(span.Links, hex.EncodeToString(l.TraceId))
				}
				for _, a := range s.Attributes {
					switch v := a.Value.GetValue().(type) {
					case *common.AnyValue_StringValue:
						span.Attributes[a.Key] = v.StringValue
					case *common.AnyValue_IntValue:
						span.Attributes[a.Key] = v.IntValue
					}
				}
				c.spans = append(c.spans, span)
			}
		}
	}
	return nil
}

// Bytes is all that was sent.
func (c *Collector) Bytes() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.bytes)
}

// Until waits for spans among which enough says that all have come, and answers them.
func (c *Collector) Until(t testing.TB, enough func([]Span) bool) []Span {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		c.mu.Lock()
		spans := append([]Span{}, c.spans...)
		c.mu.Unlock()
		if enough(spans) {
			return spans
		}
		if time.Now().After(end) {
			t.Fatalf("not all spans came: %+v", spans)
		}
	}
}
