package witness

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/store/merkle"
)

const (
	aHash = "AQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	aRoot = origin + "\n3\n" + aHash + "\n"
)

func TestRequestText(t *testing.T) {
	h := merkle.Hash{1, 2, 3}
	for _, tt := range []struct {
		request Request
		want    string
	}{
		{Request{Checkpoint: []byte("c\n")}, "old 0\n\nc\n"},
		{Request{Old: 20852014, Proof: []merkle.Hash{h, h}, Checkpoint: []byte("c\n\n— k s\n")},
			"old 20852014\n" + aHash + "\n" + aHash + "\n\nc\n\n— k s\n"},
		{Request{Old: 1, Proof: make([]merkle.Hash, 63), Checkpoint: []byte("\n")},
			"old 1\n" + strings.Repeat(strings.Repeat("A", 43)+"=\n", 63) + "\n\n"},
	} {
		got := tt.request.AppendTo(nil)
		if string(got) != tt.want {
			t.Errorf("AppendTo() = %q, want %q", got, tt.want)
		}
		back, err := ParseRequest(got)
		if err != nil || string(back.AppendTo(nil)) != tt.want {
			t.Errorf("ParseRequest(%q) = %+v, %v", got, back, err)
		}
	}
}

func TestParseRequestNamesTheLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "line 1: want old and a size",
		"old 1":                       "line 1",
		"old\n\nc\n":                  "line 1",
		"old  1\n\nc\n":               "line 1",
		"old 01\n\nc\n":               "line 1",
		"old +1\n\nc\n":               "line 1",
		"old -1\n\nc\n":               "line 1",
		"old 1 \n\nc\n":               "line 1",
		"old 0x1\n\nc\n":              "line 1",
		"old 1\r\n\r\nc\n":            "line 1",
		"old 4611686018427387904\n\n": "line 1", // past what a proof can be checked for
		"Old 1\n\nc\n":                "line 1",
		"size 1\n\nc\n":               "line 1",
		"old 1\n":                     "line 2: want a hash in base64, or an empty line",
		"old 1\nxyz\n\nc\n":           "line 2: want a SHA-256",
		"old 1\n" + aHash:             "line 2",
		"old 1\n" + aHash + "\n":      "line 3",
		"old 1\n" + aHash + "\r\n\nc": "line 2",
		"old 1\n" + strings.Replace(aHash, "A=", "B=", 1) + "\n\nc\n": "line 2", // stray bits
		"old 1\n" + strings.TrimSuffix(aHash, "=") + "\n\nc\n":        "line 2",
		"old 1\n" + strings.Repeat(aHash+"\n", 64) + "\nc\n":          "line 65: want a SHA-256 hash in base64, at most 63",
		"old 1\n\n":                         "line 3: want a checkpoint",
		"old 1\n" + aHash + "\n\n":          "line 4: want a checkpoint",
		strings.Repeat("x", MaxRequest+1):   "bytes, at most",
		"\nold 1\n\nc\n":                    "line 1",
		"old 1\n\n\xff\n" + aRoot + "\x00x": "", // the checkpoint is not looked at
	} {
		r, err := ParseRequest([]byte(text))
		if want == "" {
			if err != nil {
				t.Errorf("ParseRequest(%.60q) = %v", text, err)
			}
			continue
		}
		if !errors.Is(err, ErrRequest) || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseRequest(%.60q) = %+v, %v, want %q", text, r, err, want)
		}
	}
}

func TestReadCheckpointForms(t *testing.T) {
	signer := newTree(t, 0).signer
	for text, ok := range map[string]bool{
		aRoot:                                     true,
		aRoot + "extension\n":                     true, // another log may have them
		aRoot + "one\ntwo\n":                      true,
		"x\n0\n" + aHash + "\n":                   true,
		aRoot + "\n":                              false,
		aRoot + "\nx\n":                           false,
		aRoot + "one\n\ntwo\n":                    false,
		"\n3\n" + aHash + "\n":                    false,
		"x\n03\n" + aHash + "\n":                  false,
		"x\n\n" + aHash + "\n":                    false,
		"x\n3\n":                                  false,
		"x\n3\n" + aHash[:40] + "\n":              false,
		"x\n3\n" + aHash[:42] + "B=\n":            false,
		"x\n9223372036854775807\n" + aHash:        false,
		"x\n4611686018427387903\n" + aHash + "\n": true,
	} {
		if !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		c, err := readCheckpoint(sign(t, text, signer))
		if ok && (err != nil || c.text != text) || !ok && !errors.Is(err, ErrRequest) {
			t.Errorf("readCheckpoint(%q) = %+v, %v", text, c, err)
		}
	}
	for name, signed := range map[string]string{
		"without signature":      aRoot,
		"without signature line": aRoot + "\n",
		"with half a line":       aRoot + "\n— x ",
		"with a control byte":    "a\x01" + string(sign(t, aRoot, signer)),
	} {
		if c, err := readCheckpoint([]byte(signed)); !errors.Is(err, ErrRequest) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	b := newTree(f, 300)
	f.Add(b.request(0, 300).AppendTo(nil))
	f.Add(b.request(17, 300).AppendTo(nil))
	f.Add([]byte("old 1\n" + aHash + "\n\n" + aRoot + "\n— a b\n"))
	f.Add([]byte("old 01\n\nx"))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := ParseRequest(body)
		if err != nil {
			if !errors.Is(err, ErrRequest) {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		if len(r.Proof) > maxProof || !bytes.Equal(r.AppendTo(nil), body) {
			t.Fatalf("%q is read as %+v: not the one form", body, r)
		}
		if c, err := readCheckpoint(r.Checkpoint); err == nil && (!bytes.HasPrefix(r.Checkpoint, []byte(c.text)) || c.origin == "") {
			t.Fatalf("%q is read as %+v", r.Checkpoint, c)
		}
	})
}
