package charter

import "slices"

// A token is one word or number of the folded text.
type token struct {
	start, end int32 // bytes in the folded text
	sentence   int32 // counts up; matches stay within one sentence
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
	// secretStart marks the first bytes of secretPrefixes.
	secretStart = secretStarts()
	// lower is ASCII lower case, everything else as it is.
	lower = lowered()
	// leet is the letter that a digit or sign stands for in a word, or 0.
	leet = [256]byte{'0': 'o', '1': 'i', '3': 'e', '4': 'a', '5': 's', '7': 't', '@': 'a', '$': 's', '!': 'i'}
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

// tokenise cuts the folded text into s.tokens and looks each up; in a reply it
// also has personal data and secrets proved where their first bytes stand. One
// pass.
func (s *scratch) tokenise(t *table, in scope) {
	text, reply := s.folded.text, in == inReply
	s.tokens = slices.Grow(s.tokens[:0], len(text)/4)
	sentence, fresh := int32(0), true // fresh: nothing in this sentence yet
	var buf [longestWord]byte
	for i := 0; i < len(text); {
		switch class[text[i]] {
		case isStop:
			if !fresh && endsSentence(text, i) {
				sentence++
				fresh = true
			}
			i++
			continue
		case isOther, isJoin:
			if reply {
				s.detectSign(text, i)
			}
			i++
			continue
		}
		start, digits, joins := i, 0, 0
		h := hashSeed
	word:
		for ; i < len(text); i++ {
			c := text[i]
			switch class[c] {
			case isLetter:
			case isDigit:
				digits++
			default:
				if !inner(text, start, i) {
					break word
				}
				if c == '@' && reply {
					s.keep(email, findEmail(text, i))
				}
				joins++
			}
			c = lower[c]
			if i-start < longestWord {
				buf[i-start] = c
			}
			h = h.add(c)
		}
		n := i - start
		if reply && secretStart[text[start]] {
			s.detectSecret(text, start)
		}
		if reply && digits > 0 {
			s.detectNumber(text, start)
		}
		tok := token{start: int32(start), end: int32(i), sentence: sentence}
		switch {
		case n > longestWord:
		case digits == n:
			tok.word = numberWord
		case digits == 0 && joins == 0:
			tok.word = t.vocabulary.find(h, buf[:n])
		default:
			tok.word = t.findFolded(&buf, n)
		}
		s.tokens = append(s.tokens, tok)
		fresh = false
	}
}

// inner reports whether text[i], no letter or digit, is an inner part of the
// word that began at start: an apostrophe, or a sign that stands for a letter.
func inner(text []byte, start, i int) bool {
	if i == start || i+1 == len(text) || class[text[i+1]] != isLetter {
		return false
	}
	switch text[i] {
	case '\'', '@', '$', '!':
		return wordByte(text[i-1])
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

// findFolded looks up a word with digits, signs or an apostrophe: as it
// stands, without a possessive 's, then with digits and signs read as letters.
func (t *table) findFolded(buf *[longestWord]byte, n int) wordID {
	w := buf[:n]
	if n > 2 && w[n-2] == '\'' && w[n-1] == 's' {
		w = w[:n-2]
	}
	if id := t.vocabulary.lookup(w); id != unknownWord || len(w) < 3 {
		return id
	}
	var as [longestWord]byte
	letters, ones := 0, false
	for i, c := range w {
		switch {
		case class[c] == isLetter:
			letters++
			as[i] = c
		case leet[c] != 0:
			as[i] = leet[c]
			ones = ones || c == '1' || c == '!'
		default:
			return unknownWord
		}
	}
	if letters == 0 {
		return unknownWord
	}
	id := t.vocabulary.lookup(as[:len(w)])
	if id != unknownWord || !ones {
		return id
	}
	for i, c := range w { // 1 and ! stand for i, and for l
		if c == '1' || c == '!' {
			as[i] = 'l'
		}
	}
	return t.vocabulary.lookup(as[:len(w)])
}
