package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/mod/sumdb/note"

	"github.com/kaizen-os/deliberation/store/merkle"
)

func TestProofText(t *testing.T) {
	h := merkle.Hash{1, 2, 3}
	const b64 = "AQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	for _, tt := range []struct {
		proof Proof
		want  string
	}{
		{Proof{Index: 0, Checkpoint: []byte("c\n")}, "c2sp.org/tlog-proof@v1\nindex 0\n\nc\n"},
		{Proof{Index: 5, Path: []merkle.Hash{h, h}, Checkpoint: []byte("c\n\nsigned\n")},
			"c2sp.org/tlog-proof@v1\nindex 5\n" + b64 + "\n" + b64 + "\n\nc\n\nsigned\n"},
		{Proof{Index: 10, Extra: []byte("more"), Path: []merkle.Hash{h}, Checkpoint: []byte("c\n")},
			"c2sp.org/tlog-proof@v1\nextra bW9yZQ==\nindex 10\n" + b64 + "\n\nc\n"},
	} {
		got := tt.proof.AppendTo(nil)
		if string(got) != tt.want {
			t.Errorf("AppendTo() = %q, want %q", got, tt.want)
		}
		back, err := ParseProof(got)
		if err != nil || string(back.AppendTo(nil)) != tt.want {
			t.Errorf("ParseProof(%q) = %+v, %v", got, back, err)
		}
	}
}

func TestParseProofNamesTheLine(t *testing.T) {
	const header, hash = "c2sp.org/tlog-proof@v1\n", "AQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	for text, want := range map[string]string{
		"":                                       "line 1: want c2sp.org/tlog-proof@v1",
		"c2sp.org/tlog-proof@v2\nindex 0\n\nc\n": "line 1",
		header:                                   "line 2: want index",
		header + "index\n":                       "line 2",
		header + "index 01\n\nc\n":               "line 2",
		header + "index -1\n\nc\n":               "line 2",
		header + "index 9223372036854775808\n\nc":                           "line 2",
		header + "extra !!\nindex 0\n\nc\n":                                 "line 2: want extra",
		header + "extra \nindex 0\n\nc\n":                                   "line 2: want extra",
		header + "extra bW9yZQ==\nnothing\n\nc\n":                           "line 3: want index",
		header + "index 0\nxyz\n\nc\n":                                      "line 3: want a SHA-256",
		header + "index 0\n" + hash:                                         "line 4: want a hash",
		header + "index 0\n" + hash + "\n":                                  "line 5: want a checkpoint",
		header + "index 0\n" + strings.Repeat(hash, 64) + "\nc\n":           "line 66",
		header + "index 0\n" + strings.Replace(hash, "A=", "B=", 1) + "\nc": "line 3", // stray bits
		strings.Repeat("x", maxProof+1):                                     "bytes",
	} {
		if _, err := ParseProof([]byte(text)); !errors.Is(err, ErrProof) || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseProof(%.60q) = %v, want %q", text, err, want)
		}
	}
}

func TestChangedReceiptDoesNotHold(t *testing.T) {
	l := open(t, config(vfs.NewMem()))
	addMany(t, l, 300)
	text, err := l.Proof(17)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := l.Entry(17)
	if err != nil {
		t.Fatal(err)
	}
	check := func(text, leaf []byte, v note.Verifier) error {
		p, err := ParseProof(text)
		if err != nil {
			return err
		}
		_, err = p.Verify(leaf, v)
		return err
	}
	if err := check(text, leaf, l.Verifier()); err != nil {
		t.Fatal(err)
	}
	for i := range text {
		changed := bytes.Clone(text)
		changed[i] ^= 1
		if check(changed, leaf, l.Verifier()) == nil {
			t.Errorf("the receipt holds with byte %d (%q) changed", i, text[i])
		}
	}
	changed := bytes.Clone(leaf)
	changed[3] ^= 1
	if err := check(text, changed, l.Verifier()); !errors.Is(err, ErrProof) || !strings.Contains(err.Error(), "entry 17") {
		t.Errorf("with another leaf: %v", err)
	}
	// The line that is wrong is named, or those of which one is.
	lines := strings.Split(string(text), "\n")
	path, checkpoint := "(lines 3 to 11)", "(lines 13 to 17)"
	for _, tt := range []struct {
		line     int
		to, want string
	}{
		{2, "index 1790", "entry 1790 (line 2) is beyond the 300 entries"},
		{2, "index 18", path},
		{3, lines[3], path},
		{11, lines[3], path},
		{12, "x", "line 12"},
		{13, "kaizen.test/other", checkpoint},
		{14, "301", checkpoint},
		{15, lines[3], checkpoint},
		{17, lines[16][:len(lines[16])-9] + "AAAAAAAA=", checkpoint},
	} {
		edited := slices.Clone(lines)
		edited[tt.line-1] = tt.to
		if err := check([]byte(strings.Join(edited, "\n")), leaf, l.Verifier()); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("line %d changed from %q to %q: %v, want %q", tt.line, lines[tt.line-1], tt.to, err, tt.want)
		}
	}
	other, err := newKey(origin)
	if err != nil {
		t.Fatal(err)
	}
	k, err := parseKey(other)
	if err != nil {
		t.Fatal(err)
	}
	if err := check(text, leaf, k.verifier); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("with another key: %v", err)
	}
}

