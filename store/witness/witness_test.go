package witness

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"golang.org/x/mod/sumdb/note"

	"github.com/kaizen-os/deliberation/store"
	"github.com/kaizen-os/deliberation/store/merkle"
)

// wantCosigned wants an answer to be the cosignature of the checkpoint of size.
func wantCosigned(t *testing.T, b *tree, key *Signer, size uint64, line []byte) {
	t.Helper()
	n, err := note.Open(append(b.checkpoint(size), line...), note.VerifierList(key))
	if err != nil || n.Text != b.text(size) {
		t.Fatalf("the answer %q is no cosignature of size %d: %v", line, size, err)
	}
}

func add(t *testing.T, w *Witness, b *tree, key *Signer, old, size uint64) {
	t.Helper()
	line, err := w.AddCheckpoint(b.request(old, size).AppendTo(nil))
	if err != nil {
		t.Fatalf("from %d to %d: %v", old, size, err)
	}
	wantCosigned(t, b, key, size, line)
}

// Every answer that the specification knows, over HTTP, from a witness that has
// cosigned 5 entries.
func TestAnswersOfTheSpecification(t *testing.T) {
	b, key := newTree(t, 12), newKey(t, "witness.test/w")
	skey, vkey, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	secondKey, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	edit := func(r Request, change func(*Request)) string {
		change(&r)
		return string(r.AppendTo(nil))
	}
	body := func(old, size uint64) string { return string(b.request(old, size).AppendTo(nil)) }
	other := b.fork(3, 6)
	const sized, text = "text/x.tlog.size", "text/plain; charset=utf-8"
	for _, tt := range []struct {
		rule        string
		body        string
		status      int
		contentType string
		answer      string // "" where any line does
	}{
		{"a larger tree that follows is cosigned", body(5, 9), 200, text, ""},
		{"so is one from the very next entry", body(5, 6), 200, text, ""},
		{"so is the same again", body(5, 5), 200, text, ""},
		{"signatures of unknown keys are passed over", edit(b.request(5, 9), func(r *Request) {
			r.Checkpoint = sign(t, b.text(9), b.signer, noteSigner{newKey(t, "someone.test")})
		}), 200, text, ""},
		{"extension lines are signed along", edit(b.request(5, 9), func(r *Request) { r.Checkpoint = sign(t, b.text(9)+"more\n", b.signer) }), 200, text, ""},

		{"what is no request is 400", "hello\n", 400, text, ""},
		{"nothing is no request", "", 400, text, ""},
		{"a checkpoint that is none is 400", "old 5\n\nhello\n", 400, text, ""},
		{"a size with a leading zero is 400", strings.Replace(body(5, 9), "\n9\n", "\n09\n", 1), 400, text, ""},
		{"an old size with a leading zero is 400", strings.Replace(body(5, 9), "old 5", "old 05", 1), 400, text, ""},
		{"an old size above the checkpoint's is 400", edit(b.request(0, 9), func(r *Request) { r.Old = 10 }), 400, text, ""},
		{"64 hashes are 400", edit(b.request(5, 9), func(r *Request) { r.Proof = make([]merkle.Hash, 64) }), 400, text, ""},
		{"half a line at the end is 400", strings.TrimSuffix(body(5, 9), "\n"), 400, text, ""},

		{"a checkpoint of nobody's is 403", edit(b.request(5, 9), func(r *Request) { r.Checkpoint = sign(t, b.text(9), stranger) }), 403, text, ""},
		{"a signature over another text is 403", strings.Replace(body(5, 9), "\n9\n", "\n10\n", 1), 403, text, ""},
		{"an unknown origin is 404", edit(b.request(5, 9), func(r *Request) { r.Checkpoint = sign(t, "unknown.test"+b.text(9)[len(origin):], b.signer) }), 404, text, ""},

		{"an old size below the last is 409 with the last", body(3, 9), 409, sized, "5\n"},
		{"an old size of zero is, too", body(0, 9), 409, sized, "5\n"},
		{"an old size above the last is, too", body(6, 9), 409, sized, "5\n"},
		{"a tree taken back is, too", body(4, 4), 409, sized, "5\n"},
		{"the same size with another root is 409", string(other.request(5, 5).AppendTo(nil)), 409, sized, "5\n"},

		{"another history is 422", string(other.request(5, 9).AppendTo(nil)), 422, text, ""},
		{"no proof is 422", edit(b.request(5, 9), func(r *Request) { r.Proof = nil }), 422, text, ""},
		{"a proof that is too long is 422", edit(b.request(5, 9), func(r *Request) { r.Proof = append(r.Proof, merkle.Hash{}) }), 422, text, ""},
		{"a proof from elsewhere is 422", edit(b.request(5, 9), func(r *Request) { r.Proof = b.proof(4, 9) }), 422, text, ""},
		{"a proof of a tree by itself is 422", edit(b.request(5, 5), func(r *Request) { r.Proof = make([]merkle.Hash, 1) }), 422, text, ""},

		{"more than a request can have is 413", "old 5\n\n" + strings.Repeat("x", MaxRequest), 413, text, ""},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			cfg := config(t, vfs.NewMem(), key)
			w := open(t, cfg)
			add(t, w, b, key, 0, 3)
			add(t, w, b, key, 3, 5)
			status, contentType, answer := post(t, serve(t, NewHandler(w)), tt.body)
			if status != tt.status || contentType != tt.contentType || tt.answer != "" && answer != tt.answer || strings.Count(answer, "\n") != 1 {
				t.Errorf("%d, %s: %q, want %d, %s: %q", status, contentType, answer, tt.status, tt.contentType, tt.answer)
			}
			r, err := ParseRequest([]byte(tt.body))
			wantSize := uint64(5)
			if status == 200 {
				c, errCheckpoint := readCheckpoint(r.Checkpoint)
				if err != nil || errCheckpoint != nil {
					t.Fatal(err, errCheckpoint)
				}
				if _, err := parseAnswer([]byte(answer), c.text, key.Verifier); err != nil {
					t.Errorf("the answer %q: %v", answer, err)
				}
				wantSize = c.size
			} else if strings.Contains(answer, "— ") {
				t.Errorf("it is refused with a signature: %q", answer)
			}
			if size, err := w.Size(origin); size != wantSize || err != nil {
				t.Errorf("the witness is at %d, %v, want %d", size, err, wantSize)
			}
		})
	}

	// Of a log's two keys, either is enough; a wrong signature beside it is not.
	cfg := config(t, vfs.NewMem(), key)
	cfg.Logs[0].Keys = append(cfg.Logs[0].Keys, secondKey)
	w := open(t, cfg)
	for i, signers := range [][]note.Signer{{b.signer}, {stranger}, {b.signer, stranger}} {
		size := uint64(i)
		r := b.request(size, size+1)
		r.Checkpoint = sign(t, b.text(size+1), signers...)
		if _, err := w.AddCheckpoint(r.AppendTo(nil)); err != nil {
			t.Errorf("signed by %d of two keys: %v", len(signers), err)
		}
	}
}

