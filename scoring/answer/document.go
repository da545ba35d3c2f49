package answer

import "strings"

// document finds the JSON document of a reply: the value of its answer field, if
// it has one; else the last object or list in it that is whole, one that stands
// on lines of its own before one within a sentence.
func document(text string) Answer {
	var found statements
	found.find(text)
	found.only(field) // a phrase within a document is part of it
	a := found.settle(text, func(value string) (f finding) {
		f.key, f.shown = documentKey(value)
		return f
	}, func(string) finding { return finding{} })
	if a.Key == "" {
		a.Key, a.Shown = documentKey(text)
	}
	if a.Key == "" {
		f := lastDocument(text)
		a = Answer{Key: f.key, Shown: f.shown, Ambiguous: f.doubtful}
	}
	return a
}

// lastDocument is the last document of a text; doubtful where there are several.
func lastDocument(text string) (f finding) {
	// A bracket that opens nothing costs a look to the end of the text: only so
	// many.
	tries := 32
	var l literal
	best, edge := false, 0
	object, array := -1, -1 // where the next bracket of each sort is
	for i := 0; tries > 0; {
		object, array = next(text, '{', i, object), next(text, '[', i, array)
		if i = min(object, array); i == len(text) {
			break
		}
		end, ok := l.scan(text, i)
		if !ok {
			i++
			tries--
			continue
		}
		key, shown := documentKey(text[i:end])
		apart := displayed(text, i, end)
		switch {
		case key == "" || best && !apart:
		case f.key == "" || f.key == key || apart && !best:
			f = finding{key: key, shown: shown}
		default:
			f = finding{key: key, shown: shown, doubtful: !corrects(text[edge:i])}
		}
		best = best || apart
		edge, i = end, end
	}
	return f
}

// next is where c stands next in text[from:], len(text) for nowhere, given where it
// was found before.
func next(text string, c byte, from, found int) int {
	if found >= from {
		return found
	}
	if i := strings.IndexByte(text[from:], c); i >= 0 {
		return from + i
	}
	return len(text)
}

// displayed reports whether text[from:end] stands on lines of its own.
func displayed(text string, from, end int) bool {
	for from > 0 && (text[from-1] == ' ' || text[from-1] == '\t') {
		from--
	}
	end = skip(text, end, " \t;\r")
	return (from == 0 || text[from-1] == '\n') && (end == len(text) || text[end] == '\n')
}

// documentKey is the canonical form of v, where v is one JSON value.
func documentKey(v string) (key, shown string) {
	v = strings.TrimSpace(v)
	if strings.HasPrefix(v, "```") {
		v = fenced(v)
	}
	var spans [16]span
	var l literal
	if end, ok := l.scan(v, 0); !ok || blank(v, end) != len(v) {
		return "", "" // found out before anything is written
	}
	l = literal{out: make([]byte, 0, len(v)+len(v)/8+8), spans: spans[:0]}
	if !l.canonical(v) {
		return "", ""
	}
	return string(l.out), v
}
