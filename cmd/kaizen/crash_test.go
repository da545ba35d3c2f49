package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/store/ledger"
)

// crashRounds is how often the gateway is killed: a few times, or as often as
// KAIZEN_CRASH_ROUNDS says ("make crash").
func crashRounds(t *testing.T) int {
	text := os.Getenv("KAIZEN_CRASH_ROUNDS")
	if text == "" {
		return 5 // over 256 entries, so that a tile is full
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("KAIZEN_CRASH_ROUNDS is %q, want a number of rounds", text)
	}
	return n
}

// acknowledged is what the gateway has answered to its clients: each verdict with
// the place its proof has in the ledger.
type acknowledged struct {
	mu       sync.Mutex // guards verdicts
	verdicts []*wire.Deliberation
}

func (a *acknowledged) add(v *wire.Deliberation) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.verdicts = append(a.verdicts, v)
	return len(a.verdicts)
}

func (a *acknowledged) size() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.verdicts)
}

// Whatever was acknowledged is in the ledger after SIGKILL, at its index and with
// its hash; what is there verifies; and the gateway goes on. Every second round
// another kill comes while the gateway recovers.
func TestKilledUnderLoadLosesNothingAcknowledged(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	_, companions := startSim(t, instant(4)...)
	config := anyPort + "companions:\n"
	for _, e := range companions {
		config += companionLine(e, "kaizen", "")
	}
	dir := t.TempDir()
	var known acknowledged
	for round := range crashRounds(t) {
		if round%2 == 1 {
			p := start(t, nil, "serve", "--config", writeConfig(t, dir, config))
			select {
			case <-time.After(time.Duration(chance.IntN(200)) * time.Millisecond): // anywhere in its start
			case <-p.ended:
				t.Fatalf("round %d: it does not start:\n%s", round, &p.errOut)
			}
			kill(t, p)
		}
		s := startServer(t, dir, config)
		before := len(known.verdicts)
		for _, v := range known.verdicts[max(0, before-20):] { // the last ones are those at risk
			var again wire.Deliberation
			if err := again.Decode(s.get("/v1/deliberations/"+v.ID, "", http.StatusOK)); err != nil || again.Proof != v.Proof || again.Answer != v.Answer {
				t.Fatalf("round %d: %s is read back as %+v, %v, want %+v", round, v.ID, again.Proof, err, v.Proof)
			}
		}
		killUnderLoad(t, s, &known, before+60+chance.IntN(100))
		if len(known.verdicts) == before {
			t.Fatalf("round %d: nothing was acknowledged", round)
		}
		checkLedger(t, s, known.verdicts)
	}
	s := startServer(t, dir, config)
	v := s.mustAsk("", anyRequest)
	if least := uint64(len(known.verdicts)); v.Proof.Index < least {
		t.Errorf("after %d verdicts the next is at %d", least, v.Proof.Index)
	}
	s.stop()
	checkLedger(t, s, append(known.verdicts, v))
	t.Logf("%d verdicts acknowledged, all kept", len(known.verdicts))
}

// killUnderLoad lets clients ask, and kills s when enough are known, with requests
// under way.
func killUnderLoad(t *testing.T, s *server, known *acknowledged, enough int) {
	t.Helper()
	reached := make(chan struct{})
	var once sync.Once
	var clients sync.WaitGroup
	for range 6 {
		clients.Go(func() {
			for {
				v, err := s.ask(context.Background(), "", anyRequest)
				if err != nil {
					return // it is dead
				}
				if known.add(v) >= enough {
					once.Do(func() { close(reached) })
				}
			}
		})
	}
	select {
	case <-reached:
	case <-s.ended:
		t.Fatalf("it has ended by itself; stderr:\n%s", &s.errOut)
	case <-time.After(patience):
		t.Fatalf("there are only %d verdicts", known.size())
	}
	kill(t, s.program)
	clients.Wait()
}

// kill sends SIGKILL, and wants that to be what p ends by.
func kill(t *testing.T, p *program) {
	t.Helper()
	p.send(os.Kill)
	if code := p.wait(); code != -1 {
		t.Fatalf("exit code %d, want the end by a signal; stderr:\n%s", code, &p.errOut)
	}
}

// checkLedger wants every verdict's entry at its index with its hash, and the
// whole to verify: by the program, and entry by entry here.
func checkLedger(t *testing.T, s *server, verdicts []*wire.Deliberation) {
	t.Helper()
	out, errOut, code := runProgram(t, "", nil, "verify", s.data())
	if code != 0 || !strings.HasSuffix(out, "OK\n") {
		t.Fatalf("kaizen verify: exit code %d, %s%s", code, out, errOut)
	}
	verifier, err := ledger.ReadVerifier(s.data(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var hashes []string
	_, err = ledger.Verify(s.data(), nil, verifier, func(_ uint64, _ int64, leaf []byte) error {
		h := quorum.LeafHash(leaf)
		hashes = append(hashes, base64.StdEncoding.EncodeToString(h[:]))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[uint64]string, len(verdicts))
	for _, v := range verdicts {
		if p := v.Proof; p.Index >= uint64(len(hashes)) || hashes[p.Index] != p.LeafHash {
			t.Errorf("%s was acknowledged as %s; the ledger of %d entries has it not", v.ID, fmt.Sprint(p.Index, " ", p.LeafHash), len(hashes))
		}
		if other, twice := seen[v.Proof.Index]; twice {
			t.Errorf("%s and %s were both acknowledged as entry %d", v.ID, other, v.Proof.Index)
		}
		seen[v.Proof.Index] = v.ID
	}
}
