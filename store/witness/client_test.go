package witness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/kaizen-os/deliberation/store/merkle"
)

func client(s *httptest.Server, key *Signer) *Client {
	return NewClient(key.Verifier, s.URL+"/", s.Client().Transport, func() time.Time { return someTime })
}

// wantClass wants an *Error of a class whose text has all of words.
func wantClass(t *testing.T, rule string, err error, class Class, words ...string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Class != class {
		t.Errorf("%s: %v, want an error of class %s", rule, err, class)
		return
	}
	for _, w := range append(words, e.Witness) {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: %v, want it to say %q", rule, err, w)
		}
	}
	if strings.ContainsAny(err.Error(), "\n\r\x1b") {
		t.Errorf("%s: not one clean line: %q", rule, err)
	}
}

// counting counts the requests that reach h.
func counting(h http.Handler, n *atomic.Int64) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		n.Add(1)
		h.ServeHTTP(rw, req)
	})
}

func TestClientGoesOnFromWhatTheWitnessCosigned(t *testing.T) {
	b, key := newTree(t, 300), newKey(t, "witness.test/w")
	w := open(t, config(t, vfs.NewMem(), key))
	var asked atomic.Int64
	s := serve(t, counting(NewHandler(w), &asked))
	c := client(s, key)
	get := func(rule string, c *Client, size uint64, requests int64) {
		t.Helper()
		before := asked.Load()
		sig, err := c.Cosign(t.Context(), b, b.checkpoint(size))
		if err != nil {
			t.Fatalf("%s: %v", rule, err)
		}
		wantCosigned(t, b, key, size, appendLine(nil, sig))
		if n := asked.Load() - before; n != requests {
			t.Errorf("%s: it took %d requests, want %d", rule, n, requests)
		}
	}
	get("the first is asked from nothing", c, 3, 1)
	get("the next from there", c, 256, 1)
	get("the same again", c, 256, 1)
	get("a client that has forgotten is told, and asks again", client(s, key), 257, 2)
	get("so is one that another has overtaken", c, 300, 2)
}

func TestClientTellsOfARollbackAndOfAFork(t *testing.T) {
	b, key := newTree(t, 40), newKey(t, "witness.test/w")
	w := open(t, config(t, vfs.NewMem(), key))
	s := serve(t, NewHandler(w))
	if _, err := client(s, key).Cosign(t.Context(), b, b.checkpoint(30)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		rule  string
		log   *tree
		size  uint64
		class Class
		words []string
	}{
		{"an older copy", b.fork(20, 0), 20, RolledBack, []string{"has cosigned 30 entries of this ledger, which has 20", "rolled back"}},
		{"an older copy that goes on", b.fork(20, 5), 25, RolledBack, []string{"has cosigned 30 entries of this ledger, which has 25"}},
		{"an older copy that has caught up", b.fork(20, 10), 30, Forked, []string{"another tree of 30 entries"}},
		{"an older copy that is past it", b.fork(20, 20), 40, Forked, []string{"its last checkpoint, of 30 entries", "ledger of 40"}},
		{"an older checkpoint of a ledger that has more", b, 20, Refused, []string{"has cosigned 30 entries already"}},
	} {
		for _, remembered := range []uint64{0, 10, 30, 50} {
			c := client(s, key)
			c.cosigned = remembered
			sig, err := c.Cosign(t.Context(), tt.log, tt.log.checkpoint(tt.size))
			wantClass(t, fmt.Sprintf("%s, remembering %d", tt.rule, remembered), err, tt.class, tt.words...)
			if sig.Name != "" {
				t.Errorf("%s: there is a cosignature all the same", tt.rule)
			}
		}
		if size, err := w.Size(origin); size != 30 || err != nil {
			t.Fatalf("%s: the witness is at %d, %v", tt.rule, size, err)
		}
	}
}