// noteSigner is a Signer as a note.Signer.
type noteSigner struct{ *Signer }

func (s noteSigner) Sign(text []byte) ([]byte, error) {
	sig, err := s.Cosign(string(text), someTime)
	if err != nil {
		return nil, err
	}
	n, err := note.Open(appendLine(append(bytes.Clone(text), '\n'), sig), note.VerifierList(s.Verifier))
	if err != nil {
		return nil, err
	}
	raw, err := decode64(n.Sigs[0].Base64)
	return raw[keyIDLen:], err
}

func TestFirstCheckpointNeedsNoProof(t *testing.T) {
	b, key := newTree(t, 3), newKey(t, "witness.test/w")
	for _, tt := range []struct {
		rule string
		r    Request
		want error
	}{
		{"any tree may be the first", b.request(0, 3), nil},
		{"so may the empty one", b.request(0, 0), nil},
		{"but not with a proof", Request{Proof: make([]merkle.Hash, 1), Checkpoint: b.checkpoint(3)}, ErrConsistency},
		{"nor from somewhere", b.request(2, 3), &ConflictError{}},
		{"nor an empty one that is not", Request{Checkpoint: sign(t, origin+"\n0\n"+aHash+"\n", b.signer)}, &ConflictError{Fork: true}},
	} {
		w := open(t, config(t, vfs.NewMem(), key))
		_, err := w.AddCheckpoint(tt.r.AppendTo(nil))
		conflict, want := (*ConflictError)(nil), (*ConflictError)(nil)
		if errors.As(tt.want, &want) {
			if !errors.As(err, &conflict) || *conflict != *want {
				t.Errorf("%s: %v, want %v", tt.rule, err, want)
			}
		} else if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.rule, err, tt.want)
		}
	}
}

