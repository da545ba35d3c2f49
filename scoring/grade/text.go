package grade

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/kaizen-os/deliberation/scoring/answer"
)

const (
	// maxAnswerWords is the longest answer that can be looked for by its words:
	// what is longer is open text.
	maxAnswerWords = 32
	// maxReplyWords is how much of a reply is read, half of it from its beginning
	// and half from its end.
	maxReplyWords = 4096
	// maxInitials is how many letters in a row are put together to one word.
	maxInitials = 16
)

// aliases are the accepted answers of a text.
type aliases struct {
	question answer.Words
	list     []alias
}

// An alias is one accepted answer.
type alias struct {
	words   []string // all of them, in order, articles left out
	telling []string // stems of those that neither the question has nor say nothing
	figures []string // of telling, all of which a reply must have
	sign    string   // an answer without any word, as it is
}

func newAliases(prompt string, accepted []string) (*aliases, error) {
	t := &aliases{}
	t.question.Read(prompt, nil)
	asked := make(map[string]bool)
	for _, w := range words(prompt, maxReplyWords) {
		asked[stem(w)] = true
	}
	for i, text := range accepted {
		a := alias{words: words(text, maxAnswerWords+1)}
		switch {
		case len(a.words) == 0:
			a.sign = strings.TrimSpace(text)
		case len(a.words) > maxAnswerWords:
			return nil, fmt.Errorf("accepted answer %d has over %d words: open text cannot be graded", i+1, maxAnswerWords)
		}
		for _, w := range a.words {
			if s := stem(w); !empty[w] && !asked[s] {
				a.telling = append(a.telling, s)
			}
		}
		if len(a.telling) == 0 {
			for _, w := range a.words {
				a.telling = append(a.telling, stem(w))
			}
		}
		for _, s := range a.telling {
			if isFigure(s) {
				a.figures = append(a.figures, s)
			}
		}
		t.list = append(t.list, a)
	}
	return t, nil
}

func (t *aliases) grade(reply string) Outcome {
	var said answer.Words
	said.Read(reply, &t.question)
	if said.Hedge() {
		return Unseen
	}
	r := readReply(reply)
	r.whole = strings.TrimSpace(reply)
	for i := range t.list {
		if t.list[i].in(r) {
			return Right
		}
	}
	return Wrong
}

// A reading is a reply's words and where they are.
type reading struct {
	whole string
	words []string
	at    map[string][]int
	stems map[string]bool
}

func readReply(text string) *reading {
	r := &reading{words: words(text, maxReplyWords), at: make(map[string][]int), stems: make(map[string]bool)}
	for i, w := range r.words {
		r.at[w] = append(r.at[w], i)
		r.stems[stem(w)] = true
	}
	return r
}

// in reports whether r gives the answer.
func (a *alias) in(r *reading) bool {
	if a.sign != "" {
		// A picture may stand anywhere; a dot or a dash is in every text.
		return r.whole == a.sign || a.sign[0] >= 0x80 && strings.Contains(r.whole, a.sign)
	}
	denied := false
	for _, i := range r.at[a.words[0]] {
		if i+len(a.words) > len(r.words) || !slices.Equal(r.words[i:i+len(a.words)], a.words) {
			continue
		}
		if !deniedAt(r.words, i) {
			return true
		}
		denied = true
	}
	if denied {
		return false // it is named only to be denied
	}
	for _, f := range a.figures {
		if !r.stems[f] {
			return false
		}
	}
	have := 0
	for _, s := range a.telling {
		if r.stems[s] {
			have++
		}
	}
	return 2*have >= len(a.telling)
}

// deniedAt reports whether the answer at words[i] is said not to be it: by a word
// before it, or before the little words that lead to it ("not in Paris").
func deniedAt(words []string, i int) bool {
	for back := 1; back <= 3 && back <= i; back++ {
		w := words[i-back]
		if denies[w] {
			return true
		}
		if !empty[w] {
			return false
		}
	}
	return false
}

// meets reports whether an answer of t is one of o.
func (t *aliases) meets(o *aliases) bool {
	return slices.ContainsFunc(t.list, func(a alias) bool { return o.has(&a) })
}

func (t *aliases) has(a *alias) bool {
	return slices.ContainsFunc(t.list, func(b alias) bool { return a.sign == b.sign && slices.Equal(a.words, b.words) })
}

