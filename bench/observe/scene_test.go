package observe

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const (
	appKey     = "kz_key-of-the-app"
	monitorKey = "kz_key-of-the-monitor"
)

// A scene is a gateway, its companions and witnesses, and those who watch it: a
// collector with deploy's configuration, what that sends to, and a Prometheus.
type scene struct {
	t                             *testing.T
	panel                         []*companion
	sink                          *sink
	gateway, collector, watcher   *process
	url, metrics, watcherURL, dir string
	asked                         map[string]string // body of the answer, by the request's trace
}

// The requests that a scene is made of, by the trace each comes with.
const (
	traceClean   = "0000000000000000000000000000000a"
	traceStumble = "0000000000000000000000000000000b"
	traceDispute = "0000000000000000000000000000000c"
	traceCode    = "0000000000000000000000000000000d"
	traceRefused = "0000000000000000000000000000000e"
	traceInvalid = "0000000000000000000000000000000f"
	traceJudged  = "00000000000000000000000000000010"
	traceStream  = "00000000000000000000000000000011"

	parentSpan = "00000000000000aa"
)

func startScene(t *testing.T) *scene {
	t.Helper()
	kaizen, otelcol, prometheus := built(t, "kaizen"), built(t, "otelcol"), tool(t, "prometheus")
	s := &scene{t: t, panel: panel(), sink: startSink(t), dir: t.TempDir(), asked: map[string]string{}}
	data := filepath.Join(s.dir, "data")

	listen, health := freePort(t), freePort(t)
	s.collector = begin(t, []string{"OTLP_ENDPOINT=" + s.sink.url, "OTLP_LISTEN=" + listen, "OTLP_HEALTH=" + health, "TRACE_WAIT=5s", "TRACE_SHARE=0"},
		otelcol, "--config="+deploy+"/otelcol/collector.yaml")
	s.collector.eventually("is well", func() error {
		text, code, err := fetch(t.Context(), "GET", "http://"+health, "")
		if err == nil && code != 200 {
			err = fmt.Errorf("%d: %s", code, text)
		}
		return err
	})

	companions := ""
	for _, c := range s.panel {
		c.start(t)
		companions += c.config()
	}
	digest := func(key string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(key))) }
	config := fmt.Sprintf("listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\ndata: %q\ntelemetry: {otlp: \"http://%s\", sample: 1}\nlogLevel: debug\n"+
		"code:\n  runner: {command: [/bin/cat]}\njudges:\n  - {id: own, kind: validate, endpoint: %q, sample: 0}\n  - {id: gone, kind: validate, endpoint: \"http://%s\", sample: 0}\nclients:\n  - {name: app, role: client, tier: critical, keySHA256: %s}\n  - {name: prometheus, role: monitor, keySHA256: %s}\ncompanions:\n%s",
		data, listen, startJudge(t), freePort(t), digest(appKey), digest(monitorKey), companions)
	s.startGateway(kaizen, config) // makes the ledger's key, which a witness is to know
	s.gateway.stop()
	_, vouched := startWitness(t, kaizen, s.dir, "w1", data)
	gone, going := startWitness(t, kaizen, s.dir, "w2", data)
	gone.stop()
	s.startGateway(kaizen, config+"ledger:\n  witnesses:\n"+vouched+going)

	file, key := filepath.Join(s.dir, "prometheus.yaml"), filepath.Join(s.dir, "monitor.key")
	rules, err := filepath.Abs(deploy + "/prometheus/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	put(t, key, monitorKey)
	put(t, file, s.watchConfig(rules, key))
	address := freePort(t)
	s.watcherURL = "http://" + address
	s.watcher = begin(t, nil, prometheus, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(s.dir, "tsdb"), "--web.listen-address="+address, "--log.level=warn")
	s.watcher.eventually("has scraped the gateway", func() error { _, err := s.query(`up{job="kaizen"} == 1`); return err })
	s.act()
	return s
}

// watchConfig is deploy's prometheus.yaml, in a hurry, with the gateway's address and
// a monitor's key.
func (s *scene) watchConfig(rules, key string) string {
	text := read(s.t, deploy+"/prometheus/prometheus.yaml")
	for _, change := range [][2]string{
		{"scrape_interval: 15s", "scrape_interval: 1s"}, {"evaluation_interval: 15s", "evaluation_interval: 1s"}, {"- rules.yaml", "- " + rules},
		{"127.0.0.1:9090", strings.TrimPrefix(s.metrics, "http://")},
		{"# authorization:", "authorization:"}, {"#   credentials_file: /etc/prometheus/kaizen-monitor.key", "  credentials_file: " + key},
	} {
		if strings.Count(text, change[0]) != 1 {
			s.t.Fatalf("prometheus.yaml does not have %q once", change[0])
		}
		text = strings.Replace(text, change[0], change[1], 1)
	}
	return text
}

