package ledger

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/kaizen-os/deliberation/store"
)

// The files in the data folder, beside the store's own folder.
const (
	KeyFile   = "ledger.key"   // the signing key, mode 0600
	PubFile   = "ledger.pub"   // the verifier key in note form, one line
	GuardFile = "ledger.guard" // the rollback guard
	StoreDir  = "ledger"       // Pebble's
)

// A key is a signer with its verifier.
type key struct {
	note.Signer
	verifier note.Verifier
	vkey     string
}

// newKey makes a key named origin.
func newKey(origin string) (text string, err error) {
	text, _, err = note.GenerateKey(rand.Reader, origin)
	if err != nil {
		return "", fmt.Errorf("make ledger key: %w", err)
	}
	return text + "\n", nil
}

// parseKey reads a signing key in note form; the verifier key follows from it.
func parseKey(text string) (*key, error) {
	text = strings.TrimSpace(text)
	signer, err := note.NewSigner(text)
	if err != nil {
		return nil, errors.New("not an Ed25519 key in note form (PRIVATE+KEY+name+hash+base64)")
	}
	// PRIVATE+KEY+name+hash+base64: a name has no '+', the base64 may.
	raw, err := base64.StdEncoding.DecodeString(strings.SplitN(text, "+", 5)[4])
	if err != nil || len(raw) != 1+ed25519.SeedSize {
		return nil, errors.New("not an Ed25519 key")
	}
	public := ed25519.NewKeyFromSeed(raw[1:]).Public().(ed25519.PublicKey)
	vkey, err := note.NewEd25519VerifierKey(signer.Name(), public)
	if err != nil {
		return nil, err
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, err
	}
	return &key{signer, verifier, vkey}, nil
}

// loadKey reads the key in dir, making it if make is set and there is none. The
// key's name is the origin; origin "" takes the key's.
func loadKey(dir, origin string, create bool) (*key, error) {
	path := filepath.Join(dir, KeyFile)
	k, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) && create {
		fresh, err := newKey(origin)
		if err != nil {
			return nil, err
		}
		if err := store.CreateSecret(path, []byte(fresh)); err != nil {
			return nil, err
		}
		if k, err = parseKey(fresh); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	if origin != "" && k.Name() != origin {
		return nil, fmt.Errorf("ledger key %s is %q's, the ledger is %q: use the key's name as origin, or the origin's key", path, k.Name(), origin)
	}
	return k, k.publish(dir)
}

// readKey reads a signing key's file.
func readKey(path string) (*key, error) {
	text, err := store.ReadSecret(path)
	if err != nil {
		return nil, fmt.Errorf("ledger key: %w", err)
	}
	k, err := parseKey(string(text))
	if err != nil {
		return nil, fmt.Errorf("ledger key %s: %w", path, err)
	}
	return k, nil
}

// publish writes ledger.pub, unless it is there.
func (k *key) publish(dir string) error {
	path, want := filepath.Join(dir, PubFile), k.vkey+"\n"
	have, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return store.CreatePublic(path, []byte(want))
	case err != nil:
		return err
	case string(have) != want:
		return fmt.Errorf("%s is not the public half of %s: remove it to have it written anew, after finding out who changed it", path, KeyFile)
	}
	return nil
}
