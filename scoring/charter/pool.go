package charter

import "sync"

// A pool holds scratch: words, offsets and match state of one text, some 40 KB
// for 2 KB of it. Without the pool each reply would allocate that anew.
//
// Long texts have a pool of their own: what an occasional 1 MiB reply needed must
// not stay for as long as there are replies, and lies in that pool only until the
// collector has come by twice. No more of it is held than were scored at a time.
type pool struct {
	table       *table
	usual, long sync.Pool
}

const (
	longText  = 64 << 10 // bytes
	mostUsual = 1 << 20  // bytes of memory of a scratch for shorter texts
	mostLong  = 32 << 20 // and for long ones: more than 1 MiB of any text takes
)

// take gives a scratch for a text of so many bytes.
func (p *pool) take(bytes int) *scratch {
	if w, ok := p.of(bytes).Get().(*scratch); ok {
		return w
	}
	return newScratch(p.table)
}

// give takes back w, which is reset and was taken for so many bytes, unless it has
// grown out of what may be held.
func (p *pool) give(w *scratch, bytes int) {
	if room := w.room(); room <= mostUsual || room <= mostLong && bytes > longText {
		p.of(bytes).Put(w)
	}
}

func (p *pool) of(bytes int) *sync.Pool {
	if bytes > longText {
		return &p.long
	}
	return &p.usual
}

// room is the memory that s holds on to, in bytes.
func (s *scratch) room() int {
	return s.folded.room() + s.prompt.folded.room() + cap(s.prompt.digits) + 16*cap(s.tokens) + 8*cap(s.sentences) + 12*cap(s.spans)
}

func (f *folded) room() int { return cap(f.text) + 12*cap(f.runs) }
