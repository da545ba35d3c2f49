package observe

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

// drain is how long the gateway lets requests under way go on after SIGTERM.
const drain = 65 * time.Second

// promtool checks the rules and runs their unit tests; each alert has one in which it
// fires, a link into the runbook, and a section there.
func TestRulesAreGoodAndTested(t *testing.T) {
	promtool := tool(t, "promtool")
	for _, args := range [][]string{{"check", "rules", "rules.yaml"}, {"check", "config", "prometheus.yaml"}, {"test", "rules", "rules_test.yaml"}} {
		if out, code := run(t, deploy+"/prometheus", nil, promtool, args...); code != 0 {
			t.Errorf("promtool %s: %s", strings.Join(args, " "), out)
		}
	}
	tests, runbook := read(t, deploy+"/prometheus/rules_test.yaml"), read(t, deploy+"/RUNBOOK.md")
	alerts := map[string]bool{}
	for _, r := range rulesOf(t) {
		if r.Alert == "" {
			continue
		}
		alerts[r.Alert] = true
		if !strings.Contains(tests, `{labels: '{alertname="`+r.Alert+`"}', value: 1}`) {
			t.Errorf("no test has %s fire", r.Alert)
		}
		if !slices.Contains([]string{"page", "ticket", "note"}, r.Labels["severity"]) || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s is told as %v, %v", r.Alert, r.Labels, r.Annotations)
		}
		if want := "RUNBOOK.md#" + strings.ToLower(r.Alert); r.Annotations["runbook"] != want {
			t.Errorf("%s: runbook is %s, want %s", r.Alert, r.Annotations["runbook"], want)
		}
		_, section, found := strings.Cut(runbook, "\n## "+r.Alert+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		for _, part := range []string{"**Means.**", "**Look at.**", "**Do.**"} {
			if !found || !strings.Contains(section, part) {
				t.Errorf("RUNBOOK.md has no %s of %s", part, r.Alert)
			}
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^## (Kaizen\w+)$`).FindAllStringSubmatch(runbook, -1) {
		if !alerts[m[1]] {
			t.Errorf("RUNBOOK.md is about %s, which is no alert", m[1])
		}
	}
}

// Grafana's own types read the dashboard and know every field in it.
func TestGrafanaKnowsTheDashboard(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	//lint:ignore SA1019 every Grafana imports this form; the one that is to follow it, only the newest
	var d dashboard.Dashboard
	// Strictly read, all that is wrong comes in a list, which is empty and not nil
	// where nothing is, and what was read is not to be had.
	strictly := func(text string) (wrong cog.BuildErrors) {
		into := d
		if err := into.UnmarshalJSONStrict([]byte(text)); err != nil && !errors.As(err, &wrong) {
			t.Fatal(err)
		}
		return wrong
	}
	text := read(t, deploy+"/grafana/kaizen.json")
	if wrong := strictly(strings.Replace(text, `"gridPos"`, `"gridPosition"`, 1)); len(wrong) == 0 {
		t.Error("a field that Grafana does not know is taken")
	}
	if wrong := strictly(text); len(wrong) > 0 {
		t.Fatal(wrong)
	}
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	if err := d.Validate(); err != nil {
		t.Error(err)
	}
	ids := map[uint32]bool{}
	for _, p := range d.Panels {
		panel := p.Panel
		if p.RowPanel != nil {
			continue
		}
		if panel == nil || panel.Id == nil || ids[*panel.Id] || panel.GridPos == nil || panel.GridPos.X+panel.GridPos.W > 24 {
			t.Fatalf("panel %+v", panel)
		}
		ids[*panel.Id] = true
		if panel.Datasource == nil || panel.Datasource.Uid == nil || *panel.Datasource.Uid != "${datasource}" {
			t.Errorf("panel %s has a data source of its own", *panel.Title)
		}
	}
	if len(ids) < 30 {
		t.Errorf("%d panels were read", len(ids))
	}
}

// The collector itself finds its configuration good, and can refuse one.
func TestCollectorTakesItsConfiguration(t *testing.T) {
	otelcol := built(t, "otelcol")
	good := deploy + "/otelcol/collector.yaml"
	if out, code := run(t, ".", []string{"OTLP_ENDPOINT=http://127.0.0.1:4318"}, otelcol, "validate", "--config="+good); code != 0 {
		t.Errorf("otelcol validate: %s", out)
	}
	bad := filepath.Join(t.TempDir(), "collector.yaml")
	put(t, bad, strings.Replace(read(t, good), "decision_wait", "decision_weight", 1))
	if out, code := run(t, ".", []string{"OTLP_ENDPOINT=http://127.0.0.1:4318"}, otelcol, "validate", "--config="+bad); code == 0 || !strings.Contains(out, "decision_weight") {
		t.Errorf("otelcol validate takes anything: %d: %s", code, out)
	}
}

// A manifest is deploy's, each document by its own type with no field unknown.
type manifest struct {
	config  *corev1.ConfigMap
	account *corev1.ServiceAccount
	service map[string]*corev1.Service
	budget  *policyv1.PodDisruptionBudget
	network *networkingv1.NetworkPolicy
	set     *appsv1.StatefulSet
}

func readManifest(t *testing.T) *manifest {
	t.Helper()
	m := &manifest{service: map[string]*corev1.Service{}}
	for doc := range strings.SplitSeq(read(t, deploy+"/kubernetes/kaizen.yaml"), "\n---\n") {
		doc += "\n"
		var head struct{ APIVersion, Kind string }
		if err := yaml.Unmarshal([]byte(doc), &head); err != nil {
			t.Fatal(err)
		}
		var into any
		switch head.APIVersion + " " + head.Kind {
		case "v1 ConfigMap":
			m.config = new(corev1.ConfigMap)
			into = m.config
		case "v1 ServiceAccount":
			m.account = new(corev1.ServiceAccount)
			into = m.account
		case "v1 Service":
			into = new(corev1.Service)
		case "policy/v1 PodDisruptionBudget":
			m.budget = new(policyv1.PodDisruptionBudget)
			into = m.budget
		case "networking.k8s.io/v1 NetworkPolicy":
			m.network = new(networkingv1.NetworkPolicy)
			into = m.network
		case "apps/v1 StatefulSet":
			m.set = new(appsv1.StatefulSet)
			into = m.set
		default:
			t.Fatalf("a document of %s %s", head.APIVersion, head.Kind)
		}
		if err := yaml.UnmarshalStrict([]byte(doc), into); err != nil {
			t.Fatalf("%s: %v", head.Kind, err)
		}
		if s, ok := into.(*corev1.Service); ok {
			m.service[s.Name] = s
		}
	}
	if m.config == nil || m.account == nil || m.budget == nil || m.network == nil || m.set == nil || len(m.service) != 2 {
		t.Fatalf("the manifest is not whole: %+v", m)
	}
	return m
}

func TestManifestHangsTogether(t *testing.T) {
	m := readManifest(t)
	set := m.set.Spec
	pod := set.Template
	for what, selects := range map[string]map[string]string{
		"StatefulSet": set.Selector.MatchLabels, "PodDisruptionBudget": m.budget.Spec.Selector.MatchLabels, "NetworkPolicy": m.network.Spec.PodSelector.MatchLabels,
		"Service kaizen": m.service["kaizen"].Spec.Selector, "Service kaizen-pods": m.service["kaizen-pods"].Spec.Selector,
	} {
		for label, value := range selects {
			if pod.Labels[label] != value || len(selects) == 0 {
				t.Errorf("%s selects %s=%s, pods have %v", what, label, value, pod.Labels)
			}
		}
	}
	if *set.Replicas != 1 || m.service[set.ServiceName] == nil || m.service[set.ServiceName].Spec.ClusterIP != "None" || pod.Spec.ServiceAccountName != m.account.Name {
		t.Errorf("%d replicas, service %s, account %s", *set.Replicas, set.ServiceName, pod.Spec.ServiceAccountName)
	}
	gateway := pod.Spec.Containers[0]
	ports, before := map[string]int32{}, 5*time.Second
	for _, p := range gateway.Ports {
		ports[p.Name] = p.ContainerPort
	}
	for _, s := range m.service {
		for _, p := range s.Spec.Ports {
			if ports[p.TargetPort.StrVal] == 0 {
				t.Errorf("service %s goes to port %s, which is none", s.Name, p.TargetPort.StrVal)
			}
		}
	}
	if s := gateway.Lifecycle.PreStop.Sleep; s == nil || time.Duration(s.Seconds)*time.Second != before {
		t.Errorf("before it ends it waits %+v", s)
	}
	if grace := time.Duration(*pod.Spec.TerminationGracePeriodSeconds) * time.Second; grace < before+drain+10*time.Second {
		t.Errorf("it has %v to end, and takes %v to drain", grace, drain)
	}
	if source := read(t, root+"/cmd/kaizen/serve.go") + read(t, root+"/cmd/kaizen/config.go"); !strings.Contains(source, "drainTime = defaultMaxDeadline + 5*time.Second") || !strings.Contains(source, "defaultMaxDeadline = 60 * time.Second") {
		t.Error("the gateway's drain is no longer 65 s: then this, the unit and the manifest change too")
	}
	for _, c := range append(pod.Spec.Containers, pod.Spec.InitContainers...) {
		sc := c.SecurityContext
		if sc == nil || *sc.AllowPrivilegeEscalation || !*sc.ReadOnlyRootFilesystem || len(sc.Capabilities.Drop) != 1 || sc.Capabilities.Drop[0] != "ALL" {
			t.Errorf("container %s may %+v", c.Name, sc)
		}
		if c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
			t.Errorf("container %s asks for %+v", c.Name, c.Resources)
		}
		for _, mount := range c.VolumeMounts {
			named := slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name }) ||
				slices.ContainsFunc(set.VolumeClaimTemplates, func(v corev1.PersistentVolumeClaim) bool { return v.Name == mount.Name })
			if !named {
				t.Errorf("container %s mounts %s, which is none", c.Name, mount.Name)
			}
		}
	}
	if sc := pod.Spec.SecurityContext; !*sc.RunAsNonRoot || *sc.RunAsUser == 0 || *sc.FSGroupChangePolicy != corev1.FSGroupChangeOnRootMismatch || sc.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("pods run as %+v", sc)
	}
	if side := pod.Spec.InitContainers[0]; *side.RestartPolicy != corev1.ContainerRestartPolicyAlways || !strings.HasSuffix(side.Image, ":0.155.0") || !strings.Contains(read(t, "go.mod"), "collector/otelcol v0.155.0") {
		t.Errorf("the collector beside it is %s, not the one tested here", side.Image)
	}
	for name, probe := range map[string]*corev1.Probe{"/health": gateway.LivenessProbe, "/ready": gateway.ReadinessProbe} {
		if probe.HTTPGet.Path != name || probe.HTTPGet.Port.StrVal != "http" {
			t.Errorf("probe of %s: %+v", name, probe.HTTPGet)
		}
	}
	if gateway.StartupProbe.HTTPGet.Path != "/health" {
		t.Errorf("started is told by %s", gateway.StartupProbe.HTTPGet.Path)
	}
	if m.config.Data["collector.yaml"] != read(t, deploy+"/otelcol/collector.yaml") {
		t.Error("the collector's configuration in the manifest is another than deploy/otelcol's")
	}
}

