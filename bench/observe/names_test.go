package observe

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"
)

// A query is one expression of the dashboard or the rules, and the labels that what
// is written beside it takes from its series.
type query struct {
	title, expr string
	shown       []string
}

var (
	inLegend     = regexp.MustCompile(`{{\s*(\w+)\s*}}`)
	inAnnotation = regexp.MustCompile(`\$labels\.(\w+)`)
	labelValues  = regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)
)

// dashboardQueries gives what the dashboard asks, its variables filled in.
func dashboardQueries(t *testing.T) (all []query) {
	t.Helper()
	var d struct {
		Panels []struct {
			Title   string
			Type    string
			Targets []struct{ Expr, LegendFormat string }
		}
		Annotations struct {
			List []struct{ Name, Expr, TextFormat, TitleFormat string }
		}
		Templating struct {
			List []struct{ Name, Type, Definition string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, deploy+"/grafana/kaizen.json")), &d); err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("$__rate_interval", "1m", "$job", ".*", "$instance", ".*", "$companion", ".*")
	add := func(title, expr, legend string) {
		q := query{title: title, expr: fill.Replace(expr)}
		for _, m := range inLegend.FindAllStringSubmatch(legend, -1) {
			q.shown = append(q.shown, m[1])
		}
		if strings.Contains(q.expr, "$") {
			t.Errorf("%s: %s has a variable that nobody fills in", title, q.expr)
		}
		all = append(all, q)
	}
	for _, p := range d.Panels {
		if len(p.Targets) == 0 && p.Type != "row" {
			t.Errorf("panel %s asks nothing", p.Title)
		}
		for _, target := range p.Targets {
			add(p.Title, target.Expr, target.LegendFormat)
		}
	}
	for _, a := range d.Annotations.List {
		add(a.Name, a.Expr, a.TextFormat+a.TitleFormat)
	}
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		m := labelValues.FindStringSubmatch(v.Definition)
		if m == nil {
			t.Fatalf("variable %s: %s", v.Name, v.Definition)
		}
		add("variable "+v.Name, fmt.Sprintf("count by (%s) (%s)", m[2], m[1]), "")
	}
	return all
}

// A rule is one of rules.yaml.
type rule struct {
	Alert, Record, Expr string
	Labels, Annotations map[string]string
}

