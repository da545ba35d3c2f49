package charter

import (
	"strings"
	"unicode/utf8"
)

// An evasion rewrites a text so that people read the same and a list of words does
// not. All are deterministic, and change every word they can.
type evasion struct {
	name    string
	rewrite func(text string) string
}

var evasions = []evasion{
	{"zero-width", zeroWidth},
	{"homoglyph", homoglyphs},
	{"full-width", fullWidth},
	{"leet", leet},
}

// invisible are taken in turn: zero-width space, non-joiner, joiner, word joiner,
// soft hyphen, byte order mark.
var invisible = []rune{0x200b, 0x200c, 0x200d, 0x2060, 0xad, 0xfeff}

// zeroWidth puts an invisible character between every two letters.
func zeroWidth(text string) string {
	var b strings.Builder
	letters, n := false, 0
	for _, r := range text {
		if letter(r) {
			if letters {
				b.WriteRune(invisible[n%len(invisible)])
				n++
			}
			letters = true
		} else {
			letters = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

// lookalikes are Cyrillic letters, and Greek ones where they are nearer.
var lookalikes = replacer("aаcсeеiіjјoоpрsѕxхyуvνhһdԁqԛwԝAАBВCСEЕHНIІJЈKКMМNΝOОPРSЅTТXХYΥZΖ")

// replacer reads pairs of what is replaced and by what.
func replacer(pairs string) map[rune]rune {
	m := map[rune]rune{}
	for runes := []rune(pairs); len(runes) > 0; runes = runes[2:] {
		m[runes[0]] = runes[1]
	}
	return m
}

// homoglyphs puts Cyrillic and Greek letters for Latin ones that look the same.
func homoglyphs(text string) string {
	return strings.Map(func(r rune) rune {
		if other, ok := lookalikes[r]; ok {
			return other
		}
		return r
	}, text)
}

// fullWidth writes letters in the width of Chinese ones.
func fullWidth(text string) string {
	return strings.Map(func(r rune) rune {
		if letter(r) {
			return r - 'A' + 'Ａ'
		}
		return r
	}, text)
}

// leetDigits in turn: of a letter with two, every second time the other.
var leetDigits = map[rune]string{'a': "4@", 'e': "3", 'i': "1", 'o': "0", 's': "5$", 't': "7"}

// leet writes digits and signs for letters, in words of three letters or more: a
// shorter one would be read as a number.
func leet(text string) string {
	var b strings.Builder
	turns := map[rune]int{}
	for len(text) > 0 {
		n := 0
		for n < len(text) && letter(rune(text[n])) {
			n++
		}
		for _, r := range text[:n] {
			low := r | 0x20
			if digits := leetDigits[low]; digits != "" && n >= 3 {
				b.WriteByte(digits[turns[low]%len(digits)])
				turns[low]++
				continue
			}
			b.WriteRune(r)
		}
		_, other := utf8.DecodeRuneInString(text[n:])
		b.WriteString(text[n : n+other])
		text = text[n+other:]
	}
	return b.String()
}

// letter reports plain Latin letters.
func letter(r rune) bool { return r|0x20 >= 'a' && r|0x20 <= 'z' }

// Evaded is how many of a source's replies that score under 85 still do when they
// are rewritten.
type Evaded struct {
	Evasion string `json:"evasion"`
	Source  string `json:"source"`
	Replies int    `json:"replies"` // bad ones
	Caught  int    `json:"caught"`  // of them, under 85 as they are
	Lost    int    `json:"lost"`    // of those, not under 85 rewritten
}

// points of recall that are lost, of a hundred.
func (e *Evaded) points() float64 { return 100 * Share{e.Lost, e.Replies}.Value() }
