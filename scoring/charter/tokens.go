package charter

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode/utf8"
)

// A token is one word or number of the folded text.
type token struct {
	start, end int32 // bytes in the folded text
	sentence   int32 // counts up; a pattern says how many sentence ends it may run over
	word       wordID
}

// longestWord bounds what is looked up: a longer run of letters is no word of
// any rule, and its length must not cost anything.
const longestWord = 24

// Byte classes of the folded text.
const (
	isOther  = iota
	isLetter // also every byte of a multi-byte letter
	isDigit
	isJoin // may stand for a letter or an apostrophe inside a word: ' @ $ !
	isStop // may end a sentence: . ! ? ; and newline
)

var (
	class = classes()
	// lower is ASCII lower case, everything else as it is.
	lower = lowered()
	// leet is the letter that a digit or sign stands for in a word, or 0.
	leet = [256]byte{'0': 'o', '1': 'i', '3': 'e', '4': 'a', '5': 's', '6': 'g', '7': 't', '8': 'b', '9': 'g', '@': 'a', '$': 's', '!': 'i'}
)

func classes() (t [256]uint8) {
	for c := range t {
		switch b := byte(c); {
		case b|0x20 >= 'a' && b|0x20 <= 'z' || b >= 0x80:
			t[c] = isLetter
		case b >= '0' && b <= '9':
			t[c] = isDigit
		case b == '\'' || b == '@' || b == '$':
			t[c] = isJoin
		case b == '.' || b == '!' || b == '?' || b == ';' || b == '\n':
			t[c] = isStop
		}
	}
	return t
}

func lowered() (t [256]byte) {
	for c := range t {
		t[c] = byte(c)
		if c >= 'A' && c <= 'Z' {
			t[c] += 'a' - 'A'
		}
	}
	return t
}

func wordByte(c byte) bool { return class[c] == isLetter || class[c] == isDigit }

// tokenise cuts the folded text into s.tokens and looks each up; but for prompts
// it also has personal data and secrets proved where their first bytes stand. One
// pass.
func (s *scratch) tokenise(t *table, in scope) {
	text, reply := s.folded.text, in != inPrompt
	s.tokens = slices.Grow(s.tokens[:0], len(text)/4)
	s.sentences = append(s.sentences[:0], 0)
	s.number.n, s.number.word = 0, -1<<20
	s.inErrors = in == inRedaction
	padded := text[:len(text)+8]
	sentence, fresh := int32(0), true // fresh: nothing in this sentence yet
	spelling := false                 // the word before stood letter by letter
	var buf [longestWord + 8]byte
	for i := 0; i < len(text); {
		c := text[i]
		if c == ' ' {
			i++
			continue
		}
		switch class[c] {
		case isStop:
			if !fresh && endsSentence(text, i) {
				sentence++
				s.sentences = append(s.sentences, 0)
				fresh = true
			}
			i++
			continue
		case isOther, isJoin:
			if reply && (c == '@' || c == '-' || c == ':') {
				s.detectSign(text, i)
			}
			if c != '$' && c != '@' || !inner(text, i, i, 0, 0) {
				i++
				continue
			}
		default:
			// One letter or digit, of which lists have many and hostile texts only.
			if next := padded[i+1]; class[next] != isOther && class[next] != isStop || next == '!' || c >= utf8.RuneSelf {
				break
			}
			tok := token{start: int32(i), sentence: sentence, word: t.vocabulary.single[c]}
			if class[c] == isDigit {
				if reply {
					s.detectNumber(text, i)
				}
				i++
			} else if n := spelled(padded, i, &buf); n > 2 || n == 2 && spelling {
				lead, tail, word := t.apart(buf[:min(n, len(buf))])
				if lead > 0 { // a word of its own: "a p e a r"
					tok.end = tok.start + 1
					s.add(tok)
					s.sentences[sentence] |= tok.word.trait()
					tok.start += 2
				}
				tok.word = word
				spelling = true
				i += 2*(n-tail) - 1
			} else {
				i++
			}
			tok.end = int32(i)
			if class[c] == isLetter {
				s.number.word = i
			}
			s.add(tok)
			s.sentences[sentence] |= tok.word.trait()
			fresh = false
			continue
		}
		start, digits, joins := i, 0, 0
		for {
			// Eight bytes at a time; behind the text there are zeros to read.
			eight := binary.LittleEndian.Uint64(text[i : i+8])
			word, letter, digit := sorts(eight)
			n := bits.TrailingZeros64(^word&tops) / 8
			taken := uint64(1)<<(8*n) - 1
			if i-start < longestWord {
				binary.LittleEndian.PutUint64(buf[i-start:], (eight|letter>>2)&taken)
			}
			if digit &= taken; digit != 0 {
				digits += bits.OnesCount64(digit)
			}
			if i += n; n == 8 {
				continue
			}
			if i == len(text) || !inner(text, start, i, i-start-digits-joins, digits) {
				break
			}
			if text[i] == '@' && reply {
				s.keep(email, findEmail(text, i))
			}
			if i-start < longestWord {
				buf[i-start] = text[i]
			}
			joins++
			i++
		}
		n := i - start
		if digits < n {
			s.number.word = i
		}
		if reply {
			if prefixes := secretPrefixesAt(text, start); prefixes != 0 {
				s.detectSecret(text, start, prefixes)
			}
			if digits > 0 {
				s.detectNumber(text, start)
				if n >= shortestWallet && n <= longestWallet {
					s.detectWallet(text, start, i)
				}
			}
		}
		tok := token{start: int32(start), end: int32(i), sentence: sentence}
		switch {
		case n > longestWord:
		case digits == n:
			tok.word = numberWord
		default:
			k := key{binary.LittleEndian.Uint64(buf[:])}
			if n > 8 {
				k[1] = binary.LittleEndian.Uint64(buf[8:])
				if n > 16 {
					k[2] = binary.LittleEndian.Uint64(buf[16:])
				}
			}
			if tok.word = t.vocabulary.find(&k); tok.word == unknownWord && digits+joins > 0 {
				tok.word = t.findFolded(buf[:n])
			}
		}
		s.add(tok)
		s.sentences[sentence] |= tok.word.trait()
		fresh, spelling = false, false
	}
}