// What a witness may answer that is of no use: each is an error that says what was
// wrong, and nothing of it is taken for a cosignature.
func TestAnswersThatAreNoCosignature(t *testing.T) {
	b, key, other := newTree(t, 9), newKey(t, "witness.test/w"), newKey(t, "witness.test/w")
	line := func(k *Signer, text string, at time.Time) string {
		sig, err := k.Cosign(text, at)
		if err != nil {
			t.Fatal(err)
		}
		return string(appendLine(nil, sig))
	}
	good := line(key, b.text(9), someTime)
	stranger := line(newKey(t, "someone.test"), b.text(9), someTime)
	for _, tt := range []struct {
		rule   string
		status int
		kind   string
		body   string
		class  Class // "" is a cosignature
		words  []string
	}{
		{"its cosignature", 200, "", good, "", nil},
		{"its cosignature among others'", 200, "", stranger + good + stranger, "", nil},
		{"its cosignature of a minute ahead", 200, "", line(key, b.text(9), someTime.Add(time.Minute)), "", nil},

		{"nothing", 200, "", "", Invalid, []string{"no cosignature of its key"}},
		{"other keys' alone", 200, "", stranger, Invalid, []string{"no cosignature of its key"}},
		{"a key of its name but another id", 200, "", line(other, b.text(9), someTime), Invalid, []string{"no cosignature of its key"}},
		{"of another checkpoint of the log", 200, "", line(key, b.text(8), someTime), Invalid, []string{"does not verify"}},
		{"of the same size of another history", 200, "", line(key, b.fork(3, 6).text(9), someTime), Invalid, []string{"does not verify"}},
		{"a good one and a bad one", 200, "", good + line(key, b.text(8), someTime), Invalid, []string{"does not verify"}},
		{"of an hour ahead", 200, "", line(key, b.text(9), someTime.Add(time.Hour)), Invalid, []string{"1h0m0s ahead"}},
		{"half a line", 200, "", strings.TrimSuffix(good, "\n"), Invalid, []string{"no list of signature lines"}},
		{"with an empty line", 200, "", good + "\n", Invalid, []string{"no list of signature lines"}},
		{"with the log's own note before", 200, "", string(b.checkpoint(9)) + good, Invalid, []string{"no list of signature lines"}},
		{"with a carriage return", 200, "", strings.TrimSuffix(good, "\n") + "\r\n", Invalid, []string{"no list of signature lines"}},
		{"a page", 200, "text/html", "<html>\x1b[2J</html>", Invalid, []string{"no list of signature lines"}},
		{"without end", 200, "", strings.Repeat(stranger, 1000), Invalid, []string{"more than 65536 bytes"}},

		{"204", 204, "", "", Refused, []string{"204"}},
		{"a redirect", 307, "", "elsewhere\n", Refused, []string{"307"}},
		{"400", 400, "", "no\nmore", Refused, []string{`400: "no"`}},
		{"403", 403, "", "\x1b[2Jno\n", Refused, []string{`403: "\x1b[2Jno"`}},
		{"404", 404, "", "who?\n", Refused, []string{"404"}},
		{"422 where there was no proof", 422, "", "no\n", Refused, []string{"422"}},
		{"500", 500, "", strings.Repeat("x", 5000), Refused, []string{`500: "xxx`}},
		{"503", 503, "", "", Refused, []string{"503"}},

		{"409 that is no size", 409, typeSize, "many\n", Invalid, []string{"no size", "many"}},
		{"409 with a sign", 409, typeSize, "+3\n", Invalid, []string{"no size"}},
		{"409 without newline", 409, typeSize, "3", Invalid, []string{"no size"}},
		{"409 past any tree", 409, typeSize, "9223372036854775807\n", Invalid, []string{"no size"}},
		{"409 of something else", 409, "text/html", "3\n", Refused, []string{"409 without the size"}},
		{"409 with the size that was said", 409, typeSize, "0\n", Invalid, []string{"which is where the request starts from"}},
		{"409 with more than there is", 409, typeSize + "; charset=utf-8", "10\n", RolledBack, []string{"which has 9"}},
		{"409 for ever", 409, typeSize, "3\n", Invalid, []string{"which is where the request starts from"}},
	} {
		s := serve(t, http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
			io.Copy(io.Discard, req.Body)
			if tt.status == 307 {
				rw.Header().Set("Location", "http://127.0.0.1:1/")
			}
			if tt.kind != "" {
				rw.Header().Set("Content-Type", tt.kind)
			}
			rw.WriteHeader(tt.status)
			io.WriteString(rw, tt.body)
		}))
		sig, err := client(s, key).Cosign(t.Context(), b, b.checkpoint(9))
		if tt.class != "" {
			wantClass(t, tt.rule, err, tt.class, tt.words...)
			if sig.Name != "" {
				t.Errorf("%s: there is a cosignature all the same", tt.rule)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.rule, err)
			continue
		}
		wantCosigned(t, b, key, 9, appendLine(nil, sig))
	}
}

