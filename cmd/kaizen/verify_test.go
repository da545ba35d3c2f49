package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/store"
	"github.com/kaizen-os/deliberation/store/ledger"
)

// history is the data folder of a gateway that has served and ended, with what
// it gave out.
type history struct {
	data    string
	receipt []byte // of the first verdict
	index   uint64 // where its proof is
	key     string // the log's, in note form
}

func newHistory(t *testing.T) *history {
	t.Helper()
	s := startServer(t, t.TempDir(), anyPort)
	first := s.mustAsk("", `{"prompt":"What is 17 * 23?","kind":"number"}`)
	s.mustAsk("", `{"prompt":"Is 1009 a prime number?","kind":"vote"}`)
	s.mustAsk("", `{"prompt":"Why is the sky blue?","kind":"text","wait":"all"}`)
	h := &history{data: s.data(), receipt: s.get(first.Proof.Receipt+"?open=prompt,answer", "", http.StatusOK), index: first.Proof.Index,
		key: strings.TrimSpace(string(s.get("/ledger/key", "", http.StatusOK)))}

	if out, errOut, code := runProgram(t, "", nil, "verify", h.data); code != exitFailed || out != "" || !strings.Contains(errOut, "in use by a running gateway: stop it first") {
		t.Errorf("kaizen verify while the gateway runs: exit code %d, %s%s", code, errOut, out)
	}
	s.stop()
	return h
}

