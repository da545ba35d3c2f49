package charter

import (
	"sort"
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
}

// A run maps a stretch of folded text back. Stretches copied byte for byte
// have until == 0; one rune that was replaced has until at its end.
type run struct {
	at    int32 // offset in the folded text
	from  int32 // offset in the original
	until int32
}

// fold makes f the folded form of s. It reads s once and, for plain ASCII,
// copies it in one move. Eight zeros follow f.text in memory, so that readers of
// eight bytes at a time need not look out for its end.
func (f *folded) fold(s string) {
	f.text, f.runs = f.text[:0], f.runs[:0]
	f.append(s)
	n := len(f.text)
	f.text = append(f.text, 0, 0, 0, 0, 0, 0, 0, 0)[:n]
}

func (f *folded) append(s string) {
	i := asciiLen(s)
	f.text = append(f.text, s[:i]...)
	if i == len(s) {
		return
	}
	f.runs = append(f.runs, run{})
	for i < len(s) {
		before := len(f.text)
		if s[i] < utf8.RuneSelf {
			n := asciiLen(s[i:])
			f.verbatim(before, i)
			f.text = append(f.text, s[i:i+n]...)
			i += n
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			f.verbatim(before, i)
			f.text = append(f.text, ' ')
			i++
			continue
		}
		f.text = appendFolded(f.text, s[i:i+n], r)
		switch len(f.text) - before {
		case 0:
		case n: // as long as it was: foreign letters, invalid bytes
			f.verbatim(before, i)
		default:
			f.runs = append(f.runs, run{at: int32(before), from: int32(i), until: int32(i + n)})
		}
		i += n
	}
}

// verbatim notes that folded byte at is original byte from and the following
// ones follow, unless the last run says so already.
func (f *folded) verbatim(at, from int) {
	last := &f.runs[len(f.runs)-1]
	if last.until != 0 || int(last.from)-int(last.at) != from-at {
		f.runs = append(f.runs, run{at: int32(at), from: int32(from)})
	}
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
	if r >= latinFirst && r < latinFirst+rune(len(latinBase)) && latinBase[r-latinFirst] != 0 {
		return append(dst, latinBase[r-latinFirst])
	}
	switch {
	case r == '\u2019' || r == '\u2018' || r == '\u02bc':
		return append(dst, '\'')
	case r == '\u201c' || r == '\u201d':
		return append(dst, '"')
	case r >= '\u2010' && r <= '\u2015' || r == '\u2212':
		return append(dst, '-')
	case r == '\u2026':
		return append(dst, "..."...)
	case invisible(r) || r >= 0x300 && r <= 0x36f:
		return dst
	}
	if c := latinLookalike(r); c != 0 {
		return append(dst, c)
	}
	// One rune at a time, so that a million combining marks cost a million
	// steps: canonical reordering, which needs them all, is not wanted here.
	if d := norm.NFKD.PropertiesString(enc).Decomposition(); d != nil {
		for len(d) > 0 {
			r, n := utf8.DecodeRune(d)
			dst = appendPlain(dst, r)
			d = d[n:]
		}
		return dst
	}
	return appendPlain(dst, r)
}

// latinBase is the plain letter of each accented one from latinFirst on, or 0:
// the accents of Western and Central Europe, without a look into norm's tables.
var latinBase = latinBases()

const latinFirst = 0xc0

func latinBases() (t [0x180 - latinFirst]byte) {
	for i := range t {
		enc := string(rune(latinFirst + i))
		if d := norm.NFKD.String(enc); len(d) > 1 && d[0] < utf8.RuneSelf && d[1] >= utf8.RuneSelf {
			t[i] = d[0]
		}
	}
	return t
}

func appendPlain(dst []byte, r rune) []byte {
	switch {
	case r < utf8.RuneSelf:
		return append(dst, byte(r))
	case unicode.Is(unicode.M, r):
		return dst
	case r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsNumber(r)):
		if c := latinLookalike(r); c != 0 {
			return append(dst, c)
		}
		return utf8.AppendRune(dst, r)
	}
	return append(dst, ' ')
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

// latinLookalike is the Latin letter that r is commonly passed off as, or 0.
// Only letters that no decomposition reaches: Greek, Cyrillic, Armenian, IPA.
func latinLookalike(r rune) byte {
	switch r {
	case 'а', 'α', 'ɑ', 'А', 'Α':
		return 'a'
	case 'в', 'В', 'Β', 'ʙ', 'Ƅ', 'ь':
		return 'b'
	case 'с', 'ϲ', 'С', 'Ϲ', 'ᴄ':
		return 'c'
	case 'ԁ', 'ɗ', 'đ':
		return 'd'
	case 'е', 'Е', 'Ε', 'ε', 'є', 'ҽ', 'ё', 'Ё':
		return 'e'
	case 'ƒ', 'ғ':
		return 'f'
	case 'ɡ', 'ց':
		return 'g'
	case 'һ', 'Н', 'Η', 'հ', 'ћ':
		return 'h'
	case 'і', 'І', 'Ι', 'ι', 'ı', 'ɩ', 'ӏ', 'Ӏ', 'ї', 'Ї':
		return 'i'
	case 'ј', 'Ј', 'ϳ':
		return 'j'
	case 'к', 'К', 'κ', 'Κ':
		return 'k'
	case 'ł', 'ʟ', 'ⅼ':
		return 'l'
	case 'м', 'М', 'Μ', 'ᴍ':
		return 'm'
	case 'ո', 'Ν', 'ɴ', 'п', 'η':
		return 'n'
	case 'о', 'О', 'ο', 'Ο', 'ø', 'Ø', 'օ', 'σ', 'ᴏ':
		return 'o'
	case 'р', 'Р', 'ρ', 'Ρ', 'ᴘ':
		return 'p'
	case 'ԛ', 'գ':
		return 'q'
	case 'г', 'ʀ':
		return 'r'
	case 'ѕ', 'Ѕ', 'ꜱ':
		return 's'
	case 'т', 'Т', 'τ', 'Τ', 'ᴛ':
		return 't'
	case 'υ', 'ս', 'ʋ', 'ᴜ':
		return 'u'
	case 'ѵ', 'ν', 'ᴠ':
		return 'v'
	case 'ԝ', 'ѡ', 'ω', 'ᴡ':
		return 'w'
	case 'х', 'Х', 'χ', 'Χ':
		return 'x'
	case 'у', 'У', 'γ', 'ү', 'Υ':
		return 'y'
	case 'ᴢ', 'Ζ', 'ʐ':
		return 'z'
	}
	return 0
}

// origin is the span in the original text behind folded[start:end], end > start.
func (f *folded) origin(start, end int) (int, int) {
	if len(f.runs) == 0 {
		return start, end
	}
	first, last := f.runAt(start), f.runAt(end-1)
	from, until := int(first.from), int(last.until)
	if first.until == 0 {
		from += start - int(first.at)
	}
	if last.until == 0 {
		until = int(last.from) + end - int(last.at)
	}
	return from, until
}

// runAt is the run that byte i of the folded text belongs to.
func (f *folded) runAt(i int) run {
	k := sort.Search(len(f.runs), func(k int) bool { return int(f.runs[k].at) > i })
	return f.runs[k-1]
}
