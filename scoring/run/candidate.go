package run

import "strings"

// Candidate is the code in a reply: its last fenced block that holds anything,
// else, where no fence opens, the whole reply. A block that nothing closes goes
// on to the end. It is "" where there is no code, shares the reply's memory, and
// is linear in it.
func Candidate(reply string) string {
	last, fenced := "", false
	keep := func(block string) {
		if strings.TrimSpace(block) != "" {
			last = block
		}
	}
	var open string // the fence of the block that line stands in; "" outside
	begun := 0
	for at := 0; at < len(reply); {
		end := len(reply)
		if i := strings.IndexByte(reply[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		fence, rest := fenceOf(reply[at:end])
		switch {
		case fence == "":
		case open == "":
			if fence[0] == '`' && strings.Contains(rest, "`") {
				break // a line of code in prose: ```x = 1```
			}
			open, fenced, begun = fence, true, end
		case fence[0] == open[0] && len(fence) >= len(open) && strings.TrimSpace(rest) == "":
			keep(reply[begun:at])
			open = ""
		}
		at = end
	}
	switch {
	case open != "":
		keep(reply[begun:])
	case !fenced && strings.TrimSpace(reply) != "":
		return reply
	}
	return last
}

// fenceOf is the fence that line begins with, three or more ` or ~ behind at most
// three blanks, and what follows it; "" if there is none.
func fenceOf(line string) (fence, rest string) {
	s := strings.TrimLeft(line, " ")
	if len(line)-len(s) > 3 || s == "" || s[0] != '`' && s[0] != '~' {
		return "", ""
	}
	rest = strings.TrimLeft(s, s[:1])
	if fence = s[:len(s)-len(rest)]; len(fence) < 3 {
		return "", ""
	}
	return fence, rest
}
