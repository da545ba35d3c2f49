package answer

import "strings"

// answerWords are the word for "answer" in other languages, each looked for by a
// part that begins with a rare byte.
var answerWords = [...]struct{ sign, before, or string }{
	{"puesta", "res", "res"}, {"posta", "ris", "res"}, {"\u00e9ponse", "r", "r"}, {"wort", "ant", "ant"}, {"woord", "ant", "ant"}, {"твет", "о", "о"},
	{"答案", "", ""}, {"答え", "", ""}, {"정답", "", ""},
}

// foreign finds statements in other languages, the last first: "La respuesta es 42",
// "答案是 B". It is asked only where there is none in English.
func (f *statements) foreign(text string) {
	var at places
	for _, w := range answerWords {
		at.find(text, w.sign, boxed) // any kind but phrase, which looks for "answer"
	}
	for f.n < len(f.list) {
		i, kind := at.last()
		if kind == none {
			return
		}
		for _, w := range answerWords {
			if !strings.HasPrefix(text[i:], w.sign) || !endsFold(text[:i], w.before) && !endsFold(text[:i], w.or) {
				continue
			}
			if from, ok := afterVerb(text, i+len(w.sign)); ok {
				f.add(statement{phrase, phraseValue(text[from:]), i, from})
			}
			break
		}
	}
}

// endsFold reports whether s ends with the word w, whatever the case of its first
// letter.
func endsFold(s, w string) bool {
	if w == "" {
		return true
	}
	if len(s) < len(w) {
		return false
	}
	end := s[len(s)-len(w):]
	return end == w || strings.EqualFold(end, w)
}

// afterVerb is where the value begins after a word for "answer" that ends at
// text[i]: behind a colon, or behind "is" and at most five words before it.
func afterVerb(text string, i int) (from int, ok bool) {
	for range 6 {
		i = skip(text, i, " \t*_\"")
		if i == len(text) {
			return 0, false
		}
		if text[i] == ':' || text[i] == '=' {
			return skip(text, i+1, " \t\r\n*"), true
		}
		if strings.HasPrefix(text[i:], "：") {
			return skip(text, i+len("："), " \t\r\n*"), true
		}
		for _, is := range [...]string{"应该是", "應該是", "是", "为", "為", "は", "은", "는", "选", "選"} {
			if strings.HasPrefix(text[i:], is) { // no space behind it
				return afterColon(text, i+len(is)), true
			}
		}
		word := i
		for i < len(text) && (isAlpha(text[i]) || text[i] >= 0x80) && !strings.HasPrefix(text[i:], "：") {
			i++
		}
		switch w := text[word:i]; w {
		case "":
			return 0, false
		case "es", "est", "ist", "lautet", "is", "\u00e8", "\u00e9", "sera", "será", "—", "–", "это":
			return afterColon(text, i), true
		}
	}
	return 0, false
}

// afterColon is where a value begins after its verb, which a colon may follow.
func afterColon(text string, i int) int {
	if i = skip(text, i, " \t\r\n*"); strings.HasPrefix(text[i:], "：") {
		i += len("：")
	}
	return skip(text, i, ":= *")
}