func rulesOf(t *testing.T) (all []rule) {
	t.Helper()
	var file struct {
		Groups []struct{ Rules []rule }
	}
	if err := yaml.Unmarshal([]byte(read(t, deploy+"/prometheus/rules.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// exposition is what /metrics says to a monitor's key.
func (s *scene) exposition(t *testing.T) string {
	t.Helper()
	text, code, err := fetch(t.Context(), "GET", s.metrics+"/metrics", "", "Authorization", "Bearer "+monitorKey)
	if err != nil || code != 200 {
		t.Fatalf("GET /metrics: %d, %v: %s", code, err, text)
	}
	return text
}

// known is what each metric's labels are, and each label's values.
type known map[string]map[string]map[string]bool

func (k known) add(name, label, value string) {
	if k[name] == nil {
		k[name] = map[string]map[string]bool{}
	}
	if k[name][label] == nil {
		k[name][label] = map[string]bool{}
	}
	k[name][label][value] = true
}

// metricName is the label that has a series' metric.
const metricName = "__name__"

var promql = parser.NewParser(parser.Options{})

// exported parses what the gateway exports; what Prometheus adds is there too.
func exported(t *testing.T, text string) known {
	t.Helper()
	k := known{}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		series, err := promql.ParseMetric(line[:strings.LastIndexByte(line, ' ')])
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		name := series.Get(metricName)
		for _, own := range []string{"job", "instance"} {
			k.add(name, own, "")
		}
		series.Range(func(l labels.Label) { k.add(name, l.Name, l.Value) })
	}
	for _, own := range []string{"job", "instance"} {
		k.add("up", own, "")
	}
	for _, own := range []string{"alertname", "alertstate", "kaizen_tier", "kaizen_companion", "witness"} {
		k.add("ALERTS", own, "")
	}
	return k
}

// names holds every metric, label and value that dashboard and rules name against
// what the gateway exports, and every metric of ours against the dashboard.
func (s *scene) names(t *testing.T) {
	k := exported(t, s.exposition(t))
	sources := goSources(t)
	shown := map[string]bool{}
	queries := dashboardQueries(t)
	for _, q := range queries {
		for _, name := range k.check(t, sources, q) {
			shown[name] = true
		}
	}
	for _, r := range rulesOf(t) {
		q := query{title: r.Alert + r.Record, expr: r.Expr}
		for _, text := range r.Annotations {
			for _, m := range inAnnotation.FindAllStringSubmatch(text, -1) {
				q.shown = append(q.shown, m[1])
			}
		}
		k.check(t, sources, q)
		if r.Record != "" {
			for label := range k.grouping(t, r.Expr) {
				k.add(r.Record, label, "")
			}
		}
	}
	ours := 0
	for name := range k {
		if !strings.HasPrefix(name, "kaizen_") {
			continue
		}
		ours++
		family := name
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			family = strings.TrimSuffix(family, suffix)
		}
		if !shown[name] && !shown[family+"_bucket"] && !shown[family+"_sum"] && !shown[family+"_count"] {
			t.Errorf("%s is nowhere on the dashboard", name)
		}
	}
	if ours < 20 || len(queries) < 50 {
		t.Errorf("%d series of ours, %d queries: too few to mean anything", ours, len(queries))
	}
}

// grouping gives the labels that expr's series have left.
func (k known) grouping(t *testing.T, expr string) map[string]bool {
	t.Helper()
	tree, err := promql.ParseExpr(expr)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	left := map[string]bool{}
	parser.Inspect(tree, func(n parser.Node, _ []parser.Node) error {
		if a, ok := n.(*parser.AggregateExpr); ok {
			for _, label := range a.Grouping {
				left[label] = label != "le"
			}
		}
		return nil
	})
	return left
}

// check reports what q names that is not there, and gives the metrics it names.
func (k known) check(t *testing.T, sources string, q query) (metrics []string) {
	t.Helper()
	tree, err := promql.ParseExpr(q.expr)
	if err != nil {
		t.Errorf("%s: %v", q.title, err)
		return nil
	}
	asked := append([]string(nil), q.shown...)
	labelled := map[string]bool{}
	parser.Inspect(tree, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.VectorSelector:
			has := k[n.Name]
			if has == nil {
				t.Errorf("%s: no metric %s is exported", q.title, n.Name)
				return nil
			}
			metrics = append(metrics, n.Name)
			for label := range has {
				labelled[label] = true
			}
			for _, m := range n.LabelMatchers {
				if m.Name == metricName {
					continue
				}
				// A label that only some series of the metric have is one all the same.
				if has[m.Name] == nil {
					t.Errorf("%s: %s has no label %s", q.title, n.Name, m.Name)
				}
				for value := range strings.SplitSeq(m.Value, "|") {
					if !plain.MatchString(value) || has[m.Name][value] || strings.Contains(sources, strconv.Quote(value)) || statusClass.MatchString(value) {
						continue
					}
					if m.Name != "job" && m.Name != "alertname" && m.Name != "alertstate" {
						t.Errorf("%s: %s is never %q", q.title, m.Name, value)
					}
				}
			}
		case *parser.AggregateExpr:
			asked = append(asked, n.Grouping...)
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				asked = append(append(asked, n.VectorMatching.MatchingLabels...), n.VectorMatching.Include...)
			}
		}
		return nil
	})
	for _, label := range asked {
		if !labelled[label] {
			t.Errorf("%s: no label %s comes with %v", q.title, label, metrics)
		}
	}
	return metrics
}

var (
	plain       = regexp.MustCompile(`^[a-z/][\w /]*$`) // and no pattern
	statusClass = regexp.MustCompile(`^[1-5]xx$`)       // made from a number
)

// goSources is the product's code, without its tests: where label values are named.
func goSources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, dir := range []string{"gateway", "fanout", "quorum", "scoring/run", "store/ledger", "store/witness"} {
		files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", dir, len(files), err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
	}
	return all.String()
}

// The check of names must be able to refuse.
func TestACheckOfNamesRefuses(t *testing.T) {
	k := exported(t, "a_total{b=\"c\"} 1\n")
	for _, tt := range []struct {
		name  string
		query query
		good  bool
	}{
		{"what is there", query{expr: `sum by (b) (rate(a_total{b="c"}[1m]))`, shown: []string{"b"}}, true},
		{"another metric", query{expr: `sum(rate(b_total[1m]))`}, false},
		{"another label", query{expr: `a_total{d="c"}`}, false},
		{"another value", query{expr: `a_total{b=~"c|d"}`}, false},
		{"another label to group by", query{expr: `sum by (d) (a_total)`}, false},
		{"another label to match on", query{expr: `a_total and on (d) a_total`}, false},
		{"another label in the legend", query{expr: `a_total`, shown: []string{"d"}}, false},
		{"what is no expression", query{expr: `sum(`}, false},
	} {
		told := new(testing.T) // hears of what is wrong, and fails nobody
		k.check(told, "", tt.query)
		if told.Failed() == tt.good {
			t.Errorf("%s: refused is %v", tt.name, told.Failed())
		}
	}
}

func number(t *testing.T, digits string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
