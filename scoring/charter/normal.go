package charter

import (
	"slices"
	"sort"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A folded is a text made comparable: compatibility forms, accents,
// zero-width characters and look-alike letters folded to plain letters, case
// kept. It remembers where each byte came from.
//
// Invalid UTF-8 and symbols become spaces, so every byte of text is ASCII or
// part of a letter or number.
type folded struct {
	text []byte
	runs []run // empty when the text was plain ASCII: then offsets are equal
	size int32 // bytes of the original read so far
}

// A run maps a stretch of folded text back.
type run struct {
	at   int32 // offset in the folded text
	from int32 // offset in the original
	// each says how many bytes of the original stand behind each byte of the
	// stretch: 1 where it was copied, 2 in "éé". Where it is negative the whole
	// stretch came of one rune of -each bytes.
	each int32
}

// fold makes f the folded form of s. It reads s once and, for plain ASCII,
// copies it in one move.
func (f *folded) fold(s string) {
	f.clear()
	f.append(s)
	f.seal()
}

func (f *folded) clear() { f.text, f.runs, f.size = f.text[:0], f.runs[:0], 0 }

// seal has eight zeros follow f.text in memory, so that readers of eight bytes
// at a time need not look out for its end.
func (f *folded) seal() {
	n := len(f.text)
	f.text = append(f.text, 0, 0, 0, 0, 0, 0, 0, 0)[:n]
}

// append folds s behind what f holds. Each rune folds by itself, so a text may
// come in parts, if none ends within a rune.
func (f *folded) append(s string) {
	base := int(f.size)
	f.size += int32(len(s))
	// Hardly any text folds to more than it is.
	f.text = slices.Grow(f.text, len(s)+8)
	i := asciiLen(s)
	if len(f.runs) > 0 && i > 0 {
		f.stretch(len(f.text), base, 1)
	}
	f.text = append(f.text, s[:i]...)
	if i == len(s) {
		return
	}
	if len(f.runs) == 0 {
		f.runs = append(f.runs, run{each: 1})
	}
	for i < len(s) {
		before := len(f.text)
		if s[i] < utf8.RuneSelf {
			n := asciiLen(s[i:])
			f.stretch(before, base+i, 1)
			f.text = append(f.text, s[i:i+n]...)
			i += n
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r >= 0x3400 && r <= 0x9fff || r >= 0xac00 && r <= 0xd7a3 { // Han, Hangul
			f.stretch(before, base+i, 1)
			f.text = append(f.text, s[i:i+n]...)
			i += n
			continue
		}
		p := pageOf(r)
		switch as := p.plain[r&0xff]; {
		case as >= ' ':
			f.stretch(before, base+i, n)
			f.text = append(f.text, as)
		case as == foldsToItself:
			f.stretch(before, base+i, 1)
			f.text = append(f.text, s[i:i+n]...)
		case as == foldsToMore:
			f.text = append(f.text, p.more[r&0xff]...)
			f.run(run{int32(before), int32(base + i), int32(-n)})
		}
		i += n
	}
}

// stretch notes that from folded byte at on, each byte is from as many of the
// original, from byte from on; unless the last run says so already.
func (f *folded) stretch(at, from, each int) {
	last := &f.runs[len(f.runs)-1]
	if int(last.each) != each || int(last.from)+each*(at-int(last.at)) != from {
		f.run(run{int32(at), int32(from), int32(each)})
	}
}

// run appends r. When there is no room it makes as much as the text needs if it
// goes on as it began.
func (f *folded) run(r run) {
	if n := len(f.runs); n == cap(f.runs) {
		more := int64(f.size - r.from)
		more = min(more, int64(n)*more/int64(r.from+1))
		f.runs = slices.Grow(f.runs, int(more)+16)
	}
	f.runs = append(f.runs, r)
}

// asciiLen is the length of s's longest plain ASCII prefix.
func asciiLen(s string) int {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		b := s[i : i+8]
		// One load of eight bytes, to the compiler.
		if (uint64(b[0])|uint64(b[1])<<8|uint64(b[2])<<16|uint64(b[3])<<24|
			uint64(b[4])<<32|uint64(b[5])<<40|uint64(b[6])<<48|uint64(b[7])<<56)&tops != 0 {
			break
		}
	}
	for i < len(s) && s[i] < utf8.RuneSelf {
		i++
	}
	return i
}

// appendFolded appends what r, spelled enc, folds to: nothing for marks and
// invisible characters.
func appendFolded(dst []byte, enc string, r rune) []byte {
	switch {
	case r == '\u2019' || r == '\u2018' || r == '\u02bc':
		return append(dst, '\'')
	case r == '\u201c' || r == '\u201d':
		return append(dst, '"')
	case r >= '\u2010' && r <= '\u2015' || r == '\u2212':
		return append(dst, '-')
	case r == '\u2026':
		return append(dst, "..."...)
	case r == utf8.RuneError:
		return append(dst, ' ')
	case invisible(r) || unicode.Is(unicode.M, r):
		return dst
	}
	if c := latinLookalike(r); c != 0 {
		return append(dst, c)
	}
	if unicode.Is(unicode.Nd, r) {
		return append(dst, decimal(r))
	}
	// One rune at a time, so that a million combining marks cost a million
	// steps: canonical reordering, which needs them all, is not wanted here.
	d := norm.NFKD.PropertiesString(enc).Decomposition()
	before := len(dst)
	for len(d) > 0 {
		r, n := utf8.DecodeRune(d)
		if c := latinLookalike(r); c != 0 {
			dst = append(dst, c)
		} else if r < utf8.RuneSelf {
			dst = append(dst, byte(r))
		} else if !unicode.Is(unicode.M, r) {
			// Letters of other scripts stay as they are, also where they could be
			// taken apart: a syllable of Hangul would be three times as long.
			dst = dst[:before]
			break
		}
		d = d[n:]
	}
	switch {
	case len(dst) > before:
		return dst
	case unicode.IsLetter(r) || unicode.IsNumber(r):
		return append(dst, enc...)
	}
	return append(dst, ' ')
}

// decimal is the ASCII digit of the same value as r, a decimal digit of any
// script: each script's ten stand in order, and ranges of the table start with
// a zero.
func decimal(r rune) byte {
	for _, in := range unicode.Nd.R16 {
		if r <= rune(in.Hi) {
			return '0' + byte((r-rune(in.Lo))%10)
		}
	}
	for _, in := range unicode.Nd.R32 {
		if r <= rune(in.Hi) {
			return '0' + byte((r-rune(in.Lo))%10)
		}
	}
	return ' '
}

// A page is what 256 runes fold to.
type page struct {
	plain [256]byte    // the one plain byte, or one of the below
	more  *[256]string // for foldsToMore; nil where nothing does
}

const (
	foldsToMore    = iota
	foldsToNothing // takes no room: an accent, a zero-width character
	foldsToItself  // a letter of another script
)

// pages holds the pages that texts have asked for, by the runes' bits above the
// lowest eight: a look into norm's tables takes as long as fifty bytes of prose.
// Whole planes are alike, and share the pages of alike.
var (
	pages [(unicode.MaxRune + 1) >> 8]atomic.Pointer[page]
	alike = func() (of [utf8.RuneSelf]*page) {
		for _, as := range [...]byte{foldsToNothing, foldsToItself, ' '} {
			p := new(page)
			for i := range p.plain {
				p.plain[i] = as
			}
			of[as] = p
		}
		return of
	}()
)

// pageOf is r's page, made when a text first asks for it.
func pageOf(r rune) *page {
	at := &pages[r>>8]
	p := at.Load()
	if p == nil {
		p = makePage(r >> 8)
		at.Store(p)
	}
	return p
}

func makePage(at rune) *page {
	p := new(page)
	for i := range p.plain {
		r := at<<8 + rune(i)
		enc := string(r)
		switch as := appendFolded(nil, enc, r); {
		case len(as) == 0:
			p.plain[i] = foldsToNothing
		case string(as) == enc:
			p.plain[i] = foldsToItself
		case len(as) == 1 && as[0] >= ' ':
			p.plain[i] = as[0]
		default:
			if p.more == nil {
				p.more = new([256]string)
			}
			p.more[i] = string(as)
		}
	}
	if shared := alike[p.plain[0]%utf8.RuneSelf]; shared != nil && p.plain == shared.plain {
		return shared
	}
	return p
}

// invisible reports runes that take no room on the screen and so can split a
// word unseen: format characters, variation selectors, fillers.
func invisible(r rune) bool {
	switch {
	case r >= 0x200b && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2060 && r <= 0x206f,
		r >= 0xfe00 && r <= 0xfe0f, r >= 0xe0000 && r <= 0xe0fff:
		return true
	}
	return r == 0xad || r == 0x34f || r == 0x61c || r == 0x115f || r == 0x1160 || r == 0x17b4 ||
		r == 0x17b5 || r == 0x180e || r == 0x3164 || r == 0xfeff || r == 0xffa0
}

// origin is the span in the original text behind folded[start:end], end > start.
func (f *folded) origin(start, end int) (int, int) {
	if len(f.runs) == 0 {
		return start, end
	}
	from, _ := f.behind(start)
	_, until := f.behind(end - 1)
	return from, until
}

// behind is the bytes of the original behind byte i of the folded text.
func (f *folded) behind(i int) (from, until int) {
	k := sort.Search(len(f.runs), func(k int) bool { return int(f.runs[k].at) > i })
	r := f.runs[k-1]
	if r.each < 0 {
		return int(r.from), int(r.from - r.each)
	}
	from = int(r.from) + (i-int(r.at))*int(r.each)
	return from, from + int(r.each)
}