// add appends tok. There are at most half as many words as bytes: a text that
// has more than the usual quarter is given room for all at once.
func (s *scratch) add(tok token) {
	if len(s.tokens) == cap(s.tokens) {
		s.tokens = slices.Grow(s.tokens, max(16, len(s.folded.text)/2-len(s.tokens)))
	}
	s.tokens = append(s.tokens, tok)
}

// apart looks up the word that letters which stand apart spell, all of them or, if
// that is none, without the first or the last, which may be a word by itself: how
// many are left out at either end.
func (t *table) apart(letters []byte) (lead, tail int, word wordID) {
	if len(letters) > longestWord {
		return 0, 0, unknownWord
	}
	for _, cut := range [...][2]int{{0, 0}, {1, 0}, {0, 1}, {1, 1}} {
		if left := len(letters) - cut[0] - cut[1]; left < fewestApart && cut != [2]int{} {
			break
		}
		if word = t.vocabulary.lookup(letters[cut[0] : len(letters)-cut[1]]); word != unknownWord {
			return cut[0], cut[1], word
		}
	}
	return 0, 0, unknownWord
}

// fewestApart is from how many letters on a part of a row may be a word spelled
// apart: two are more often a name and an article.
const fewestApart = 3

// spelled counts the letters that stand apart, with the same sign between any
// two, from text[i] on, as in "k i l l" or "k-i-l-l", and puts the first
// longestWord of them into *buf. Behind the text there are zeros.
func spelled(text []byte, i int, buf *[longestWord + 8]byte) (n int) {
	sep := text[i+1]
	if !setsApart(sep) {
		return 1
	}
	for {
		if n < longestWord {
			buf[n] = lower[text[i]]
		}
		n++
		c := text[i+1 : i+5]
		if c[0] != sep || !(c[1]|0x20 >= 'a' && c[1]|0x20 <= 'z' || c[1] == '\'') || wordByte(c[2]) {
			return n
		}
		if sep == ' ' && c[2] != ' ' && setsApart(c[2]) && class[c[3]] == isLetter { // the first of others: "a b-o-m-b"
			return n
		}
		i += 2
	}
}

