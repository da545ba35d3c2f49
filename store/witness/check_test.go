package witness

import (
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
)

func TestCheckFindsEveryWitness(t *testing.T) {
	tree := newTree(t, 7)
	one, two, other := newKey(t, "one.test"), newKey(t, "two.test"), newKey(t, "two.test")
	signed := tree.checkpoint(7)
	at := time.Unix(1_795_420_800, 0)
	for i, k := range []*Signer{one, two} {
		sig, err := k.Cosign(tree.text(7), at.Add(time.Duration(i)*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		signed = appendLine(signed, sig)
	}
	times, err := Check(signed, two.Verifier, one.Verifier)
	if err != nil || len(times) != 2 || !times[0].Equal(at.Add(time.Second)) || !times[1].Equal(at) {
		t.Errorf("Check() = %v, %v", times, err)
	}
	if times, err := Check(signed); err != nil || len(times) != 0 {
		t.Errorf("nobody asked for: %v, %v", times, err)
	}
	if _, err := Check(signed, one.Verifier, other.Verifier); !errors.Is(err, ErrNotCosigned) || !strings.Contains(err.Error(), "two.test") {
		t.Errorf("another key of that name: %v, want ErrNotCosigned", err)
	}
	if _, err := Check(tree.checkpoint(7), one.Verifier); !errors.Is(err, ErrNotCosigned) {
		t.Errorf("no cosignature at all: %v, want ErrNotCosigned", err)
	}
	// A cosignature over something else.
	sig, err := one.Cosign(tree.text(6), at)
	if err != nil {
		t.Fatal(err)
	}
	forged := (*note.InvalidSignatureError)(nil)
	if _, err := Check(appendLine(tree.checkpoint(7), sig), one.Verifier); !errors.As(err, &forged) {
		t.Errorf("a cosignature of another checkpoint: %v", err)
	}
	if _, err := Check([]byte("no note"), one.Verifier); err == nil {
		t.Error("what is no note passes")
	}
}
