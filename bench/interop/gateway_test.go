package interop

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/client"

	"github.com/kaizen-os/deliberation/bench/load"
	"github.com/kaizen-os/deliberation/bench/sim"
)

// deliberations are enough to fill a bundle.
const deliberations = 300

// The gateway as an operator runs it, judged as a stranger would: by its URL,
// while clients ask it, and by the receipts they were given.
func TestOthersVerifyAGatewayAndItsReceipts(t *testing.T) {
	g := startGateway(t)
	vkey := strings.TrimSpace(string(g.get(t, "/ledger/key")))
	s := at(t, g.url+"/ledger/", vkey, nil)
	judge(t, "at the start", s, nil)
	remembered := [][]byte{g.get(t, "/ledger/checkpoint")}

	var clients sync.WaitGroup
	verdicts := make(chan verdict, deliberations)
	for first := range 10 {
		clients.Go(func() {
			for i := first; i < deliberations; i += 10 {
				v, err := g.ask(t.Context(), i)
				if err != nil {
					t.Error(err)
					return
				}
				verdicts <- v
			}
		})
	}
	// While it grows, the tracker finds each checkpoint consistent with the last.
	for len(verdicts) < deliberations/2 && !t.Failed() {
		if err := checkTracker(t.Context(), s, remembered); err != nil && !strings.Contains(err.Error(), "the tracker is at") { // it grew meanwhile
			t.Error(err)
		}
		remembered = append(remembered, g.get(t, "/ledger/checkpoint"))
	}
	clients.Wait()
	close(verdicts)
	if t.Failed() {
		return
	}
	judge(t, "after the deliberations", s, remembered[:min(len(remembered), 20)])

	size := uint64(0)
	seen := 0
	for v := range verdicts {
		c, _, err := s.checkpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		size = c.Size
		bundle, err := client.GetEntryBundle(t.Context(), s.ReadEntryBundle, v.Proof.Index/256, size)
		if err != nil || int(v.Proof.Index%256) >= len(bundle.Entries) {
			t.Fatalf("entry %d of %d: bundle of %d, %v", v.Proof.Index, size, len(bundle.Entries), err)
		}
		leaf := bundle.Entries[v.Proof.Index%256]
		if got := base64.StdEncoding.EncodeToString(rfc6962.DefaultHasher.HashLeaf(leaf)); got != v.Proof.LeafHash {
			t.Errorf("entry %d hashes to %s, the answer said %s", v.Proof.Index, got, v.Proof.LeafHash)
		}
		receipt := g.get(t, v.Proof.Receipt)
		if index, err := checkReceipt(receipt, leaf, s.verifier); err != nil || index != v.Proof.Index {
			t.Errorf("receipt of %s, entry %d: entry %d, %v", v.ID, v.Proof.Index, index, err)
		}
		if _, err := checkReceipt(receipt, flip(len(leaf)/2)(leaf), s.verifier); err == nil {
			t.Errorf("receipt of %s shows a changed entry too", v.ID)
		}
		seen++
	}
	if seen != deliberations || size < deliberations {
		t.Errorf("%d verdicts in a log of %d", seen, size)
	}
	folder := t.TempDir()
	export := exec.Command(g.program, "ledger", "export", folder, "--from", g.url+"/ledger", "--key", vkey)
	if out, err := export.CombinedOutput(); err != nil {
		t.Fatalf("kaizen ledger export: %v\n%s", err, out)
	}
	judge(t, "exported", in(t, folder, vkey), remembered[:1])
}

// A verdict is what these tests read of an answer.
type verdict struct {
	ID    string
	Proof struct {
		Index    uint64
		LeafHash string
		Receipt  string
	}
}

// A running is a "kaizen serve".
type running struct {
	program string
	url     string
	client  *http.Client
}

func (g *running) get(t *testing.T, path string) []byte {
	t.Helper()
	body, err := get(t.Context(), g.client, g.url+path)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func (g *running) ask(ctx context.Context, i int) (v verdict, err error) {
	body := fmt.Sprintf(`{"prompt":"What is %d * 23?","kind":"number"}`, i)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url+"/v1/deliberate", strings.NewReader(body))
	if err != nil {
		return v, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := g.client.Do(req)
	if err != nil {
		return v, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return v, err
	}
	if resp.StatusCode != http.StatusOK {
		return v, fmt.Errorf("POST /v1/deliberate: %d: %s", resp.StatusCode, answer)
	}
	if err := json.Unmarshal(answer, &v); err != nil || v.Proof.Receipt == "" {
		return v, fmt.Errorf("an answer without a receipt: %s: %w", answer, err)
	}
	return v, nil
}

// buildKaizen builds the program as the product's own module does.
func buildKaizen(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "kaizen")
	build := exec.Command("go", "build", "-o", program, "./cmd/kaizen")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build ./cmd/kaizen: %v\n%s", err, out)
	}
	return program
}

// startGateway starts a gateway in an empty folder, over five companions that
// answer at once, and ends it with the test.
func startGateway(t *testing.T) *running {
	t.Helper()
	companions, err := sim.Start(sim.Config{Companions: load.FleetSpec{Count: 5, Latency: sim.Fixed(0)}.Companions()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := companions.Close(); err != nil {
			t.Error(err)
		}
	})
	dir := t.TempDir()
	config := fmt.Sprintf("listen: 127.0.0.1:0\nadmin: \"\"\ndata: %q\nlogLevel: warn\ncompanions:\n", filepath.Join(dir, "data"))
	for _, e := range companions.Endpoints() {
		config += fmt.Sprintf("  - {id: %s, provider: kaizen, endpoint: %q, model: %q, tier: %s, vendor: %s, family: %s, weight: %q,\n"+
			"     limits: {perSecond: 10000, burst: 10000, inFlight: 256}}\n", e.ID, e.URL, e.Model, e.Tier, e.Vendor, e.Family, e.Weight)
	}
	file := filepath.Join(dir, "kaizen.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	program := buildKaizen(t)
	cmd := exec.Command(program, "serve", "--config", file)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	g := &running{program: program, client: &http.Client{Transport: newTransport(t), Timeout: patience}}
	found := make(chan string, 1)
	read := make(chan struct{})
	go func() {
		defer close(read)
		at := regexp.MustCompile(`kaizen gateway at (http://\S+)`)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			if m := at.FindStringSubmatch(lines.Text()); m != nil {
				found <- m[1]
			}
		}
		close(found)
	}()
	t.Cleanup(func() {
		g.client.CloseIdleConnections()
		cmd.Process.Signal(os.Interrupt)
		kill := time.AfterFunc(patience, func() { cmd.Process.Kill() })
		defer kill.Stop()
		<-read
		if err := cmd.Wait(); err != nil {
			t.Errorf("kaizen serve: %v\n%s", err, &stderr)
		}
	})
	select {
	case g.url = <-found:
	case <-time.After(patience):
	}
	if g.url == "" {
		t.Fatal("kaizen serve does not say where it is")
	}
	return g
}
