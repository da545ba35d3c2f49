package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/kaizen-os/deliberation/store"
)

// KeySize is the master key's length in bytes.
const KeySize = 32

// A sealed record:
//
//	1 ‖ ms:8 ‖ owner:16 ‖ nonce:12 ‖ wrapped key:48 ‖ sealed contents
//
// The wrapped key is sealed by the master key under the random nonce: good for
// 2^32 records a master key. The contents are sealed by the record's key, which
// seals nothing else, under the zero nonce. Both are bound to the record's id
// and to the header before the nonce, so no record can pass for another.
const (
	sealedV1   = 1
	headerSize = 1 + 8 + store.OwnerLen
	nonceSize  = 12
	tagSize    = 16
	wrapSize   = KeySize + tagSize
	sealedSize = headerSize + nonceSize + wrapSize + tagSize // and the contents
)

// sealer holds what the master key gives.
type sealer struct {
	wrap  cipher.AEAD
	owner []byte // the key that owners' names are hashed with
	check []byte // tells the master key from another
}

func newSealer(master []byte) (*sealer, error) {
	if len(master) != KeySize {
		return nil, fmt.Errorf("vault master key of %d bytes, want %d", len(master), KeySize)
	}
	// One key, one use: the master key itself is only ever derived from.
	wrap, err := newAEAD(derive(master, "kaizen vault key wrap v1"))
	if err != nil {
		return nil, err
	}
	return &sealer{wrap, derive(master, "kaizen vault owner v1"), derive(master, "kaizen vault check v1")}, nil
}

func derive(master []byte, use string) []byte {
	mac := hmac.New(sha256.New, master)
	mac.Write([]byte(use))
	return mac.Sum(nil)
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// tag is what stands for an owner on the disk.
func (s *sealer) tag(owner string) (tag [store.OwnerLen]byte) {
	mac := hmac.New(sha256.New, s.owner)
	mac.Write([]byte(owner))
	copy(tag[:], mac.Sum(nil))
	return tag
}

// seal encodes and seals c as the record id of the time at.
func (s *sealer) seal(id string, at time.Time, c *Contents) []byte {
	tag := s.tag(c.Owner)
	out := make([]byte, 0, sealedSize+c.size())
	out = append(out, sealedV1)
	out = binary.BigEndian.AppendUint64(out, uint64(at.UnixMilli()))
	out = append(out, tag[:]...)
	bound := bind(id, out)

	var key [KeySize]byte
	rand.Read(key[:])
	out = out[:len(out)+nonceSize]
	nonce := out[headerSize:]
	rand.Read(nonce)
	out = s.wrap.Seal(out, nonce, key[:], bound)

	record, err := newAEAD(key[:])
	if err != nil {
		panic("bug: " + err.Error()) // the key has the right length
	}
	start := len(out)
	out = c.appendTo(out)
	var zero [nonceSize]byte
	sealed := record.Seal(out[start:start], zero[:], out[start:], bound) // in place
	return out[:start+len(sealed)]
}

// bind is the additional data both seals vouch for.
func bind(id string, header []byte) []byte {
	return append(append(make([]byte, 0, len(header)+len(id)), header...), id...)
}

// A header is what a sealed record tells without a key: enough to erase it.
type header struct {
	ms    uint64
	owner [store.OwnerLen]byte
}

func parseHeader(sealed []byte) (header, error) {
	if len(sealed) < sealedSize || sealed[0] != sealedV1 {
		return header{}, fmt.Errorf("%w: not a sealed record", store.ErrCorrupt)
	}
	return header{binary.BigEndian.Uint64(sealed[1:]), [store.OwnerLen]byte(sealed[9:])}, nil
}

// open unseals what seal made of id.
func (s *sealer) open(id string, sealed []byte) (*Contents, header, error) {
	h, err := parseHeader(sealed)
	if err != nil {
		return nil, header{}, err
	}
	bound := bind(id, sealed[:headerSize])
	nonce, rest := sealed[headerSize:headerSize+nonceSize], sealed[headerSize+nonceSize:]
	key, err := s.wrap.Open(nil, nonce, rest[:wrapSize], bound)
	if err != nil {
		return nil, header{}, fmt.Errorf("%w: it was sealed with another master key, or changed", store.ErrCorrupt)
	}
	record, err := newAEAD(key)
	if err != nil {
		return nil, header{}, err
	}
	var zero [nonceSize]byte
	plain, err := record.Open(nil, zero[:], rest[wrapSize:], bound)
	if err != nil {
		return nil, header{}, fmt.Errorf("%w: its text was changed", store.ErrCorrupt)
	}
	c, err := parseContents(plain)
	return c, h, err
}

// loadMaster reads the master key file, 64 hex digits, making it if create is
// set and there is none.
func loadMaster(path string, create bool) ([]byte, error) {
	text, err := store.ReadSecret(path)
	if errors.Is(err, fs.ErrNotExist) && create {
		key := make([]byte, KeySize)
		rand.Read(key)
		return key, store.CreateSecret(path, []byte(hex.EncodeToString(key)+"\n"))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the vault holds records, but its master key %s is gone: put it back; without it they cannot be read (%w)", path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("vault master key: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != KeySize {
		return nil, fmt.Errorf("vault master key %s: want %d hex digits", path, 2*KeySize)
	}
	return key, nil
}
