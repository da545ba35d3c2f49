package mcp

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/store/ledger"
)

// Checked is what a receipt that holds proves.
type Checked struct {
	Verified     bool   `json:"verified"`
	Origin       string `json:"origin"`       // the ledger's name
	Index        uint64 `json:"index"`        // of the entry
	Size         uint64 `json:"size"`         // of the ledger when the checkpoint was signed
	SelfAttested bool   `json:"selfAttested"` // nobody but the gateway vouches for the key

	// Of an entry that the receipt carries.
	Record    string `json:"record,omitempty"` // its type
	At        string `json:"at,omitempty"`
	ID        string `json:"id,omitempty"`
	Tier      string `json:"tier,omitempty"`
	Status    string `json:"status,omitempty"`
	Agreement string `json:"agreement,omitempty"`
}

// Check verifies a receipt that carries its entry against the ledger's public key.
func Check(text []byte, key string) (*Checked, error) {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return nil, errors.New("the key is not a ledger's public key: it looks like name+hash+base64")
	}
	proof, err := ledger.ParseProof(text)
	if err != nil {
		return nil, fmt.Errorf("the receipt: %w", err)
	}
	if len(proof.Extra) == 0 {
		return nil, errors.New("the receipt carries no entry, so it shows nothing by itself; check it with kaizen verify --entry")
	}
	carried, err := quorum.ParseDisclosure(proof.Extra)
	if err != nil {
		return nil, fmt.Errorf("the receipt: %w", err)
	}
	head, err := proof.Verify(carried.Entry, verifier)
	if err != nil {
		return nil, fmt.Errorf("the receipt: %w", err)
	}
	rec, at, err := carried.Check()
	if err != nil {
		return nil, fmt.Errorf("the receipt: %w", err)
	}
	c := &Checked{Verified: true, Origin: verifier.Name(), Index: proof.Index, Size: head.Size, Record: string(rec.Type()), At: time.UnixMilli(at).UTC().Format(time.RFC3339)}
	if p, ok := rec.(*quorum.Proof); ok {
		c.ID, c.Tier, c.Status, c.Agreement = p.ID, p.Tier.String(), p.Verdict.Status.String(), p.Verdict.Agreement.String()
	}
	return c, nil
}
