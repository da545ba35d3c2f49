//go:build !race

package scoring

import "testing"

// What a panel's decision allocates: its verdict (positions, and what ranking them
// takes), the similarities that the proof keeps, and for closed kinds what package
// answer says of Extract.
func TestAllocations(t *testing.T) {
	for _, p := range panels {
		s := newSitting(p.kind, p.n, p.size)
		s.decide(false) // grows what is kept
		if n := testing.AllocsPerRun(100, func() { s.decide(false) }); n > p.allocs {
			t.Errorf("%v, %d replies of %d bytes: %v allocations, want at most %v", p.kind, p.n, p.size, n, p.allocs)
		}
	}
}