func TestCheckpointForms(t *testing.T) {
	k, err := parseKey(testKey())
	if err != nil {
		t.Fatal(err)
	}
	root := "AQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	for text, ok := range map[string]bool{
		origin + "\n0\n" + root + "\n":                    true,
		origin + "\n12\n" + root + "\n":                   true,
		origin + "\n012\n" + root + "\n":                  false,
		origin + "\n-1\n" + root + "\n":                   false,
		origin + "\n12\n" + root[1:] + "\n":               false,
		origin + "\n12\n":                                 false,
		origin + "\n12\n" + root + "\nextension\n":        false,
		"other.test\n12\n" + root + "\n":                  false,
		"\n12\n" + root + "\n":                            false,
		origin + "\n99999999999999999999\n" + root + "\n": false,
	} {
		signed, err := note.Sign(&note.Note{Text: text}, k)
		if err != nil {
			t.Fatal(err)
		}
		c, err := ParseCheckpoint(signed, k.verifier)
		if (err == nil) != ok || err != nil && !errors.Is(err, ErrCheckpoint) {
			t.Errorf("ParseCheckpoint(%q) = %+v, %v", text, c, err)
		}
		if ok && c.text() != text {
			t.Errorf("%+v prints as %q", c, c.text())
		}
	}
}

func FuzzParseProof(f *testing.F) {
	f.Add([]byte("c2sp.org/tlog-proof@v1\nindex 0\n\nc\n"))
	f.Add([]byte("c2sp.org/tlog-proof@v1\nextra bW9yZQ==\nindex 10\nAQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\nc\n"))
	k, err := parseKey(testKey())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParseProof(text)
		if err != nil {
			return
		}
		if got := p.AppendTo(nil); !bytes.Equal(got, text) {
			t.Errorf("%q is read but written as %q", text, got)
		}
		if _, err := p.Verify(nil, k.verifier); err == nil {
			t.Error("an unsigned proof holds")
		}
	})
}

func FuzzParseCheckpoint(f *testing.F) {
	k, err := parseKey(testKey())
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(origin + "\n12\nAQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"))
	f.Add([]byte("a\n0\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := parseCheckpointText(text)
		if err == nil && c.text() != string(text) {
			t.Errorf("%q is read but written as %q", text, c.text())
		}
		if _, err := ParseCheckpoint(text, k.verifier); err == nil {
			t.Error("an unsigned checkpoint is taken")
		}
	})
}

func FuzzParseEntry(f *testing.F) {
	var p pending
	if err := p.encode("dlb_1", fact("x")); err != nil {
		f.Fatal(err)
	}
	f.Add(p.value)
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte(fmt.Sprintf("\x00\x00\x00\x00%013d", 17)))
	f.Fuzz(func(t *testing.T, value []byte) {
		e, err := parseEntry(value)
		if err != nil {
			return
		}
		if e.at < 0 || e.at >= 1e13 || len(e.name)+len(e.prefixed)+entryHead != len(value) {
			t.Errorf("%q is read as %+v", value, e)
		}
		merkle.LeafHash(e.prefixed)
	})
}