func TestHandlerKnowsOneCall(t *testing.T) {
	s := serve(t, NewHandler(open(t, config(t, vfs.NewMem(), newKey(t, "w")))))
	for _, tt := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/add-checkpoint", 405}, {"PUT", "/add-checkpoint", 405}, {"DELETE", "/add-checkpoint", 405},
		{"POST", "/", 404}, {"POST", "/add-checkpoint/x", 404}, {"GET", "/", 404},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, s.URL+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := s.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != tt.want || tt.want == 405 && resp.Header.Get("Allow") != "POST" {
			t.Errorf("%s %s: %d, allow %q, want %d", tt.method, tt.path, resp.StatusCode, resp.Header.Get("Allow"), tt.want)
		}
	}
}

// The race that the specification tells of: a check for a small size that is
// overtaken by a larger one must not take the record back. Clients of all sizes
// start from what they are told; whoever is cosigned was the largest at its time.
func TestConcurrentRequestsNeverTakeTheRecordBack(t *testing.T) {
	const entries = 120
	b, key := newTree(t, entries), newKey(t, "witness.test/w")
	fs := vfs.NewMem()
	w := open(t, config(t, fs, key))
	h := NewHandler(w)
	requests := make([][]string, entries+1) // by old size, then new
	for old := range requests {
		for size := range entries + 1 {
			text := ""
			if old <= size {
				text = string(b.request(uint64(old), uint64(size)).AppendTo(nil))
			}
			requests[old] = append(requests[old], text)
		}
	}
	var mu sync.Mutex
	var cosigned []uint64 // in the order of the record
	w.clock = clockThat(&mu, func() { cosigned = append(cosigned, w.logs[origin].size) })
	var clients sync.WaitGroup
	for client := range 8 {
		clients.Go(func() {
			old := 0
			for size := client + 1; size <= entries; size += 1 + client%3 {
				for old <= size {
					rec := httptest.NewRecorder()
					h.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, addCheckpoint, strings.NewReader(requests[old][size])))
					if rec.Code == 200 {
						old = size
						break
					}
					told, err := strconv.Atoi(strings.TrimSpace(rec.Body.String()))
					if rec.Code != 409 || err != nil {
						t.Errorf("from %d to %d: %d %s", old, size, rec.Code, rec.Body)
						return
					}
					if told < old {
						t.Errorf("the record went back from %d to %d", old, told)
					}
					old = told
				}
			}
		})
	}
	clients.Wait()
	for i := 1; i < len(cosigned); i++ {
		if cosigned[i] < cosigned[i-1] {
			t.Fatalf("the record went back: %v", cosigned)
		}
	}
	size, err := w.Size(origin)
	if err != nil || size == 0 {
		t.Fatal(size, err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if again, err := open(t, config(t, fs, key)).Size(origin); again != size || err != nil {
		t.Errorf("the record on the disk is %d, %v, want %d", again, err, size)
	}
}

// The same race, made to happen: while a large size is being written down, a small
// one comes that starts from the same old size. It must be held against the large
// one, not against what was there when it came.
func TestRequestDuringAWriteIsHeldAgainstItsOutcome(t *testing.T) {
	b, key := newTree(t, 12), newKey(t, "witness.test/w")
	var hold atomic.Bool
	writing, written := make(chan struct{}), make(chan struct{})
	w := open(t, config(t, errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpCreate && hold.CompareAndSwap(true, false) {
			close(writing)
			<-written
		}
		return nil
	})), key))
	add(t, w, b, key, 0, 5)
	hold.Store(true)
	large, small := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := w.AddCheckpoint(b.request(5, 12).AppendTo(nil))
		large <- err
	}()
	<-writing
	request := b.request(5, 7).AppendTo(nil)
	go func() {
		_, err := w.AddCheckpoint(request)
		small <- err
	}()
	select {
	case err := <-small:
		t.Errorf("the small one is answered during the write: %v", err)
		small <- err
	case <-time.After(100 * time.Millisecond): // time enough to come as far as it may
	}
	close(written)
	if err := <-large; err != nil {
		t.Errorf("the large one: %v", err)
	}
	var conflict *ConflictError
	if err := <-small; !errors.As(err, &conflict) || conflict.Size != 12 {
		t.Errorf("the small one: %v, want to hear of 12", err)
	}
	if size, err := w.Size(origin); size != 12 || err != nil {
		t.Errorf("the record is %d, %v, want 12", size, err)
	}
}

