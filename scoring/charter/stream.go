package charter

import (
	"unicode/utf8"

	"github.com/kaizen-os/deliberation/quorum"
)

// A Stream is a reply that comes in parts. It is folded as it comes, and may be
// assessed at any time, as [Scorer.AssessReply] would the text so far. It is for
// one goroutine.
type Stream struct {
	scorer *Scorer
	prompt string
	folded folded
	// tail is the beginning of a rune whose end has not come yet.
	tail [utf8.UTFMax]byte
	held int // bytes of tail
}

// Stream begins a reply to prompt.
func (s *Scorer) Stream(prompt string) *Stream { return &Stream{scorer: s, prompt: prompt} }

// Reset begins another reply, and keeps the memory.
func (st *Stream) Reset(prompt string) {
	st.folded.clear()
	st.prompt, st.held = prompt, 0
}

// Write adds to the reply. Where the parts are cut does not matter.
func (st *Stream) Write(part string) {
	for st.held > 0 && part != "" {
		if utf8.FullRune(st.tail[:st.held]) {
			// A whole rune, or what cannot become one: of that one byte is folded,
			// and the rest may begin another.
			_, n := utf8.DecodeRune(st.tail[:st.held])
			st.folded.append(string(st.tail[:n]))
			st.held = copy(st.tail[:], st.tail[n:st.held])
			continue
		}
		st.tail[st.held] = part[0]
		st.held++
		part = part[1:]
	}
	if part == "" {
		return
	}
	whole := len(part) - unfinished(part)
	st.folded.append(part[:whole])
	st.held = copy(st.tail[:], part[whole:])
}

// unfinished is how many bytes at the end of s may be the beginning of a rune.
func unfinished(s string) int {
	for n := 1; n < utf8.UTFMax && n <= len(s); n++ {
		if c := s[len(s)-n]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRuneInString(s[len(s)-n:]) {
				return n
			}
			return 0
		}
	}
	return 0
}

// Assess scores what has come so far into *a, as [Scorer.AssessReply] does. Its
// cost is that of all the text so far but for folding it.
func (st *Stream) Assess(a *quorum.Assessment) {
	f := &st.folded
	text, runs, size := len(f.text), len(f.runs), f.size
	f.append(string(st.tail[:st.held])) // as if nothing followed
	f.seal()
	s := st.scorer
	w := s.pool.take(len(f.text))
	w.folded, *f = *f, w.folded
	w.assessFolded(s.table, s.linear, a, st.prompt, inReply)
	w.folded, *f = *f, w.folded
	w.reset()
	s.pool.give(w, len(f.text))
	f.text, f.runs, f.size = f.text[:text], f.runs[:runs], size
}