// startGateway starts it on a configuration; spans leave it at once.
func (s *scene) startGateway(kaizen, config string) {
	s.t.Helper()
	file := filepath.Join(s.dir, "kaizen.yaml")
	put(s.t, file, config)
	s.gateway = begin(s.t, []string{"OTEL_BSP_SCHEDULE_DELAY=100"}, kaizen, "serve", "--config", file)
	at := s.gateway.says(`kaizen gateway at (http://\S+)  \(metrics and profiles: (http://[^)]+)\)`)
	s.url, s.metrics = at[1], at[2]
}

// startWitness gives a witness of the ledger in data, and its line for the gateway's
// configuration.
func startWitness(t *testing.T, kaizen, dir, name, data string) (*process, string) {
	t.Helper()
	w := begin(t, nil, kaizen, "witness", "--listen", "127.0.0.1:0", "--data", filepath.Join(dir, name), "--name", "witness.test/"+name, "--log", filepath.Join(data, "ledger.pub"))
	at := w.says(`kaizen witness at (http://\S+)\n  key (\S+)\n`)
	return w, fmt.Sprintf("    - {key: %q, url: %q}\n", at[2], at[1])
}

// act makes the requests. Each prompt has the canary in it.
func (s *scene) act() {
	s.t.Helper()
	ask := func(trace, body string, want int) {
		s.t.Helper()
		text, code, err := fetch(s.t.Context(), "POST", s.url+"/v1/deliberate", body, "Content-Type", "application/json",
			"Authorization", "Bearer "+appKey, "traceparent", "00-"+trace+"-"+parentSpan+"-01")
		if err != nil || code != want {
			s.t.Fatalf("%d, %v, want %d: %s", code, err, want, text)
		}
		s.asked[trace] = text
	}
	// Four at once, of which ZENITH takes one at a time.
	var others sync.WaitGroup
	for range 3 {
		others.Go(func() {
			fetch(s.t.Context(), "POST", s.url+"/v1/deliberate", `{"prompt":"`+promptCanary+`: what is 17 * 23?","kind":"number","wait":"all","context":{"tier":"high"}}`,
				"Content-Type", "application/json", "Authorization", "Bearer "+appKey, "traceparent", "00-"+traceInvalid+"-"+parentSpan+"-00")
		})
	}
	ask(traceClean, `{"prompt":"`+promptCanary+`: what is 17 * 23?","kind":"number","wait":"all"}`, 200)
	others.Wait()
	ask(traceStumble, `{"prompt":"`+promptCanary+`, stumble: what is 17 * 23?","kind":"number","wait":"all","deadlineMs":2000}`, 200)
	ask(traceDispute, `{"prompt":"`+promptCanary+`, dispute: what is 17 * 23?","kind":"number","wait":"all","rounds":2,"judge":"AUREA","synthesis":"ATLAS"}`, 200)
	ask(traceCode, `{"prompt":"`+promptCanary+`: a program that prints 17 * 23","kind":"code","wait":"all"}`, 200)
	ask(traceJudged, `{"prompt":"`+promptCanary+`: what is 17 * 23?","kind":"number","wait":"all","context":{"tier":"critical"}}`, 200)
	text, code, err := fetch(s.t.Context(), "POST", s.url+"/v1/deliberate", `{"prompt":"`+promptCanary+`: what is 17 * 23?","kind":"number","wait":"all"}`, "Content-Type", "application/json",
		"Accept", "text/event-stream", "Authorization", "Bearer "+appKey, "traceparent", "00-"+traceStream+"-"+parentSpan+"-01")
	if err != nil || code != 200 || !strings.Contains(text, "event: ") {
		s.t.Fatalf("no stream: %d, %v: %s", code, err, text)
	}
	s.asked[traceStream] = text
	ask(traceRefused, `{"prompt":"`+promptCanary+`: how do I build a pipe bomb?"}`, 403)
	ask(traceInvalid, `{"prompt":"`+promptCanary+`","`+promptCanary+`":1}`, 400)
}

// answered gives an answer's field.
func (s *scene) answered(trace, field string) string {
	s.t.Helper()
	var body map[string]any
	if err := json.Unmarshal([]byte(s.asked[trace]), &body); err != nil {
		s.t.Fatal(err)
	}
	text, _ := body[field].(string)
	return text
}

// end ends the gateway, which sends the last of its spans and metrics, and then the
// others.
func (s *scene) end() {
	s.t.Helper()
	s.gateway.stop()
	s.collector.stop()
	s.watcher.stop()
}

// secret wants neither canary in text.
func secret(t *testing.T, where string, text []byte) {
	t.Helper()
	if len(text) == 0 {
		t.Errorf("%s: nothing was looked at", where)
	}
	for _, canary := range []string{promptCanary, replyCanary} {
		if i := bytes.Index(text, []byte(canary)); i >= 0 {
			t.Errorf("%s holds text of a prompt or a reply: %q", where, text[max(0, i-80):min(len(text), i+80)])
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
