package interop

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/transparency-dev/formats/log"
	formatsnote "github.com/transparency-dev/formats/note"
	formatswitness "github.com/transparency-dev/formats/witness"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera"
	"golang.org/x/mod/sumdb/note"

	"github.com/kaizen-os/deliberation/store/ledger"
	"github.com/kaizen-os/deliberation/store/witness"
)

// startWitness starts our witness of the log whose key l has, and gives its
// address and key.
func startWitness(t *testing.T, l *ledger.Ledger, name string) (url, vkey string) {
	t.Helper()
	secret, err := witness.GenerateKey(name)
	if err != nil {
		t.Fatal(err)
	}
	key, err := witness.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	w, err := witness.Open(witness.Config{Dir: t.TempDir(), Key: key, Logs: []witness.Log{{Origin: origin, Keys: []note.Verifier{l.Verifier()}}}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(witness.NewHandler(w))
	t.Cleanup(func() {
		server.Close()
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return server.URL, key.String()
}

// A reader is a served log as Tessera reads its own.
type reader struct{ *served }

func (r reader) IntegratedSize(ctx context.Context) (uint64, error) {
	c, _, err := r.checkpoint(ctx)
	if err != nil {
		return 0, err
	}
	return c.Size, nil
}

func (r reader) NextIndex(ctx context.Context) (uint64, error) { return r.IntegratedSize(ctx) }

// witnessed has Tessera sign a checkpoint with key and put it to the witness, as
// it would do with a log of its own, and gives it with the cosignature.
func witnessed(t *testing.T, s *served, key, address, vkey string, size uint64, root []byte) ([]byte, error) {
	t.Helper()
	signer, err := note.NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	where, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	w, err := tessera.NewWitness(vkey, where)
	if err != nil {
		t.Fatal(err)
	}
	o := tessera.NewAppendOptions().WithCheckpointSigner(signer).WithWitnesses(tessera.NewWitnessGroup(1, w), nil)
	publish := o.CheckpointPublisher(reader{s}, &http.Client{Transport: newTransport(t), Timeout: patience})
	return publish(t.Context(), size, root)
}

// Tessera's witness client, which it puts its own logs' checkpoints to witnesses
// with, is satisfied by our witness; and our witness by nothing that does not
// follow.
func TestTesseraIsCosignedByOurWitness(t *testing.T) {
	key := newKey(t)
	l := openLedgerOf(t, key)
	s := at(t, serve(t, l), l.VerifierKey(), nil)
	address, vkey := startWitness(t, l, "witness.test/w1")
	verifier, err := formatsnote.NewVerifierForCosignatureV1(vkey)
	if err != nil {
		t.Fatal(err)
	}
	roots := map[uint64][]byte{}
	for _, size := range []uint64{5, 256, 700} {
		grow(t, l, size)
		c, _, err := s.checkpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		roots[size] = c.Hash
		for range 2 { // the same again is cosigned again
			signed, err := witnessed(t, s, key, address, vkey, size, c.Hash)
			if err != nil {
				t.Fatalf("size %d: %v", size, err)
			}
			got, _, n, err := log.ParseCheckpoint(signed, origin, s.verifier, verifier)
			if err != nil || got.Size != size || len(n.Sigs) != 2 {
				t.Fatalf("size %d: %d signatures verify, %v", size, len(n.Sigs), err)
			}
			made, err := formatsnote.CoSigV1Timestamp(n.Sigs[1])
			if err != nil || time.Since(made) > patience || time.Until(made) > 0 {
				t.Errorf("size %d: cosigned at %v, %v", size, made, err)
			}
		}
	}

	fork := openLedgerOf(t, key)
	grow(t, fork, 1)
	grow(t, fork, 900)
	forked := at(t, serve(t, fork), l.VerifierKey(), nil)
	other, _, err := forked.checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, strange := startWitness(t, l, "witness.test/w1")
	for _, tt := range []struct {
		name string
		log  *served
		key  string
		vkey string
		size uint64
		root []byte
	}{
		{"a log that went back", s, key, vkey, 256, roots[256]},
		{"another root of the same size", s, key, vkey, 700, roots[256]},
		{"another history, further on", forked, key, vkey, 900, other.Hash},
		{"another signing key of the same name", s, newKey(t), vkey, 700, roots[700]},
		{"a witness with another key than was said", s, key, strange, 700, roots[700]},
	} {
		if signed, err := witnessed(t, tt.log, tt.key, address, tt.vkey, tt.size, tt.root); err == nil {
			t.Errorf("%s: cosigned:\n%s", tt.name, signed)
		}
	}
}

// A foreigner is a witness made of other people's code.
type foreigner struct {
	log    note.Verifier
	signer *formatsnote.Signer

	mu   sync.Mutex      // guards what follows
	last *log.Checkpoint // nil before the first
}

// ServeHTTP takes POST /add-checkpoint.
func (f *foreigner) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil || req.Method != http.MethodPost || req.URL.Path != "/add-checkpoint" {
		http.Error(w, "what is this", http.StatusNotFound)
		return
	}
	line, status, err := f.cosign(body)
	switch {
	case status == http.StatusConflict:
		w.Header().Set("Content-Type", "text/x.tlog.size")
		w.WriteHeader(status)
		fmt.Fprintf(w, "%s\n", line)
	case err != nil:
		http.Error(w, err.Error(), status)
	default:
		w.Write(line)
	}
}

func (f *foreigner) cosign(body []byte) (answer []byte, status int, err error) {
	head, signed, ok := bytes.Cut(body, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	number, isOld := strings.CutPrefix(lines[0], "old ")
	old, err := strconv.ParseUint(number, 10, 63)
	if !ok || !isOld || err != nil {
		return nil, http.StatusBadRequest, errors.New("no old size")
	}
	c, _, n, err := log.ParseCheckpoint(signed, f.log.Name(), f.log)
	if err != nil {
		return nil, http.StatusForbidden, err
	}
	path := make([][]byte, len(lines)-1)
	for i, line := range lines[1:] {
		if path[i], err = base64.StdEncoding.DecodeString(line); err != nil {
			return nil, http.StatusBadRequest, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last == nil {
		f.last = &log.Checkpoint{Hash: rfc6962.DefaultHasher.EmptyRoot()}
	}
	if old != f.last.Size {
		return strconv.AppendUint(nil, f.last.Size, 10), http.StatusConflict, errors.New("another size")
	}
	if old > 0 {
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, old, c.Size, path, f.last.Hash, c.Hash); err != nil {
			return nil, http.StatusUnprocessableEntity, err
		}
	}
	f.last = c
	cosigned, err := note.Sign(&note.Note{Text: n.Text}, f.signer)
	if err != nil {
		return nil, http.StatusInternalServerError, err
	}
	return cosigned[len(n.Text)+1:], http.StatusOK, nil
}

// What our gatherer publishes satisfies a policy as formats reads and judges it:
// one witness is ours, the other of other people's code.
func TestOthersVerifyWhatWeGather(t *testing.T) {
	l, err := ledger.Open(ledger.Config{Dir: t.TempDir(), SigningKey: newKey(t), Witnessed: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ours, oursKey := startWitness(t, l, "witness.test/ours")
	secret, theirsKey, err := note.GenerateKey(nil, "witness.test/theirs")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := formatsnote.NewSignerForCosignatureV1(secret)
	if err != nil {
		t.Fatal(err)
	}
	if theirsKey, err = formatsnote.VKeyToCosignatureV1(theirsKey); err != nil {
		t.Fatal(err)
	}
	them := &foreigner{log: l.Verifier(), signer: signer}
	theirs := httptest.NewServer(them)
	defer theirs.Close()

	var peers []witness.Peer
	for _, p := range []struct{ key, url string }{{oursKey, ours}, {theirsKey, theirs.URL}} {
		v, err := witness.NewVerifier(p.key)
		if err != nil {
			t.Fatal(err)
		}
		peers = append(peers, witness.Peer{Key: v, URL: p.url})
	}
	transport := newTransport(t)
	g, err := witness.NewGatherer(witness.GathererConfig{Ledger: l, Peers: peers, Every: 5 * time.Millisecond, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()

	policy := func(second string) formatswitness.Group {
		p, err := formatswitness.ParsePolicy(fmt.Appendf(nil, "witness a %s %s\nwitness b %s %s\ngroup both all a b\nquorum both\n", oursKey, ours, second, theirs.URL))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	_, strange, err := note.GenerateKey(nil, "witness.test/theirs")
	if err != nil {
		t.Fatal(err)
	}
	s := at(t, serve(t, l), l.VerifierKey(), nil)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for _, size := range []uint64{1, 256, 300, 1000} {
		grow(t, l, size)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		for {
			c, raw, err := s.checkpoint(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if both := policy(theirsKey); c.Size == size && both.Satisfied(raw) {
				if policy(strange).Satisfied(raw) {
					t.Errorf("size %d: another key's cosignature is taken for the witness's", size)
				}
				if both.Satisfied(bytes.Replace(raw, fmt.Appendf(nil, "\n%d\n", size), fmt.Appendf(nil, "\n%d\n", size+1), 1)) {
					t.Errorf("size %d: the cosignatures hold for another size too", size)
				}
				break
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				t.Fatalf("size %d: no checkpoint satisfies the policy; the last:\n%s", size, raw)
			}
		}
		cancel()
		judge(t, fmt.Sprint("cosigned, size ", size), s, nil)
		checkReceipts(t, l, []uint64{0, size - 1})
	}
}
