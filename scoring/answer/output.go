package answer

import "strings"

// output is what a line says that a program comes to: the True of "The output is
// True." and the 5 of "It adds them up. The function returns 5."; "" where its
// last sentence says no such thing, or goes on.
func output(line string) string {
	for i := len(line) - 1; i >= 0; i-- {
		if i > 0 && (line[i-1] != ' ' || i > 1 && line[i-2] != '.' && line[i-2] != ';') {
			continue
		}
		at := outputLead(line, i)
		if at < 0 {
			continue
		}
		value := strings.TrimSpace(line[at:])
		var l literal
		if value != "" && strings.IndexByte("[({'\"", value[0]) >= 0 {
			if end, ok := l.scan(value, 0); ok {
				if rest := strings.Trim(value[end:], " .!"); rest == "" {
					return value[:end]
				}
				return ""
			}
		}
		value = strings.TrimRight(value, " .!")
		if strings.Contains(value, ". ") || evades(value) {
			return ""
		}
		return value
	}
	return ""
}

// outputLead is where the value begins that the words at s[i:] lead to, or -1.
func outputLead(s string, i int) int {
	i = afterWords(s, skip(s, i, "*"), "so", "therefore", "thus", "hence", "the", "this", "final", "expected", "actual", "and")
	noun := afterOne(s, i, "output", "result", "return value", "returned value", "printed value")
	if noun < 0 {
		from := max(i, afterOne(s, i, "it", "function", "code", "program", "script", "snippet", "method", "call", "expression"))
		from = afterWords(s, from, "will", "would", "then", "simply")
		at := afterOne(s, from, "returns", "return", "prints", "print", "outputs", "evaluates to", "evaluate to")
		if at >= 0 && from <= i && (at == len(s) || !isDigit(s[at]) && strings.IndexByte("-[({'\"`", s[at]) < 0) {
			return -1 // Returns of the Day
		}
		return at
	}
	if of := afterOne(s, noun, "of"); of >= 0 {
		of = afterWords(s, of, "the", "this", "given")
		if noun = afterOne(s, of, "function call", "function", "code", "program", "script", "snippet", "method", "call", "expression"); noun < 0 {
			return -1
		}
	}
	if noun < len(s) && s[noun] == '=' || strings.HasSuffix(strings.TrimRight(s[:noun], " *"), ":") {
		return skip(s, noun, "= *")
	}
	return afterOne(s, noun, "is", "will be", "would be", "was")
}

// afterOne is where s goes on behind the one of words that stands at s[i:], with
// a space, a colon or emphasis; -1 if none does.
func afterOne(s string, i int, words ...string) int {
	for _, w := range words {
		if end := i + len(w); end < len(s) && hasFoldPrefix(s[i:], w) && strings.IndexByte(" :*", s[end]) >= 0 {
			return skip(s, end, " :*")
		}
	}
	return -1
}