// words are the words of s, folded, without articles; a run of initials is one
// word, a number up to twenty is written in figures, and figures stand alone. Of
// more than most, half are from the beginning and half from the end.
func words(s string, most int) []string {
	var out []string
	var b strings.Builder
	initials := 0 // how many letters the last of out is put together of
	flush := func() {
		if b.Len() == 0 {
			return
		}
		w := b.String()
		b.Reset()
		if len([]rune(w)) == 1 && !isFigure(w) {
			// Each letter copies those before it, so a run has an end.
			if initials > 0 && initials < maxInitials {
				out[len(out)-1] += w
			} else {
				out = append(out, w)
				initials = 0
			}
			initials++
			return
		}
		if initials == 1 && (out[len(out)-1] == "a") {
			out = out[:len(out)-1] // an article, not an initial
		}
		initials = 0
		if w == "the" || w == "an" || ordinal[w] && len(out) > 0 && isFigure(out[len(out)-1]) {
			return
		}
		if n, ok := spelled[w]; ok {
			w = n
		}
		out = append(out, w)
	}
	var last rune // of the word so far; 0 between words
	runes := []rune(norm.NFKD.String(strings.ToValidUTF8(s, " ")))
	for i, c := range runes {
		switch {
		case unicode.Is(unicode.Mn, c) || c == '\'' || c == '’' || c == '`':
			continue
		case unicode.IsLetter(c) || unicode.IsDigit(c):
			if last != 0 && stuck(b.String(), last, c) {
				flush()
			}
			b.WriteRune(unicode.ToLower(c))
			last = c
			continue
		case (c == '+' || c == '#') && (unicode.IsLetter(last) || last == c): // C++, C#, the blood type A+
			b.WriteRune(c)
			last = c
			continue
		case c == ',' && unicode.IsDigit(last) && i+1 < len(runes) && unicode.IsDigit(runes[i+1]):
			continue
		}
		if w := b.String(); c == '.' && len(w) == 5 && isYear(w[:4]) && isFigure(w[4:]) {
			b.Reset()
			out = append(out, w[:4])
			b.WriteString(w[4:])
		}
		flush()
		last = 0
	}
	flush()
	if initials == 1 && len(out) > 1 && out[len(out)-1] == "a" {
		out = out[:len(out)-1]
	}
	if len(out) > most {
		out = append(out[:most/2:most/2], out[len(out)-(most-most/2):]...)
	}
	return out
}

// stuck reports whether c begins a word of its own though nothing stands between
// it and the word so far, whose last rune is last: a figure by a letter ("10am",
// "Gable1" with its footnote), or a name by the little word before it ("byNick"),
// as in text whose markup was dropped.
func stuck(word string, last, c rune) bool {
	if unicode.IsDigit(last) != unicode.IsDigit(c) || last == '+' || last == '#' {
		return true
	}
	return unicode.IsLower(last) && unicode.IsUpper(c) && len(word) > 1 && empty[word]
}

// isYear reports whether four digits are likely a year. A sentence that ends in
// one and a digit more, "in 20181.", ends in a year and its footnote.
func isYear(w string) bool { return w >= "1000" && w < "2100" && isFigure(w) }

func isFigure(w string) bool { return w != "" && w[0] >= '0' && w[0] <= '9' }

// stem cuts the endings that the forms of one word differ by.
func stem(w string) string {
	if isFigure(w) {
		return w
	}
	for _, end := range endings {
		if rest, ok := strings.CutSuffix(w, end); ok && len(rest) >= 4 {
			return rest
		}
	}
	return w
}

var endings = []string{"ations", "ation", "ingly", "ings", "ing", "ers", "er", "ies", "ied", "ed", "es", "ly", "s", "y", "e"}

var spelled = func() map[string]string {
	m := make(map[string]string)
	for i, w := range strings.Fields("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty") {
		m[w] = fmt.Sprint(i)
	}
	return m
}()

// ordinal are the endings of a figure that counts: 1st and 1 are one day.
var ordinal = set("st nd rd th")

func set(list string) map[string]bool {
	m := make(map[string]bool)
	for _, w := range strings.Fields(list) {
		m[w] = true
	}
	return m
}

// empty are words that say nothing about what an answer is.
var empty = set("of in on at to for and or by with from is was were are be been as it its that this which who whom whose what when where why how " +
	"his her their he she they i you we not do does did had has have into than then there")

// denies are words before an answer that say it is not the one.
var denies = set("not never isnt wasnt arent werent nor")
