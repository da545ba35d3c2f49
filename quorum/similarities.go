package quorum

import "github.com/kaizen-os/deliberation/quorum/canon"

// A deliberation that may go into a second round counts in coarser similarities,
// so that both rounds of the largest panel fit one ledger entry: thousandths, two
// digits of base 64 each.

// thousandth is what such similarities are multiples of.
const thousandth = One / 1000

// Coarsen rounds similarities down to thousandths. Pairs that must never share a
// position stay so.
func Coarsen(similarities []PPM) {
	for i, s := range similarities {
		if s > 0 {
			similarities[i] = s - s%thousandth
		}
	}
}

const (
	digits64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	apart64  = 64*64 - 1 // stands for a pair that must not share a position
)

// encodePacked writes similarities that are multiples of a thousandth.
func encodePacked(e *encoder, similarities []PPM) {
	e.key("packed")
	e.b = append(e.b, '"')
	for _, s := range similarities {
		v := apart64
		if s >= 0 {
			v = int(s / thousandth)
		}
		e.b = append(e.b, digits64[v>>6&63], digits64[v&63])
	}
	e.b = append(e.b, '"')
}

func readPacked(r *canon.Reader) []PPM {
	text := r.String()
	if len(text) == 0 || len(text)%2 != 0 {
		r.Fail("packed similarities of %d digits", len(text))
		return nil
	}
	out := make([]PPM, 0, len(text)/2)
	for i := 0; i < len(text); i += 2 {
		v := digit64(text[i])<<6 | digit64(text[i+1])
		switch {
		case v == apart64:
			out = append(out, -1)
		case v < 0 || v > int(One/thousandth):
			r.Fail("a packed similarity outside 0 to 1000")
			return nil
		default:
			out = append(out, PPM(v)*thousandth)
		}
	}
	return out
}

// digit64 is the value of a digit; negative if it is none.
func digit64(c byte) int {
	for i := range len(digits64) {
		if digits64[i] == c {
			return i
		}
	}
	return -1 << 12
}