// The gateway takes the manifest's configuration, answers the probes on it, and its
// ports are those that the manifest names.
func TestGatewayRunsOnTheManifestsConfiguration(t *testing.T) {
	m := readManifest(t)
	kaizen, dir := built(t, "kaizen"), t.TempDir()
	config := m.config.Data["kaizen.yaml"]
	gateway := m.set.Spec.Template.Spec.Containers[0]
	mounts := map[string]string{}
	for _, mount := range gateway.VolumeMounts {
		mounts[mount.Name] = mount.MountPath
	}
	for _, want := range []string{"0.0.0.0:8080", "0.0.0.0:9090", mounts["data"] + "/", mounts["keys"] + "/", "http://127.0.0.1:4318"} {
		if !strings.Contains(config, want) {
			t.Fatalf("the configuration does not say %s:\n%s", want, config)
		}
	}
	put(t, filepath.Join(dir, "openai"), "sk-of-openai\n")
	put(t, filepath.Join(dir, "anthropic"), "sk-of-anthropic\n")
	config = strings.NewReplacer("0.0.0.0:8080", "127.0.0.1:0", "0.0.0.0:9090", "127.0.0.1:0", mounts["data"]+"/", dir+"/", mounts["keys"]+"/", dir+"/",
		"http://127.0.0.1:4318", "http://"+freePort(t)).Replace(config)
	file := filepath.Join(dir, "kaizen.yaml")
	put(t, file, config)
	if out, code := run(t, dir, nil, kaizen, "serve", "--check", "--config", file); code != 0 {
		t.Fatalf("kaizen serve --check: %s", out)
	}
	p := begin(t, nil, kaizen, "serve", "--config", file)
	url := p.says(`kaizen gateway at (http://\S+)`)[1]
	for _, probe := range []*corev1.Probe{gateway.StartupProbe, gateway.LivenessProbe, gateway.ReadinessProbe} {
		if text, code, err := fetch(t.Context(), "GET", url+probe.HTTPGet.Path, ""); err != nil || code != 200 {
			t.Errorf("GET %s: %d, %v: %s", probe.HTTPGet.Path, code, err, text)
		}
	}
	p.stop()
}