func TestWitnessThatChangesItsMind(t *testing.T) {
	b, key := newTree(t, 9), newKey(t, "witness.test/w")
	sizes := []string{"3\n", "4\n", "5\n"}
	var asked atomic.Int64
	s := serve(t, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", typeSize)
		rw.WriteHeader(409)
		io.WriteString(rw, sizes[asked.Add(1)-1])
	}))
	_, err := client(s, key).Cosign(t.Context(), b, b.checkpoint(9))
	wantClass(t, "another size each time", err, Refused, "does another process submit")
	if asked.Load() != 2 {
		t.Errorf("it was asked %d times, want 2", asked.Load())
	}
}

// A 409 without a size, where the sizes are the same, can only mean another root.
func TestConflictOfTheSameSizeWithoutOne(t *testing.T) {
	b, key := newTree(t, 9), newKey(t, "witness.test/w")
	s := serve(t, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(409) }))
	c := client(s, key)
	c.cosigned = 9
	_, err := c.Cosign(t.Context(), b, b.checkpoint(9))
	wantClass(t, "409 of the same size", err, Forked, "another tree of 9 entries")
}

func TestWitnessThatDoesNotAnswer(t *testing.T) {
	b, key := newTree(t, 9), newKey(t, "witness.test/w")
	release := make(chan struct{})
	hanging := serve(t, http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		io.Copy(io.Discard, req.Body)
		select {
		case <-release:
		case <-req.Context().Done():
		}
	}))
	defer close(release)
	halfway := serve(t, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Length", "100")
		io.WriteString(rw, "— witness")
	}))
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for rule, s := range map[string]*httptest.Server{"one that hangs": hanging, "one that breaks off": halfway, "one that is gone": gone} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if s != hanging {
			ctx = t.Context()
		}
		_, err := client(s, key).Cosign(ctx, b, b.checkpoint(9))
		cancel()
		wantClass(t, rule, err, Unreachable)
	}
}

type noProofs struct{ *tree }

func (noProofs) Consistency(_, _ uint64) ([]merkle.Hash, error) {
	return nil, errors.New("tile 3 is damaged")
}

func TestLedgerThatCannotProve(t *testing.T) {
	b, key := newTree(t, 9), newKey(t, "witness.test/w")
	s := serve(t, NewHandler(open(t, config(t, vfs.NewMem(), key))))
	c := client(s, key)
	if _, err := c.Cosign(t.Context(), b, b.checkpoint(5)); err != nil {
		t.Fatal(err)
	}
	_, err := c.Cosign(t.Context(), noProofs{b}, b.checkpoint(9))
	wantClass(t, "a ledger with a damaged tile", err, Unreadable, "tile 3 is damaged")
	_, err = c.Cosign(t.Context(), b, []byte("nothing"))
	wantClass(t, "what is no checkpoint", err, Unreadable)
}

func FuzzParseAnswer(f *testing.F) {
	key, err := NewSigner(stockSigner)
	if err != nil {
		f.Fatal(err)
	}
	const text = stockText
	f.Add([]byte(stockCosignature))
	f.Add([]byte("— someone.test jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n" + stockCosignature))
	f.Add([]byte("— a b\n"))
	f.Add([]byte("\n\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		sig, err := parseAnswer(body, text, key.Verifier)
		if err != nil {
			if sig.Name != "" {
				t.Fatalf("%q: %+v and %v", body, sig, err)
			}
			return
		}
		raw, err := decode64(sig.Base64)
		if err != nil || !key.Verify([]byte(text), raw[keyIDLen:]) {
			t.Fatalf("%q gives %+v, which does not verify", body, sig)
		}
		if !strings.Contains(string(body), string(appendLine(nil, sig))) {
			t.Fatalf("%q gives %+v, which is not in it", body, sig)
		}
	})
}