// What was answered is on the disk: a power cut right after loses nothing.
func TestRecordIsDurableBeforeTheAnswer(t *testing.T) {
	b, key := newTree(t, 30), newKey(t, "witness.test/w")
	fs := vfs.NewCrashableMem()
	w := open(t, config(t, fs, key))
	for size := range uint64(30) {
		add(t, w, b, key, size, size+1)
		crashed := open(t, config(t, fs.CrashClone(vfs.CrashCloneCfg{}), key))
		if got, err := crashed.Size(origin); got != size+1 || err != nil {
			t.Fatalf("after a crash at %d it is at %d, %v", size+1, got, err)
		}
		if err := crashed.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A witness that ended between keeping a checkpoint and answering goes on from
// there: the log is told so, and no other tree is cosigned.
func TestEndBetweenRecordAndAnswer(t *testing.T) {
	b, key := newTree(t, 12), newKey(t, "witness.test/w")
	fs := vfs.NewMem()
	w := open(t, config(t, fs, key))
	add(t, w, b, key, 0, 5)
	if _, err := w.AddCheckpoint(b.request(5, 9).AppendTo(nil)); err != nil { // nobody hears it
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w = open(t, config(t, fs, key))
	var conflict *ConflictError
	if _, err := w.AddCheckpoint(b.request(5, 9).AppendTo(nil)); !errors.As(err, &conflict) || conflict.Size != 9 {
		t.Fatalf("the same again: %v, want to hear of 9", err)
	}
	if _, err := w.AddCheckpoint(b.fork(5, 4).request(9, 9).AppendTo(nil)); !errors.As(err, &conflict) || !conflict.Fork {
		t.Errorf("another tree of the size that nobody heard of: %v", err)
	}
	add(t, w, b, key, 9, 9)
	add(t, w, b, key, 9, 12)
}

// A write that failed is answered with no cosignature, and changes nothing.
func TestFailedWriteCosignsNothing(t *testing.T) {
	for _, kind := range []errorfs.OpKind{errorfs.OpCreate, errorfs.OpFileWrite, errorfs.OpFileSync, errorfs.OpRename} {
		b, key := newTree(t, 9), newKey(t, "witness.test/w")
		var failing bool
		var log bytes.Buffer
		cfg := config(t, errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
			if failing && op.Kind == kind {
				return errorfs.ErrInjected
			}
			return nil
		})), key)
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		w := open(t, cfg)
		add(t, w, b, key, 0, 5)
		failing = true
		status, _, answer := post(t, serve(t, NewHandler(w)), string(b.request(5, 9).AppendTo(nil)))
		if status != 500 || strings.Contains(answer, "— ") || !strings.Contains(log.String(), "checkpoint not kept, and not cosigned") {
			t.Errorf("operation %v failed: %d %s; the log: %s", kind, status, answer, &log)
		}
		add(t, w, b, key, 5, 5) // what is there already needs no write
		failing = false
		add(t, w, b, key, 5, 9)
	}
}