// BuildKit reads the Dockerfile; it builds what these tests run, and runs it as nobody.
func TestDockerfileBuildsWhatIsTestedHere(t *testing.T) {
	text := read(t, deploy+"/docker/Dockerfile")
	tree, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.Warnings) > 0 {
		t.Errorf("%+v", tree.Warnings)
	}
	stages, _, err := instructions.Parse(tree.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(stages) != 2 || !strings.HasSuffix(stages[1].BaseName, ":nonroot") {
		t.Fatalf("%d stages, the last on %s", len(stages), stages[len(stages)-1].BaseName)
	}
	if base := "golang:" + strings.Join(strings.Split(goVersion(t), ".")[:2], "."); stages[0].BaseName != base {
		t.Errorf("it builds with %s, go.mod wants %s", stages[0].BaseName, base)
	}
	if want := `CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags="-s -w" -o /out/kaizen ./cmd/kaizen`; !strings.Contains(text, "RUN "+want+"\n") {
		t.Errorf("it does not build as these tests do: %s", want)
	}
	var user, volume, stop, start string
	for _, c := range stages[1].Commands {
		switch c := c.(type) {
		case *instructions.UserCommand:
			user = c.User
		case *instructions.VolumeCommand:
			volume = c.Volumes[0]
		case *instructions.StopSignalCommand:
			stop = c.Signal
		case *instructions.EntrypointCommand:
			start = strings.Join(c.CmdLine, " ")
		}
	}
	if user != "65532:65532" || volume != "/var/lib/kaizen" || stop != "SIGTERM" || start != "/usr/local/bin/kaizen" {
		t.Errorf("it runs %s as %s, on %s, ended by %s", start, user, volume, stop)
	}
	// The binary needs no other file: there is none in the image.
	if out, err := exec.Command("ldd", built(t, "kaizen")).CombinedOutput(); err == nil {
		t.Errorf("kaizen is linked to %s", bytes.TrimSpace(out))
	}
}

