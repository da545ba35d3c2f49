package charter

import (
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
)

// What 1 MiB takes may be held for the next such text, whatever it is made of.
func TestTheRoomOfALongTextIsBounded(t *testing.T) {
	s := New()
	const size = 1 << 20
	for _, h := range hostileUnits {
		text := strings.Repeat(h.unit, size/len(h.unit))
		w := newScratch(s.table)
		var a quorum.Assessment
		w.assess(s.table, nil, &a, text, text[:1000], inReply)
		if room := w.room(); room > mostLong || room < len(w.folded.text) {
			t.Errorf("%s: room for %d bytes, want at most %d", h.name, room, mostLong)
		}
	}
}

func TestShortTextsGetNoRoomOfLongOnes(t *testing.T) {
	s := New()
	for _, tt := range []struct {
		name  string
		grown int // bytes of the text that the scratch was for
		taken int // and room that it has in the end
		short bool
		long  bool
	}{
		{"of a short text, it goes to short ones", longText, mostUsual, true, false},
		{"of a short text, it has grown too much", longText, mostUsual + 1, false, false},
		{"of a long text, it goes to long ones", longText + 1, mostLong, false, true},
		{"of a long text, and little, it goes to long ones", longText + 1, mostUsual, false, true},
		{"of a long text, it has grown too much", 4 * longText, mostLong + 1, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := pool{table: s.table}
			w := newScratch(s.table)
			w.folded.text = make([]byte, 0, tt.taken)
			// The race detector has a pool lose some: as often as may be.
			short, long := false, false
			for range 50 {
				p.give(w, tt.grown)
				short = short || p.take(longText) == w
				p.give(w, tt.grown)
				long = long || p.take(longText+1) == w
				for p.usual.Get() != nil || p.long.Get() != nil {
				}
			}
			if short != tt.short || long != tt.long {
				t.Errorf("taken for short texts %v, for long ones %v, want %v and %v", short, long, tt.short, tt.long)
			}
		})
	}
}