// change copies the folder and changes its store through Pebble, beneath all
// that the gateway would allow.
func (h *history) change(t *testing.T, do func(b *pebble.Batch, get func(key []byte) []byte)) (data string) {
	t.Helper()
	data = filepath.Join(t.TempDir(), "data")
	copyFolder(t, h.data, data)
	db, err := store.Open(filepath.Join(data, ledger.StoreDir), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	get := func(key []byte) []byte {
		value, closer, err := db.Get(key)
		if err != nil {
			t.Fatalf("%q: %v", key, err)
		}
		defer closer.Close()
		return bytes.Clone(value)
	}
	b := db.NewBatch()
	do(b, get)
	if err := db.Commit(b); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return data
}

// leaves are the ledger's entries as they were hashed.
func (h *history) leaves(t *testing.T) (leaves [][]byte) {
	t.Helper()
	verifier, err := ledger.ReadVerifier(h.data, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = ledger.Verify(h.data, nil, verifier, func(_ uint64, _ int64, leaf []byte) error {
		leaves = append(leaves, bytes.Clone(leaf))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return leaves
}

// Nothing in the store can be changed without kaizen verify saying so.
func TestVerifyFindsWhatWasChanged(t *testing.T) {
	h := newHistory(t)
	out, errOut, code := runProgram(t, "", nil, "verify", h.data)
	if code != 0 || errOut != "" || !strings.Contains(out, "3 verdicts decided again") || !strings.Contains(out, "self-attested") || !strings.HasSuffix(out, "OK\n") {
		t.Fatalf("kaizen verify of what nobody changed: exit code %d, %s%s", code, errOut, out)
	}
	entry := store.AppendEntryKey(nil, h.index)
	for _, tt := range []struct {
		name string
		do   func(b *pebble.Batch, get func([]byte) []byte)
		want string
	}{
		{"a figure that no rule looks at", func(b *pebble.Batch, get func([]byte) []byte) {
			value := get(entry)
			_, rest, found := bytes.Cut(value, []byte(`"totalMicros":`))
			if !found {
				t.Fatalf("the entry is %s", value)
			}
			rest[0] = '1' + (rest[0]-'0')%9 // another digit; rest is in value
			b.Set(entry, value, nil)
		}, "not those that ledger.guard holds a signature over"},
		{"a status that there is not", func(b *pebble.Batch, get func([]byte) []byte) {
			b.Set(entry, bytes.Replace(get(entry), []byte(`"status":"carried"`), []byte(`"status":"married"`), 1), nil)
		}, "not a ledger record"},
		{"an entry is gone", func(b *pebble.Batch, _ func([]byte) []byte) { b.Delete(entry, nil) }, "is missing"},
		{"an entry more than was signed", func(b *pebble.Batch, get func([]byte) []byte) {
			b.Set(store.AppendEntryKey(nil, uint64(len(h.leaves(t)))), get(entry), nil)
		}, "beyond the signed size"},
		{"two entries have changed places", func(b *pebble.Batch, get func([]byte) []byte) {
			next := store.AppendEntryKey(nil, h.index+1)
			one, other := get(entry), get(next)
			b.Set(entry, other, nil)
			b.Set(next, one, nil)
		}, "damaged"},
		{"a name leads elsewhere", func(b *pebble.Batch, get func([]byte) []byte) {
			name := nameOf(t, h.leaves(t)[h.index])
			get(store.AppendNameKey(nil, name)) // it is there
			b.Set(store.AppendNameKey(nil, name), store.AppendIndex(nil, h.index+1), nil)
		}, "leads to entry"},
		{"a name nobody gave", func(b *pebble.Batch, _ func([]byte) []byte) {
			b.Set(store.AppendNameKey(nil, "dlb_another"), store.AppendIndex(nil, 0), nil)
		}, "names are stored"},
		{"the checkpoint's signature", func(b *pebble.Batch, get func([]byte) []byte) {
			c := store.AppendCheckpointKey(nil)
			signed := get(c)
			signed[len(signed)-8] ^= 1
			b.Set(c, signed, nil)
		}, "not a checkpoint of this ledger"},
		{"the checkpoint is gone", func(b *pebble.Batch, _ func([]byte) []byte) {
			b.Delete(store.AppendCheckpointKey(nil), nil)
		}, "there is no checkpoint"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantRefusal(t, h.change(t, tt.do), tt.want)
		})
	}
	t.Run("a byte of the log", func(t *testing.T) {
		data := filepath.Join(t.TempDir(), "data")
		copyFolder(t, h.data, data)
		log := oneFile(t, data, ledger.StoreDir, "*.log")
		flipByte(t, log, 0.5)
		wantRefusal(t, data, filepath.Base(log)+", offset ")
	})
	t.Run("the last entries are lost", func(t *testing.T) {
		// A log that was cut off could be one that a crash has torn.
		data := filepath.Join(t.TempDir(), "data")
		copyFolder(t, h.data, data)
		log := oneFile(t, data, ledger.StoreDir, "*.log")
		info, err := os.Stat(log)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(log, info.Size()/2); err != nil {
			t.Fatal(err)
		}
		wantRefusal(t, data, "the last ones were lost")
	})
	t.Run("another history than was signed", func(t *testing.T) {
		data := h.change(t, func(*pebble.Batch, func([]byte) []byte) {})
		forged := h.forge(t, func(p *quorum.Proof) { p.TotalMicros++ })
		text, err := os.ReadFile(filepath.Join(forged, ledger.GuardFile))
		if err != nil {
			t.Fatal(err)
		}
		putFile(t, filepath.Join(data, ledger.GuardFile), string(text))
		wantRefusal(t, data, "are not those that ledger.guard")
	})
	t.Run("a byte of a file", func(t *testing.T) {
		data := h.change(t, func(*pebble.Batch, func([]byte) []byte) {})
		flush(t, data)
		flipByte(t, oneFile(t, data, ledger.StoreDir, "*.sst"), 0.3)
		wantRefusal(t, data, "damaged")
	})
}

func wantRefusal(t *testing.T, data, want string, more ...string) {
	t.Helper()
	out, errOut, code := runProgram(t, "", nil, append([]string{"verify", data}, more...)...)
	lines := complaints(errOut)
	if code != exitFailed || len(lines) != 1 || !strings.Contains(lines[0], want) || strings.Contains(out, "OK") {
		t.Errorf("kaizen verify: exit code %d, stdout %q, stderr:\n%s\nwant %d and one line with %q", code, out, errOut, exitFailed, want)
	}
}

func nameOf(t *testing.T, leaf []byte) string {
	t.Helper()
	rec, _, err := quorum.ParseRecord(leaf)
	if err != nil {
		t.Fatal(err)
	}
	p, ok := rec.(*quorum.Proof)
	if !ok {
		t.Fatalf("entry is a %s", rec.Type())
	}
	return p.ID
}

// forge signs the same records into another ledger, with the same key; the first
// verdict's as change makes it.
func (h *history) forge(t *testing.T, change func(p *quorum.Proof)) (data string) {
	t.Helper()
	data = t.TempDir()
	for _, name := range []string{ledger.KeyFile, ledger.PubFile} {
		text, err := os.ReadFile(filepath.Join(h.data, name))
		if err != nil {
			t.Fatal(err)
		}
		putFile(t, filepath.Join(data, name), string(text))
	}
	l, err := ledger.Open(ledger.Config{Dir: data, Origin: ledgerOrigin})
	if err != nil {
		t.Fatal(err)
	}
	for i, leaf := range h.leaves(t) {
		rec, _, err := quorum.ParseRecord(leaf)
		if err != nil {
			t.Fatal(err)
		}
		name := ""
		if p, ok := rec.(*quorum.Proof); ok {
			name = p.ID
			if uint64(i) == h.index {
				change(p)
			}
		}
		if _, err := l.Append(t.Context(), name, rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return data
}

// Who holds the signing key can sign a verdict that the ballots did not give: the
// hashes are then right, and deciding again finds it.
func TestVerifyDecidesAgain(t *testing.T) {
	h := newHistory(t)
	faithful := h.forge(t, func(*quorum.Proof) {})
	if out, errOut, code := runProgram(t, "", nil, "verify", faithful, "--key", h.key); code != 0 || !strings.HasSuffix(out, "OK\n") {
		t.Fatalf("kaizen verify of the same records, signed again: exit code %d, %s%s", code, errOut, out)
	}
	for _, tt := range []struct {
		name   string
		change func(p *quorum.Proof)
	}{
		{"another status", func(p *quorum.Proof) { p.Verdict.Status = quorum.Contested }},
		{"another winner", func(p *quorum.Proof) { p.Verdict.Winner = (p.Verdict.Winner + 1) % len(p.Ballots) }},
		{"more agreement than there was", func(p *quorum.Proof) { p.Verdict.Agreement += 1000 }},
		{"a ballot that weighs more", func(p *quorum.Proof) { p.Ballots[0].Weight += 1000 }},
		{"a companion that was never seated", func(p *quorum.Proof) { p.Ballots[0].Companion = "NOBODY" }},
		{"rules that were not in force", func(p *quorum.Proof) { p.Policy[0] ^= 1 }},
		{"a panel of a later ledger", func(p *quorum.Proof) { p.AsOf = h.index + 100 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantRefusal(t, h.forge(t, tt.change), fmt.Sprintf("entry %d", h.index), "--key", h.key)
		})
	}
}

// The key says whose ledger it is; a wrong one, or none where it matters, is told.
func TestVerifyKeys(t *testing.T) {
	h := newHistory(t)
	pub := filepath.Join(h.data, ledger.PubFile)
	for _, key := range []string{h.key, pub} {
		if out, errOut, code := runProgram(t, "", nil, "verify", h.data, "--key", key); code != 0 || !strings.Contains(out, "by the key you gave") {
			t.Errorf("--key %.20s: exit code %d, %s%s", key, code, errOut, out)
		}
	}
	other := newHistory(t)
	wantRefusal(t, h.data, "not a checkpoint of this ledger", "--key", other.key)
	wantRefusal(t, t.TempDir(), "holds no ledger")
	if _, errOut, code := runProgram(t, "", nil, "verify", filepath.Join(h.data, "none")); code != exitFailed || strings.Count(errOut, "\n") != 1 {
		t.Errorf("a path that is not there: exit code %d, %q", code, errOut)
	}
	if _, errOut, code := runProgram(t, "", nil, "verify", h.data, "--key", "log+0+AA=="); code != exitUsage || strings.Count(errOut, "\n") != 1 {
		t.Errorf("no key at all: exit code %d, %q", code, errOut)
	}
}

// A receipt is checked offline, against an entry and a key.
func TestVerifyReceipt(t *testing.T) {
	h := newHistory(t)
	dir := t.TempDir()
	file := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		putFile(t, path, string(text))
		return path
	}
	leaves := h.leaves(t)
	proof, err := ledger.ParseProof(h.receipt)
	if err != nil {
		t.Fatal(err)
	}
	withExtra := func(extra []byte) []byte {
		changed := proof
		changed.Extra = extra
		return changed.AppendTo(nil)
	}
	with := func(d quorum.Disclosure) []byte { return withExtra(d.AppendTo(nil)) }
	own, err := quorum.ParseDisclosure(proof.Extra)
	if err != nil || len(own.Opened) != 2 {
		t.Fatalf("the receipt discloses %+v, %v", own, err)
	}
	lied := *own
	lied.Opened = slices.Clone(own.Opened)
	lied.Opened[1].Text = "OK"
	h.receipt = withExtra(nil)
	receipt := file("receipt.txt", h.receipt)
	opened, sealed := file("opened.txt", with(*own)), file("sealed.txt", with(quorum.Disclosure{Entry: own.Entry}))
	entry, another := file("entry", leaves[h.index]), file("another", leaves[0])
	spoilt := bytes.Clone(h.receipt)
	at := bytes.IndexByte(spoilt, '\n') + len("\nindex ") + 4
	at += bytes.IndexByte(spoilt[at:], '\n') + 3 // in a hash of the path
	if spoilt[at] == 'A' {
		spoilt[at] = 'B'
	} else {
		spoilt[at] = 'A'
	}
	other := newHistory(t)
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"with its entry", []string{receipt, "--key", h.key, "--entry", entry}, 0, "OK\n"},
		{"without the entry", []string{receipt, "--key", h.key}, 0, "give --leaf HASH or --entry FILE"},
		{"its entry in it", []string{sealed, "--key", h.key}, 0, "no text is opened in it\nentry " + fmt.Sprint(h.index)},
		{"prompt and answer in it", []string{opened, "--key", h.key}, 0, "prompt, as the entry commits to it:\n  > What is 17 * 23?\nanswer, as the entry commits to it:\n  > "},
		{"its entry in it and given", []string{opened, "--key", h.key, "--entry", entry}, 0, "OK\n"},
		{"its entry in it, and its leaf hash", []string{opened, "--key", h.key, "--leaf", leafHash(leaves[h.index])}, 0, "OK\n"},
		{"its entry in it, and another given", []string{opened, "--key", h.key, "--entry", another}, exitFailed, "the entry in it (line 2) is not the one in"},
		{"its entry in it, and another leaf hash", []string{opened, "--key", h.key, "--leaf", leafHash(leaves[0])}, exitFailed, "(line 2) does not have the hash"},
		{"another entry in it", []string{file("other.txt", with(quorum.Disclosure{Entry: leaves[0]})), "--key", h.key}, exitFailed, "the path (lines 4 to"},
		{"an answer that was not given", []string{file("lied.txt", with(lied)), "--key", h.key}, exitFailed, "commits to another answer"},
		{"something else in it", []string{file("junk.txt", withExtra([]byte("junk"))), "--key", h.key}, exitFailed, "extra (line 2)"},
		{"with the answer's leaf hash", []string{receipt, "--key", h.key, "--leaf", leafHash(leaves[h.index])}, 0, "OK\n"},
		{"another leaf hash", []string{receipt, "--key", h.key, "--leaf", leafHash(leaves[0])}, exitFailed, "receipt.txt"},
		{"half a leaf hash", []string{receipt, "--key", h.key, "--leaf", "AAAA"}, exitUsage, "--leaf"},
		{"without a key", []string{receipt, "--entry", entry}, exitUsage, "give --key"},
		{"another entry", []string{receipt, "--key", h.key, "--entry", another}, exitFailed, "receipt.txt"},
		{"another log's key", []string{receipt, "--key", other.key, "--entry", entry}, exitFailed, "receipt.txt"},
		{"a receipt that was changed", []string{file("spoilt.txt", spoilt), "--key", h.key, "--entry", entry}, exitFailed, "spoilt.txt"},
		{"no receipt", []string{entry, "--key", h.key}, exitFailed, "entry"},
		{"an entry that is not there", []string{receipt, "--key", h.key, "--entry", filepath.Join(dir, "none")}, exitFailed, "none"},
	} {
		out, errOut, code := runProgram(t, "", nil, append([]string{"verify"}, tt.args...)...)
		said := out
		if tt.code != 0 {
			said = errOut
			if out != "" || strings.Count(errOut, "\n") != 1 {
				t.Errorf("%s: stdout %q, stderr %q, want one line", tt.name, out, errOut)
			}
		}
		if code != tt.code || !strings.Contains(said, tt.want) {
			t.Errorf("%s: exit code %d, %q, want %d and %q", tt.name, code, said, tt.code, tt.want)
		}
	}
}

// leafHash is a leaf's hash as the gateway answers it.
func leafHash(leaf []byte) string {
	hash := quorum.LeafHash(leaf)
	return base64.StdEncoding.EncodeToString(hash[:])
}
