package witness

import (
	"crypto"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Made with github.com/transparency-dev/formats v0.1.1, from the seed 00 01 … 1f:
// both kinds of key, and the cosignature that it made of the text.
const (
	stockSigner      = "PRIVATE+KEY+witness.test/stock+ab765076+BAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
	stockVerifier    = "witness.test/stock+ab765076+BAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
	plainSigner      = "PRIVATE+KEY+witness.test/stock+a8242aa5+AQABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
	plainVerifier    = "witness.test/stock+a8242aa5+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
	stockText        = "kaizen.test/ledger\n3\nAQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	stockCosignature = "— witness.test/stock q3ZQdgAAAABrBmOLzQarCuQNQVz4eIpJOIUlv9XXOs8oZQMSe9D2OWq8iVWDNYwPKSqxyKAfE3Ep0YmBqxpnFVOA+spsWqkAbbKmDw==\n"
)

// When it made it.
const stockSeconds = 0x6b06638b

func TestCosignatureIsTheStockToolsByteForByte(t *testing.T) {
	for _, text := range []string{stockSigner, plainSigner} {
		s, err := NewSigner(text)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := s.Cosign(stockText, time.Unix(stockSeconds, 0))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(appendLine(nil, sig)); got != stockCosignature {
			t.Errorf("with %.40s…: %s, want %s", text, got, stockCosignature)
		}
		if s.String() != stockVerifier {
			t.Errorf("its public key is %s, want %s", s, stockVerifier)
		}
	}
	for _, text := range []string{stockVerifier, plainVerifier} {
		v, err := NewVerifier(text)
		if err != nil {
			t.Fatal(err)
		}
		n, err := note.Open([]byte(stockText+"\n"+stockCosignature), note.VerifierList(v))
		if err != nil {
			t.Fatalf("with %s: %v", text, err)
		}
		if at := signedAt(n.Sigs[0]); at.Unix() != stockSeconds {
			t.Errorf("it is of %s", at)
		}
		if v.String() != stockVerifier {
			t.Errorf("%s is written as %s", text, v)
		}
	}
}

func TestGeneratedKeyIsReadBack(t *testing.T) {
	text, err := GenerateKey("witness.test/w+1")
	if err == nil {
		t.Fatalf("a name with + gives %s", text)
	}
	for _, name := range []string{"w", "witness.test/ü", strings.Repeat("n", 255)} {
		s := newKey(t, name)
		v, err := NewVerifier(s.String())
		if err != nil {
			t.Fatal(err)
		}
		sig, err := s.Cosign(stockText, someTime)
		if err != nil {
			t.Fatal(err)
		}
		n, err := note.Open(appendLine([]byte(stockText+"\n"), sig), note.VerifierList(v))
		if err != nil || n.Sigs[0].Name != name || !signedAt(n.Sigs[0]).Equal(someTime.Truncate(time.Second)) {
			t.Errorf("%s: %+v, %v", name, n, err)
		}
	}
}

func TestKeysRefused(t *testing.T) {
	key64 := stockVerifier[strings.LastIndex(stockVerifier, "+")+1:]
	for name, text := range map[string]string{
		"nothing":                  "",
		"a name alone":             "witness.test/stock",
		"no key":                   "witness.test/stock+ab765076",
		"an empty name":            "+ab765076+" + key64,
		"white space in the name":  "witness test+ab765076+" + key64,
		"a line more":              stockVerifier + "\n",
		"another id":               strings.Replace(stockVerifier, "ab765076", "ab765077", 1),
		"the id of the other kind": strings.Replace(stockVerifier, "ab765076", "a8242aa5", 1),
		"an id of seven digits":    strings.Replace(stockVerifier, "ab765076", "b765076", 1),
		"an id that is no number":  strings.Replace(stockVerifier, "ab765076", "+b765076", 1),
		"another name":             strings.Replace(stockVerifier, "stock", "shock", 1),
		"a key too short":          "witness.test/stock+ab765076+BAOhB7/z",
		"stray bits in the base64": stockVerifier[:len(stockVerifier)-1] + "5",
		"no base64":                strings.Replace(stockVerifier, "BAOh", "B*Oh", 1),
		"an unknown kind":          "witness.test/stock+ab765076+Bg" + key64[2:],
		"the private key":          stockSigner,
		"another name and id":      "kaizen.test/ledger+00000000+" + key64,
	} {
		if v, err := NewVerifier(text); !errors.Is(err, ErrKey) {
			t.Errorf("%s: NewVerifier(%q) = %v, %v, want ErrKey", name, text, v, err)
		}
		private := "PRIVATE+KEY+" + text
		if _, err := NewSigner(private); !errors.Is(err, ErrKey) || strings.Contains(err.Error(), "BAOh") {
			t.Errorf("%s: NewSigner(%q) = %v, want ErrKey without the key", name, private, err)
		}
	}
	if _, err := NewSigner(stockVerifier); !errors.Is(err, ErrKey) {
		t.Errorf("a public key as the private one: %v", err)
	}
}

func TestChangedCosignatureDoesNotVerify(t *testing.T) {
	v, err := NewVerifier(stockVerifier)
	if err != nil {
		t.Fatal(err)
	}
	b64 := strings.Fields(stockCosignature)[2]
	raw, err := base64.StdEncoding.DecodeString(b64)
	if err != nil {
		t.Fatal(err)
	}
	sig := raw[keyIDLen:]
	if !v.Verify([]byte(stockText), sig) {
		t.Fatal("unchanged it does not verify")
	}
	for i := range sig {
		sig[i] ^= 1
		if v.Verify([]byte(stockText), sig) {
			t.Errorf("it verifies with byte %d changed", i)
		}
		sig[i] ^= 1
	}
	for i := range stockText {
		text := []byte(stockText)
		text[i] ^= 1
		if v.Verify(text, sig) {
			t.Errorf("it verifies for a text with byte %d changed", i)
		}
	}
	if v.Verify([]byte(stockText), sig[:len(sig)-1]) || v.Verify([]byte(stockText), append(sig, 0)) || v.Verify([]byte(stockText), nil) {
		t.Error("it verifies with another length")
	}

	// A time past 63 bits, properly signed, is none.
	s, err := NewSigner(stockSigner)
	if err != nil {
		t.Fatal(err)
	}
	const late = 1 << 63
	forged := binary.BigEndian.AppendUint64(nil, late)
	m := message(late, []byte(stockText))
	signature, err := s.key.Sign(nil, m, crypto.Hash(0))
	if err != nil {
		t.Fatal(err)
	}
	if v.Verify([]byte(stockText), append(forged, signature...)) {
		t.Error("a time of 2^63 verifies")
	}
	if _, err := s.Cosign(stockText, time.Unix(-1, 0)); err == nil {
		t.Error("a clock before 1970 signs")
	}
}
