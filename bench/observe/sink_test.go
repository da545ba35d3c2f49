package observe

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// A sink is what the collector sends on to.
type sink struct {
	url string

	mu      sync.Mutex // guards the rest
	raw     []byte     // all that arrived, as it arrived
	spans   []span
	metrics map[string]pmetric.Metric
	schemas map[string]string // by metric
	refused []error
}

// A span is one as it arrived, with where it is from.
type span struct {
	ptrace.Span
	resource map[string]any
	scope    string
}

func startSink(t *testing.T) *sink {
	s := &sink{metrics: map[string]pmetric.Metric{}, schemas: map[string]string{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.take(r); err != nil {
		s.refused = append(s.refused, err)
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf") // an empty message: all was taken
}

func (s *sink) take(r *http.Request) error {
	var in io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzip, err := gzip.NewReader(in)
		if err != nil {
			return err
		}
		in = unzip
	}
	body, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	s.raw = append(s.raw, body...)
	switch r.URL.Path {
	case "/v1/traces":
		req := ptraceotlp.NewExportRequest()
		if err := req.UnmarshalProto(body); err != nil {
			return err
		}
		for _, rs := range req.Traces().ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, one := range ss.Spans().All() {
					s.spans = append(s.spans, span{one, rs.Resource().Attributes().AsRaw(), ss.Scope().Name()})
				}
			}
		}
	case "/v1/metrics":
		req := pmetricotlp.NewExportRequest()
		if err := req.UnmarshalProto(body); err != nil {
			return err
		}
		for _, rm := range req.Metrics().ResourceMetrics().All() {
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					s.metrics[m.Name()], s.schemas[m.Name()] = m, sm.SchemaUrl()
				}
			}
		}
	default:
		return fmt.Errorf("nothing is taken at %s", r.URL.Path)
	}
	return nil
}

// trace gives the spans of a trace that have arrived.
func (s *sink) trace(id string) (spans []span) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.spans {
		if one.TraceID().String() == id {
			spans = append(spans, one)
		}
	}
	return spans
}
