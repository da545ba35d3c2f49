package charter

import (
	"crypto/sha256"
	"strings"
)

// Lengths of what is proved here: addresses of Bitcoin, and keys as wallets export
// them.
const (
	shortestWallet = 26
	longestWallet  = 62
)

// detectWallet proves the address or the key that the word text[i:end] is.
func (s *scratch) detectWallet(text []byte, i, end int) {
	w := text[i:end]
	switch {
	case w[0] == '1' || w[0] == '3':
		if version, ok := base58Check(w, 21); ok && (version == 0 && w[0] == '1' || version == 5 && w[0] == '3') && !knownWallet(w) {
			s.keep(wallet, span{int32(i), int32(end)})
		}
	case (w[0] == '5' || w[0] == 'K' || w[0] == 'L') && (len(w) == 51 || len(w) == 52):
		size := 33
		if len(w) == 52 {
			size = 34
		}
		if version, ok := base58Check(w, size); ok && version == 0x80 {
			s.keep(secretToken, span{int32(i), int32(end)})
		}
	case hasPrefixFold(w, "bc1") && bech32(w) && !knownWallet(w):
		s.keep(wallet, span{int32(i), int32(end)})
	}
}

// knownWallet reports addresses that stand in every manual: the first block's, and
// those of the proposals.
func knownWallet(w []byte) bool {
	switch string(w) {
	case "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
		"bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT":
		return true
	}
	return false
}

const base58Digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

var base58Values = func() (t [256]int8) {
	for c := range t {
		t[c] = int8(strings.IndexByte(base58Digits, byte(c)))
	}
	return t
}()

// base58Check decodes size bytes and the four of their checksum behind them, and
// gives the first.
func base58Check(w []byte, size int) (version byte, ok bool) {
	// 40 bytes are more than any of ours; most significant last.
	var limbs [10]uint32
	for _, c := range w {
		v := base58Values[c]
		if v < 0 {
			return 0, false
		}
		carry := uint64(v)
		for k := range limbs {
			carry += uint64(limbs[k]) * 58
			limbs[k] = uint32(carry)
			carry >>= 32
		}
		if carry != 0 {
			return 0, false
		}
	}
	var b [40]byte
	for k, l := range limbs {
		at := len(b) - 4*k
		b[at-1], b[at-2], b[at-3], b[at-4] = byte(l), byte(l>>8), byte(l>>16), byte(l>>24)
	}
	for _, c := range b[:len(b)-size-4] {
		if c != 0 {
			return 0, false
		}
	}
	body, check := b[len(b)-size-4:len(b)-4], b[len(b)-4:]
	sum := sha256.Sum256(body)
	sum = sha256.Sum256(sum[:])
	return body[0], string(sum[:4]) == string(check)
}

const bech32Digits = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

var bech32Values = func() (t [256]int8) {
	for c := range t {
		t[c] = int8(strings.IndexByte(bech32Digits, lower[c]))
	}
	return t
}()

// bech32 checks an address that begins with bc1 (BIP 173 and BIP 350): all in one
// case, and its checksum.
func bech32(w []byte) bool {
	sum := uint32(1)
	step := func(v uint32) {
		top := sum >> 25
		sum = sum&0x1ffffff<<5 ^ v
		for k, g := range [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>k&1 != 0 {
				sum ^= g
			}
		}
	}
	for _, v := range [...]uint32{'b' >> 5, 'c' >> 5, 0, 'b' & 31, 'c' & 31} {
		step(v)
	}
	small, large := false, false
	for _, c := range w[3:] {
		v := bech32Values[c]
		if v < 0 {
			return false
		}
		small, large = small || c >= 'a' && c <= 'z', large || c >= 'A' && c <= 'Z'
		step(uint32(v))
	}
	return len(w) >= 14 && !(small && large) && (sum == 1 || sum == 0x2bc830a3)
}