func goVersion(t *testing.T) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(read(t, root+"/go.mod"))
	if m == nil {
		t.Fatal("go.mod names no version of Go")
	}
	return m[1]
}

// The unit gives the gateway time to drain, and, where systemd is, stands its checks.
func TestUnitIsGoodAndLocked(t *testing.T) {
	text := read(t, deploy+"/systemd/kaizen.service")
	stop := regexp.MustCompile(`(?m)^TimeoutStopSec=(\S+)$`).FindStringSubmatch(text)
	if stop == nil {
		t.Fatal("it does not say how long it may take to end")
	}
	if d, err := time.ParseDuration(stop[1]); err != nil || d < drain+10*time.Second {
		t.Errorf("it has %s to end, and takes %v to drain", stop[1], drain)
	}
	for _, m := range regexp.MustCompile(`(?m)^Exec\w+=/usr/local/bin/kaizen (.*)$`).FindAllStringSubmatch(text, -1) {
		out, code := run(t, t.TempDir(), nil, built(t, "kaizen"), strings.Fields(m[1])...)
		if !strings.Contains(out, "/etc/kaizen/kaizen.yaml: no such file") || code == 0 {
			t.Errorf("kaizen %s: %d: %s", m[1], code, out)
		}
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("systemd is not here: its own checks of the unit are left out")
		return
	}
	unit := filepath.Join(t.TempDir(), "kaizen.service")
	put(t, unit, strings.ReplaceAll(text, "/usr/local/bin/kaizen", built(t, "kaizen")))
	if out, code := run(t, ".", nil, analyze, "verify", "--man=no", unit); code != 0 || strings.Contains(out, "kaizen.service:") {
		t.Errorf("systemd-analyze verify: %d: %s", code, out)
	}
	// In tenths: 2.0 of 10, where 10 is a service without any bound.
	if out, code := run(t, ".", nil, analyze, "security", "--offline=true", "--threshold=20", "--no-pager", unit); code != 0 {
		t.Errorf("systemd-analyze security: %s", out)
	}
}

// What is JSON and YAML here can be read as such, by whatever else reads it.
func TestDashboardIsOneDocument(t *testing.T) {
	decoder := json.NewDecoder(strings.NewReader(read(t, deploy+"/grafana/kaizen.json")))
	var d map[string]any
	if err := decoder.Decode(&d); err != nil || decoder.More() {
		t.Errorf("%v, more: %v", err, decoder.More())
	}
}
