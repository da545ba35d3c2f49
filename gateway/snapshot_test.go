package gateway

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
)

// bookOf folds records into a fresh book and returns it with the leaves.
func bookOf(t *testing.T, records ...quorum.Record) (*Book, [][]byte) {
	t.Helper()
	b := NewBook()
	var leaves [][]byte
	for i, rec := range records {
		leaf, stamp := rec.AppendLeaf(nil)
		quorum.PutStamp(leaf, stamp, 1_795_420_800_000)
		if err := b.Fold(uint64(i), 1_795_420_800_000, leaf, rec); err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, leaf)
	}
	return b, leaves
}

func someRecords() []quorum.Record {
	other := quorum.DefaultPolicy()
	other.Version = "2"
	return []quorum.Record{
		&quorum.Activation{Actor: quorum.Operator, Policy: quorum.DefaultPolicy()},
		&quorum.Founding{Actor: quorum.Operator, Companion: quorum.Companion{ID: "EVE", Provider: "kaizen", Vendor: "v", Family: "f", Tier: quorum.High, Status: quorum.Active}},
		&quorum.Activation{Actor: quorum.Operator, Policy: reparsed(other)},
	}
}

func reparsed(p *quorum.Policy) *quorum.Policy {
	again, err := quorum.ParsePolicy(p.Canonical())
	if err != nil {
		panic(err)
	}
	return again
}

func TestSnapshotRestores(t *testing.T) {
	b, leaves := bookOf(t, someRecords()...)
	snapshot, err := b.Snapshot(func(i uint64) ([]byte, error) { return leaves[i], nil })
	if err != nil {
		t.Fatal(err)
	}
	again, err := RestoreBook(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	if from := again.FoldFrom(); from != 2 {
		t.Fatalf("folds from %d, want the last entry, 2", from)
	}
	if err := again.Fold(2, 0, leaves[2], nil); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.State().Append(nil), b.State().Append(nil)) {
		t.Error("the state is another one after the restore")
	}
	for _, p := range []*quorum.Policy{quorum.DefaultPolicy(), b.State().Policy} {
		if again.Policy(p.Digest()) == nil {
			t.Errorf("policy %s is forgotten", p.Version)
		}
	}
	next := &quorum.Withdrawal{Actor: quorum.Operator, Companion: "EVE", Reason: "test"}
	leaf, stamp := next.AppendLeaf(nil)
	quorum.PutStamp(leaf, stamp, 1_795_420_800_001)
	if err := again.Fold(3, 1_795_420_800_001, leaf, nil); err != nil {
		t.Errorf("the next record does not fold: %v", err)
	}
}

func TestSnapshotRefuses(t *testing.T) {
	b, leaves := bookOf(t, someRecords()...)
	snapshot, err := b.Snapshot(func(i uint64) ([]byte, error) { return leaves[i], nil })
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(snapshot)
	flipped[len(flipped)/2] ^= 1
	for name, bad := range map[string][]byte{"empty": nil, "flipped": flipped, "cut short": snapshot[:len(snapshot)-3], "another version": bytes.Replace(snapshot, []byte("book-1"), []byte("book-2"), 1)} {
		if _, err := RestoreBook(bad); !errors.Is(err, ErrSnapshot) {
			t.Errorf("%s: %v, want ErrSnapshot", name, err)
		}
	}
	other, err := RestoreBook(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Fold(2, 0, leaves[1], nil); !errors.Is(err, ErrSnapshot) {
		t.Errorf("a snapshot of another ledger: %v, want ErrSnapshot", err)
	}
}

// The sum is right, so that what is behind it is read too.
func FuzzRestoreBook(f *testing.F) {
	f.Add([]byte(`{"last":"00","policies":[],"state":{"at":0,"roster":[],"size":1,"version":1}}`))
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"courses":[{"fitted":[{"bias":-1,"items":60,"kind":"number"}],"from":3,"policy":"00"}],"last":"00","policies":[],"state":{"at":0,"roster":[],"size":1,"version":1}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		sum := sha256.Sum256(body)
		in := append([]byte(snapshotMagic+hex.EncodeToString(sum[:])+"\n"), body...)
		if b, err := RestoreBook(in); err == nil && b.State().Size == 0 {
			t.Error("restored nothing")
		}
	})
}
