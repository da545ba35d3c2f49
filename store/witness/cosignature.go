package witness

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

// The first byte of a key in note form is its kind. A plain Ed25519 key serves
// too, as it does with other witnesses' tools, but is another key: its id differs.
const (
	algEd25519     = 0x01
	algCosignature = 0x04
)

const (
	keyIDLen     = 4
	timeLen      = 8
	signatureLen = timeLen + ed25519.SignatureSize
)

// ErrKey is a text that is no witness's key.
var ErrKey = errors.New("not a witness's key in note form")

// A Signer makes cosignatures (cosignature/v1: Ed25519, with the time).
type Signer struct {
	key ed25519.PrivateKey
	Verifier
}

// GenerateKey makes the private key of a witness called name, in note form:
// PRIVATE+KEY+name+id+base64. name is best a URL without its scheme.
func GenerateKey(name string) (string, error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", fmt.Errorf("make witness key: %w", err)
	}
	return "PRIVATE+KEY+" + formatKey(name, keyID(name, algCosignature, public), algCosignature, private.Seed()), nil
}

// CheckName says what a key cannot be called by.
func CheckName(name string) error {
	bad := func(r rune) bool { return r < 0x20 || r == 0x7f || r == '+' || unicode.IsSpace(r) }
	switch {
	case name == "":
		return errors.New("a name is empty")
	case len(name) > 255:
		return fmt.Errorf("a name of %d bytes, at most 255", len(name))
	case !utf8.ValidString(name) || strings.ContainsFunc(name, bad):
		return fmt.Errorf("the name %q: want one without white space, control characters and +, such as witness.example.com/w1", name)
	}
	return nil
}

// NewSigner reads a private key in note form. The error is ErrKey, and holds
// nothing of the key.
func NewSigner(text string) (*Signer, error) {
	rest, ok := strings.CutPrefix(text, "PRIVATE+KEY+")
	if !ok {
		return nil, fmt.Errorf("%w: want PRIVATE+KEY+name+id+base64", ErrKey)
	}
	name, id, alg, seed, err := parseKey(rest)
	if err != nil {
		return nil, err
	}
	private := ed25519.NewKeyFromSeed(seed)
	public := private.Public().(ed25519.PublicKey)
	if id != keyID(name, alg, public) {
		return nil, fmt.Errorf("%w: its id is not that of its name and key", ErrKey)
	}
	return &Signer{private, newVerifier(name, public)}, nil
}

// Cosign signs the text of a checkpoint, as of at.
func (s *Signer) Cosign(text string, at time.Time) (note.Signature, error) {
	seconds := at.Unix()
	if seconds <= 0 {
		return note.Signature{}, fmt.Errorf("cosign: the clock says %s", at.UTC().Format(time.RFC3339))
	}
	sig := make([]byte, 0, keyIDLen+signatureLen)
	sig = binary.BigEndian.AppendUint32(sig, s.id)
	sig = binary.BigEndian.AppendUint64(sig, uint64(seconds))
	sig = append(sig, ed25519.Sign(s.key, message(uint64(seconds), []byte(text)))...)
	return note.Signature{Name: s.name, Hash: s.id, Base64: base64.StdEncoding.EncodeToString(sig)}, nil
}

// message is what is signed.
func message(seconds uint64, text []byte) []byte {
	m := make([]byte, 0, len(text)+48)
	m = append(m, "cosignature/v1\ntime "...)
	m = append(strconv.AppendUint(m, seconds, 10), '\n')
	return append(m, text...)
}

// A Verifier checks a witness's cosignatures. It is a note.Verifier.
type Verifier struct {
	name string
	id   uint32
	key  ed25519.PublicKey
}

func newVerifier(name string, key ed25519.PublicKey) Verifier {
	return Verifier{name, keyID(name, algCosignature, key), key}
}

// NewVerifier reads a public key in note form: name+id+base64. The error is
// ErrKey.
func NewVerifier(text string) (Verifier, error) {
	name, id, alg, key, err := parseKey(text)
	if err != nil {
		return Verifier{}, err
	}
	if id != keyID(name, alg, key) {
		return Verifier{}, fmt.Errorf("%w: its id is not that of its name and key", ErrKey)
	}
	return newVerifier(name, key), nil
}

// Name is the witness's.
func (v Verifier) Name() string { return v.name }

// KeyHash is the key's id.
func (v Verifier) KeyHash() uint32 { return v.id }

// String is the public key in note form.
func (v Verifier) String() string { return formatKey(v.name, v.id, algCosignature, v.key) }

// Verify reports whether sig, a time and a signature, is v's cosignature of text.
func (v Verifier) Verify(text, sig []byte) bool {
	if len(sig) != signatureLen {
		return false
	}
	seconds := binary.BigEndian.Uint64(sig)
	return seconds <= math.MaxInt64 && ed25519.Verify(v.key, message(seconds, text), sig[timeLen:])
}

// signedAt is the time in a cosignature that has been verified.
func signedAt(sig note.Signature) time.Time {
	raw, err := base64.StdEncoding.DecodeString(sig.Base64)
	if err != nil || len(raw) != keyIDLen+signatureLen {
		panic("bug: the time of what is no cosignature")
	}
	return time.Unix(int64(binary.BigEndian.Uint64(raw[keyIDLen:])), 0)
}

// appendLine appends sig as a line of a note.
func appendLine(dst []byte, sig note.Signature) []byte {
	dst = append(append(dst, "— "...), sig.Name...)
	dst = append(append(dst, ' '), sig.Base64...)
	return append(dst, '\n')
}

func keyID(name string, alg byte, key []byte) uint32 {
	h := sha256.New()
	h.Write([]byte(name))
	h.Write([]byte{'\n', alg})
	h.Write(key)
	return binary.BigEndian.Uint32(h.Sum(nil))
}

func formatKey(name string, id uint32, alg byte, key []byte) string {
	return fmt.Sprintf("%s+%08x+%s", name, id, base64.StdEncoding.EncodeToString(append([]byte{alg}, key...)))
}

// parseKey reads name+id+base64, the base64 of a kind and 32 bytes.
func parseKey(text string) (name string, id uint32, alg byte, key []byte, err error) {
	name, rest, _ := strings.Cut(text, "+")
	hex, b64, ok := strings.Cut(rest, "+") // a name has no '+', the base64 may
	if !ok || CheckName(name) != nil {
		return "", 0, 0, nil, fmt.Errorf("%w: want name+id+base64", ErrKey)
	}
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil || len(hex) != 8 {
		return "", 0, 0, nil, fmt.Errorf("%w: want an id of 8 hex digits", ErrKey)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(b64)
	if err != nil || len(raw) != 1+ed25519.PublicKeySize || len(b64) != base64.StdEncoding.EncodedLen(len(raw)) { // a line break would pass
		return "", 0, 0, nil, fmt.Errorf("%w: want the base64 of 33 bytes", ErrKey)
	}
	if raw[0] != algEd25519 && raw[0] != algCosignature {
		return "", 0, 0, nil, fmt.Errorf("%w: of kind 0x%02x; known are 0x04, and 0x01 (Ed25519)", ErrKey, raw[0])
	}
	return name, uint32(n), raw[0], raw[1:], nil
}
