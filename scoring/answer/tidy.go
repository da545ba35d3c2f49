package answer

import (
	"strings"
	"unicode/utf8"
)

// untidy reports whether v holds anything that tidy would change.
func untidy(v string) bool {
	for i := range len(v) {
		if c := v[i]; c == '\\' || c == '*' || c == '`' || c == '{' || c >= 0x80 {
			return true
		}
	}
	return false
}

// tidy takes out of a value what TeX and Markdown add to a number, and writes its
// operators the plain way: \(\dfrac{1}{2}\) is (1)/(2), 1{,}000 is 1,000.
func tidy(v string) string {
	b := make([]byte, 0, len(v)+8)
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case c == '\\':
			n, out := command(v[i+1:], &b)
			b = append(b, out...)
			i += n
		case c == '*' && (i+1 < len(v) && v[i+1] == '*' || i > 0 && v[i-1] == '*'), c == '`':
		case c == '{' && strings.HasPrefix(v[i:], "{,}"):
			b = append(b, ',')
			i += 2
		case c >= 0x80:
			n, out := sign(v[i:])
			b = append(b, out...)
			i += n - 1
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

// command reads the TeX command after a backslash and returns how many bytes it
// takes and what stands for it. What is more than a sign is
// written to b.
func command(s string, b *[]byte) (n int, out string) {
	for n < len(s) && isAlpha(s[n]) {
		n++
	}
	switch name := s[:n]; name {
	case "":
		if s == "" {
			return 0, ""
		}
		switch s[0] {
		case '(', ')', '[', ']', '!':
			return 1, ""
		case ',', ';', ':', ' ', '\\', '\n':
			return 1, " "
		case '%', '$', '{', '}', '#', '&':
			return 1, s[:1]
		}
		return 0, ""
	case "frac", "dfrac", "tfrac":
		top, m, ok := argument(s[n:])
		if !ok {
			return n, " "
		}
		below, k, ok := argument(s[n+m:])
		if !ok {
			return n, " "
		}
		// 2\frac{1}{2} is a mixed number.
		if k := len(*b); k > 0 && isDigit((*b)[k-1]) {
			*b = append(*b, ' ')
		}
		plain := len(top) == digits(top, 0) && len(below) == digits(below, 0)
		*b = appendPart(*b, top, plain)
		*b = append(*b, '/')
		*b = appendPart(*b, below, plain)
		return n + m + k, ""
	case "text", "mathrm", "textbf", "mathbf", "mbox", "boxed", "operatorname", "textit":
		inside, m, ok := argument(s[n:])
		if !ok {
			return n, " "
		}
		*b = append(*b, ' ')
		if name == "boxed" && len(*b) > 0 {
			*b = append(*b, tidy(inside)...)
		} else {
			*b = append(*b, strings.TrimSpace(inside)...)
		}
		return n + m, " "
	case "cdot", "times":
		return n, "*"
	case "div":
		return n, "/"
	case "approx", "equiv":
		return n, "="
	case "circ", "degree":
		for k := len(*b); k > 0 && ((*b)[k-1] == '^' || (*b)[k-1] == '{'); k-- {
			*b = (*b)[:k-1]
		}
		return n, " "
	case "left", "right", "displaystyle", "quad", "qquad", "Rightarrow", "implies":
		return n, " "
	}
	return n, "\\" + s[:n]
}

func appendPart(dst []byte, part string, plain bool) []byte {
	if plain {
		return append(dst, part...)
	}
	dst = append(dst, '(')
	dst = append(dst, part...)
	return append(dst, ')')
}

// argument is the {…} or the single character s opens with.
func argument(s string) (inside string, n int, ok bool) {
	i := skip(s, 0, " ")
	if i == len(s) {
		return "", 0, false
	}
	if s[i] != '{' {
		return s[i : i+1], i + 1, isAlnum(s[i])
	}
	depth := 0
	for j := i; j < len(s); j++ {
		switch s[j] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return s[i+1 : j], j + 1, true
			}
		}
	}
	return "", 0, false
}

// sign is the plain spelling of the character s opens with, and its length.
func sign(s string) (n int, out string) {
	for _, r := range [...]struct{ is, plain string }{
		{"−", "-"}, {"–", "-"}, {"×", "*"}, {"·", "*"}, {"÷", "/"}, {"≈", "="}, {"⁄", "/"},
		{"°", ""}, {"½", " 1/2"}, {"¼", " 1/4"}, {"¾", " 3/4"}, {"\u00a0", " "}, {"\u202f", ""}, {"\u2009", ""},
		{"－", "-"}, {"，", ","}, {"．", "."}, {"“", ""}, {"”", ""}, {"‘", ""}, {"’", "'"},
	} {
		if strings.HasPrefix(s, r.is) {
			return len(r.is), r.plain
		}
	}
	// The digits of other scripts.
	r, n := utf8.DecodeRuneInString(s)
	for _, zero := range [...]rune{'０', '٠', '۰', '०', '০'} {
		if d := r - zero; d >= 0 && d < 10 {
			return n, "0123456789"[d : d+1]
		}
	}
	// Any other character stays, whole.
	for n = 1; n < len(s) && s[n]&0xc0 == 0x80; n++ {
	}
	return n, s[:n]
}