// A record that cannot be trusted is not begun anew: the log is refused, others are
// served.
func TestDamagedStateIsRefused(t *testing.T) {
	b, key := newTree(t, 12), newKey(t, "witness.test/w")
	second := Log{"second.test/log", []note.Verifier{logVerifier(t)}}
	fs := vfs.NewMem()
	w := open(t, config(t, fs, key))
	add(t, w, b, key, 0, 5)
	file := "witness/" + StateFile(origin)
	kept := read(t, fs, file)
	add(t, w, b, key, 5, 9)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	foreign := newKey(t, "witness.test/w")
	sig, err := foreign.Cosign(b.text(5), someTime)
	if err != nil {
		t.Fatal(err)
	}
	third, err := key.Cosign("third.test/log"+b.text(5)[len(origin):], someTime)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		file []byte
	}{
		{"nothing in it", nil},
		{"half of it", kept[:len(kept)/2]},
		{"another size in it", bytes.Replace(kept, []byte("\n5\n"), []byte("\n2\n"), 1)},
		{"without the witness's signature", b.checkpoint(5)},
		{"of another key", appendLine(b.checkpoint(5), sig)},
		{"of another log", appendLine([]byte("third.test/log"+b.text(5)[len(origin):]+"\n"), third)},
		{"without end", bytes.Repeat([]byte("x"), MaxRequest+1)},
	} {
		if err := store.ReplaceFile(fs, file, tt.file); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		cfg := config(t, fs, key)
		cfg.Logs = append(cfg.Logs, second)
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		w := open(t, cfg)
		if !strings.Contains(log.String(), "a log is refused") || !strings.Contains(log.String(), file) {
			t.Errorf("%s: the log says %s", tt.name, &log)
		}
		for _, old := range []uint64{0, 5, 9} {
			status, _, answer := post(t, serve(t, NewHandler(w)), string(b.request(old, 12).AppendTo(nil)))
			if status != 500 || strings.Contains(answer, "— ") {
				t.Errorf("%s: from %d it answers %d %s", tt.name, old, status, answer)
			}
		}
		if _, err := w.Size(origin); !errors.Is(err, ErrState) {
			t.Errorf("%s: Size() = %v", tt.name, err)
		}
		r := Request{Checkpoint: sign(t, second.Origin+b.text(3)[len(origin):], b.signer)}
		if _, err := w.AddCheckpoint(r.AppendTo(nil)); err != nil {
			t.Errorf("%s: the other log: %v", tt.name, err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got := read(t, fs, file); !bytes.Equal(got, tt.file) {
			t.Errorf("%s: the file was changed to %q", tt.name, got)
		}
		if err := fs.Remove("witness/" + StateFile(second.Origin)); err != nil {
			t.Fatal(err)
		}
	}
}

// Every single bit of the record that matters is vouched for.
func TestFlippedBitInStateIsRefusedOrHarmless(t *testing.T) {
	b, key := newTree(t, 9), newKey(t, "witness.test/w")
	fs := vfs.NewMem()
	w := open(t, config(t, fs, key))
	add(t, w, b, key, 0, 5)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file := "witness/" + StateFile(origin)
	kept := read(t, fs, file)
	refused := 0
	for i := range kept {
		changed := bytes.Clone(kept)
		changed[i] ^= 1
		if err := store.ReplaceFile(fs, file, changed); err != nil {
			t.Fatal(err)
		}
		w := open(t, config(t, fs, key))
		size, err := w.Size(origin)
		if err != nil {
			refused++
		} else if size != 5 || w.logs[origin].root != merkleRoot(t, b, 5) {
			t.Errorf("byte %d changed: it goes on from %d", i, size)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if refused < len(b.text(5)) {
		t.Errorf("%d changes of %d bytes were noticed", refused, len(kept))
	}
}

func TestFolderIsHeldByOneProcess(t *testing.T) {
	fs, key := vfs.NewMem(), newKey(t, "w")
	w := open(t, config(t, fs, key))
	if _, err := Open(config(t, fs, key)); !errors.Is(err, store.ErrLocked) {
		t.Errorf("a second Open: %v, want ErrLocked", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, config(t, fs, key))
}

func TestForkIsToldOfOnce(t *testing.T) {
	b, key := newTree(t, 9), newKey(t, "witness.test/w")
	var log bytes.Buffer
	cfg := config(t, vfs.NewMem(), key)
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	w := open(t, cfg)
	add(t, w, b, key, 0, 5)
	for range 3 {
		if _, err := w.AddCheckpoint(b.fork(3, 2).request(5, 5).AppendTo(nil)); err == nil {
			t.Fatal("another tree of the same size is cosigned")
		}
	}
	if n := strings.Count(log.String(), "another tree of the same size"); n != 1 {
		t.Errorf("the log tells of it %d times: %s", n, &log)
	}
}

func TestConfigRefused(t *testing.T) {
	key, v := newKey(t, "w"), logVerifier(t)
	for name, cfg := range map[string]Config{
		"nothing":           {},
		"no key":            {Dir: "x", Logs: []Log{{origin, []note.Verifier{v}}}},
		"no logs":           {Dir: "x", Key: key},
		"no folder":         {Key: key, Logs: []Log{{origin, []note.Verifier{v}}}},
		"a log twice":       {Dir: "x", Key: key, Logs: []Log{{origin, []note.Verifier{v}}, {origin, []note.Verifier{v}}}},
		"a log's key twice": {Dir: "x", Key: key, Logs: []Log{{origin, []note.Verifier{v, v}}}},
	} {
		cfg.FS = vfs.NewMem()
		if w, err := Open(cfg); err == nil {
			w.Close()
			t.Errorf("%s is accepted", name)
		}
	}
}

func read(t *testing.T, fs vfs.FS, path string) []byte {
	t.Helper()
	f, err := fs.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		t.Fatalf("%s is not there", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func merkleRoot(t *testing.T, b *tree, size uint64) merkle.Hash {
	t.Helper()
	c, err := readCheckpoint(b.checkpoint(size))
	if err != nil {
		t.Fatal(err)
	}
	return c.root
}
