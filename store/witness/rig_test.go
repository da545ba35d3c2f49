package witness

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/kaizen-os/deliberation/store/merkle"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const origin = "kaizen.test/ledger"

// logKey is one log's signing key for all tests.
var logKey = sync.OnceValues(func() (skey, vkey string) {
	skey, vkey, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		panic(err)
	}
	return skey, vkey
})

// A tree is a log's entries, by tlog's own code, and its key.
type tree struct {
	t      testing.TB
	signer note.Signer
	stored []tlog.Hash
	size   uint64
}

func newTree(t testing.TB, entries int) *tree {
	t.Helper()
	skey, _ := logKey()
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	b := &tree{t: t, signer: signer}
	b.grow(entries, "entry")
	return b
}

func (b *tree) grow(n int, word string) {
	b.t.Helper()
	for range n {
		hashes, err := tlog.StoredHashes(int64(b.size), fmt.Append(nil, word, b.size), b.reader())
		if err != nil {
			b.t.Fatal(err)
		}
		b.stored = append(b.stored, hashes...)
		b.size++
	}
}

// fork is another history: its first entries are b's, the rest are not.
func (b *tree) fork(same, more int) *tree {
	f := &tree{t: b.t, signer: b.signer, size: uint64(same)}
	f.stored = append(f.stored, b.stored[:tlog.StoredHashCount(int64(same))]...)
	f.grow(more, "other")
	return f
}

func (b *tree) reader() tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) (out []tlog.Hash, err error) {
		for _, i := range indexes {
			out = append(out, b.stored[i])
		}
		return out, nil
	})
}

func (b *tree) Size() uint64 { return b.size }

func (b *tree) Consistency(old, size uint64) ([]merkle.Hash, error) {
	return tlog.ProveTree(int64(size), int64(old), b.reader())
}

func (b *tree) proof(old, size uint64) []merkle.Hash {
	b.t.Helper()
	proof, err := b.Consistency(old, size)
	if err != nil {
		b.t.Fatal(err)
	}
	return proof
}

func (b *tree) text(size uint64) string {
	b.t.Helper()
	root := merkle.EmptyRoot()
	if size > 0 {
		var err error
		if root, err = tlog.TreeHash(int64(size), b.reader()); err != nil {
			b.t.Fatal(err)
		}
	}
	return fmt.Sprintf("%s\n%d\n%s\n", origin, size, base64.StdEncoding.EncodeToString(root[:]))
}

func (b *tree) checkpoint(size uint64) []byte { return sign(b.t, b.text(size), b.signer) }

// request asks for a cosignature of the checkpoint of size, from old.
func (b *tree) request(old, size uint64) Request {
	b.t.Helper()
	r := Request{Old: old, Checkpoint: b.checkpoint(size)}
	if old > 0 && old < size {
		r.Proof = b.proof(old, size)
	}
	return r
}

func sign(t testing.TB, text string, signers ...note.Signer) []byte {
	t.Helper()
	signed, err := note.Sign(&note.Note{Text: text}, signers...)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// newKey makes a witness's key.
func newKey(t testing.TB, name string) *Signer {
	t.Helper()
	text, err := GenerateKey(name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSigner(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func logVerifier(t testing.TB) note.Verifier {
	t.Helper()
	_, vkey := logKey()
	v, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

var someTime = time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)

func config(t testing.TB, fs vfs.FS, key *Signer) Config {
	return Config{Dir: "witness", FS: fs, Key: key, Logs: []Log{{origin, []note.Verifier{logVerifier(t)}}}, Clock: func() time.Time { return someTime }}
}

func open(t testing.TB, cfg Config) *Witness {
	t.Helper()
	w, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// serve puts h on loopback.
func serve(t testing.TB, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// post sends an add-checkpoint call to a server and gives the answer.
func post(t testing.TB, s *httptest.Server, body string) (status int, contentType, answer string) {
	t.Helper()
	resp, err := s.Client().Post(s.URL+"/add-checkpoint", "text/plain", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Content-Type"), string(b)
}

// clockThat is a clock that calls seen under mu each time it is looked at: once a
// cosignature, while its log's record is held.
func clockThat(mu *sync.Mutex, seen func()) func() time.Time {
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		seen()
		return someTime
	}
}

func decode64(s string) ([]byte, error) { return base64.StdEncoding.DecodeString(s) }
