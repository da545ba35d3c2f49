package answer

import "strings"

// document finds the JSON document of a reply: the value of its answer field, if
// it has one, else the last object or list in it that is whole.
func document(text string) (a Answer) {
	a = settle(text, documentKey, func(string) (key, shown string) { return "", "" })
	if a.Key != "" {
		return a
	}
	whole := strings.TrimSpace(text)
	if key, shown := documentKey(whole); key != "" {
		return Answer{Key: key, Shown: shown}
	}
	// A bracket that opens nothing costs a look to the end of the text: only so
	// many.
	tries := 32
	var l literal
	for i := 0; i < len(text) && tries > 0; {
		at := strings.IndexAny(text[i:], "{[")
		if at < 0 {
			break
		}
		i += at
		end, ok := l.scan(text, i)
		if !ok {
			i++
			tries--
			continue
		}
		key, shown := documentKey(text[i:end])
		a.Ambiguous = a.Ambiguous || a.Key != "" && a.Key != key
		a.Key, a.Shown = key, shown
		i = end
	}
	return a
}

// documentKey is the canonical form of v, where v is one JSON value.
func documentKey(v string) (key, shown string) {
	v = strings.TrimSpace(v)
	if strings.HasPrefix(v, "```") {
		v = fenced(v)
	}
	if v == "" {
		return "", ""
	}
	var spans [16]span
	l := literal{out: make([]byte, 0, len(v)+len(v)/8+8), spans: spans[:0]}
	if !l.canonical(v) {
		return "", ""
	}
	return string(l.out), v
}