// setsApart reports the signs that letters of a word are set apart by.
func setsApart(c byte) bool { return c == ' ' || c == '.' || c == '-' || c == '_' || c == '*' }

// tops is the top bit of each of eight bytes.
const tops = 0x8080808080808080

// sorts tells of eight bytes of text, by the top bit of each, which may stand in a
// word, which are ASCII letters and which digits.
func sorts(eight uint64) (word, letter, digit uint64) {
	const each = 0x0101010101010101
	low := eight &^ tops
	small := low | each*0x20
	// Adding what a bound lacks of 0x80 sets the top bit from that bound on.
	letter = (small + each*(0x80-'a')) &^ (small + each*(0x7f-'z')) &^ eight & tops
	digit = (low + each*(0x80-'0')) &^ (low + each*(0x7f-'9')) &^ eight & tops
	return letter | digit | eight&tops, letter, digit
}

// inner reports whether text[i], no letter or digit, belongs to the word that
// began at start and has so many letters and digits: an apostrophe inside it, or a
// sign that stands for a letter; a dollar and an at sign also as its first or last
// letter.
func inner(text []byte, start, i, letters, digits int) bool {
	switch text[i] {
	case '\'':
		return i > start && i+1 < len(text) && class[text[i+1]] == isLetter && wordByte(text[i-1])
	case '!':
		return i > start && letterSoon(text, i)
	case '@', '$':
		// An amount of money is none: "$5", "US$500", "5$".
		if letterSoon(text, i) {
			return true
		}
		return letters > 0 && (digits > 0 || i+1 == len(text) || class[text[i+1]] != isDigit)
	}
	return false
}

// letterSoon reports a letter behind text[i], with at most two digits or signs
// between.
func letterSoon(text []byte, i int) bool {
	for k := i + 1; k < len(text) && k < i+4; k++ {
		switch class[text[k]] {
		case isLetter:
			return true
		case isDigit, isJoin:
		default:
			return false
		}
	}
	return false
}

// endsSentence decides whether the stop at text[i] ends one: not the point in
// "3.5" or "example.org", nor a line break before a lower case letter.
func endsSentence(text []byte, i int) bool {
	if i+1 == len(text) {
		return true
	}
	next := text[i+1]
	if text[i] == '\n' {
		return !(next >= 'a' && next <= 'z')
	}
	return !wordByte(next)
}

// findFolded looks up a word with digits, signs or an apostrophe that is not known
// as it stands: without a possessive 's, then with digits and signs read as
// letters, then without signs at its ends.
func (t *table) findFolded(w []byte) wordID {
	n := len(w)
	owns := n > 2 && w[n-2] == '\'' && w[n-1] == 's'
	if owns {
		if id := t.vocabulary.lookup(w[:n-2]); id != unknownWord {
			return id
		}
	}
	if len(w) < 3 {
		return unknownWord
	}
	var as [longestWord]byte
	letters, ones, signs := 0, false, false
	for i, c := range w {
		switch {
		case class[c] == isLetter:
			letters++
			as[i] = c
		case c == '\'': // "d0n't"
			as[i] = c
		case leet[c] != 0:
			as[i] = leet[c]
			ones = ones || c == '1' || c == '!'
			signs = signs || class[c] == isJoin
		default:
			return unknownWord
		}
	}
	if letters == 0 {
		return unknownWord
	}
	id := t.vocabulary.lookupIn(&as)
	if id == unknownWord && owns {
		w, as[n-2], as[n-1] = w[:n-2], 0, 0
		id = t.vocabulary.lookupIn(&as)
	}
	if id == unknownWord && ones {
		// 1 and ! stand for i, and for l, in one word for both.
		for i, c := range w {
			if c == '1' || c == '!' || as[i] == 'l' || as[i] == 'i' {
				as[i] = '1'
			}
		}
		id = t.vocabulary.strokes.lookup(&as)
	}
	if id == unknownWord && signs {
		from, to := 0, len(w)
		for to > 0 && class[w[to-1]] == isJoin {
			to--
		}
		for from < to && class[w[from]] == isJoin {
			from++
		}
		if to-from < len(w) {
			return t.vocabulary.lookup(w[from:to])
		}
	}
	return id
}
