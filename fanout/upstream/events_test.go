package upstream

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// taken is a sink that keeps what it gets, and is done at an event "[DONE]".
type taken struct {
	events []string // "name|data"
	ended  bool
}

var errUnfinished = &Error{Class: Truncated, Reason: "no end"}

func (s *taken) Event(name, data []byte) (bool, error) {
	s.events = append(s.events, string(name)+"|"+string(data))
	return string(data) == "[DONE]", nil
}

func (s *taken) End() error {
	s.ended = true
	return errUnfinished
}

// whole feeds text in pieces of n bytes, and its end.
func whole(text string, n, limit int) (*taken, bool, error) {
	var e events
	var s taken
	e.reset(limit)
	for piece := range slices.Chunk([]byte(text), n) {
		if done, err := e.feed(piece, &s); done || err != nil {
			return &s, done, err
		}
	}
	return &s, false, e.end(&s)
}

func TestEvents(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"one event", "data: a\n\n", []string{"|a"}},
		{"two", "data: a\n\ndata: b\n\n", []string{"|a", "|b"}},
		{"a name", "event: ping\ndata: {}\n\n", []string{"ping|{}"}},
		{"a name behind the data", "data: {}\nevent: ping\n\n", []string{"ping|{}"}},
		{"a name is for one event", "event: ping\ndata: 1\n\ndata: 2\n\n", []string{"ping|1", "|2"}},
		{"a name without data is no event", "event: ping\n\ndata: 2\n\n", []string{"|2"}},
		{"lines of data are joined", "data: a\ndata:\ndata: b\n\n", []string{"|a\n\nb"}},
		{"empty data is an event", "data:\n\n", []string{"|"}},
		{"a field without colon", "data\n\n", []string{"|"}},
		{"one space goes", "data:  a\n\ndata:b\n\n", []string{"| a", "|b"}},
		{"colons in data stay", "data: a:b: c\n\n", []string{"|a:b: c"}},
		{"comments", ": hello\n\n:\ndata: a\n: in between\n\n", []string{"|a"}},
		{"ids, retry times and unknown fields", "id: 7\nretry: 100\nfoo: bar\ndata: a\n\n", []string{"|a"}},
		{"carriage returns", "data: a\r\rdata: b\r\r", []string{"|a", "|b"}},
		{"both", "data: a\r\n\r\ndata: b\r\n\r\n", []string{"|a", "|b"}},
		{"all three", "data: a\r\n\ndata: b\n\r\ndata: c\r\n\r\n", []string{"|a", "|b", "|c"}},
		{"a byte order mark", "\xef\xbb\xbfdata: a\n\n", []string{"|a"}},
		{"a byte order mark later on is part of a field's name", "data: a\n\n\xef\xbb\xbfdata: b\n\n", []string{"|a"}},
		{"the last without an empty line", "data: a\n\ndata: b\n", []string{"|a", "|b"}},
		{"the last without its line's end", "data: a\n\ndata: b", []string{"|a", "|b"}},
		{"nothing", "", nil},
		{"nothing after the one that is done", "data: [DONE]\n\ndata: more\n\n", []string{"|[DONE]"}},
	} {
		for n := 1; n <= max(len(tt.text), 1); n++ {
			got, done, err := whole(tt.text, n, 1<<10)
			ends := slices.Contains(tt.want, "|[DONE]")
			if !slices.Equal(got.events, tt.want) || done != ends || got.ended == ends || !ends && err != errUnfinished {
				t.Errorf("%s, in pieces of %d: %q, done %v, %v; want %q", tt.name, n, got.events, done, err, tt.want)
			}
		}
	}
}

func TestAnEventOverTheLimit(t *testing.T) {
	for name, text := range map[string]string{
		"in one line":          "data: " + strings.Repeat("x", 100) + "\n\n",
		"in many lines":        strings.Repeat("data: xxxx\n", 30) + "\n",
		"a name":               "event: " + strings.Repeat("x", 100) + "\ndata: a\n\n",
		"a comment":            ":" + strings.Repeat("x", 100) + "\n",
		"a line that does not": strings.Repeat("x", 100),
	} {
		for _, n := range []int{1, 7, len(text)} {
			if got, _, err := whole(text, n, 64); err != errEvent || len(got.events) > 0 {
				t.Errorf("%s, in pieces of %d: %v, %q", name, n, err, got.events)
			}
		}
	}
	// Many small events are within it.
	if got, _, err := whole(strings.Repeat("data: x\n\n", 1000), 100, 64); err != errUnfinished || len(got.events) != 1000 {
		t.Errorf("%d events, %v", len(got.events), err)
	}
}

// plainEvents is the parser once more, slow and obvious, on a whole stream.
func plainEvents(text string) (all []string) {
	text = strings.TrimPrefix(text, "\xef\xbb\xbf")
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	name, data := "", []string(nil)
	for _, line := range append(strings.Split(text, "\n"), "") {
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			if data != nil {
				all = append(all, name+"|"+strings.Join(data, "\n"))
			}
			name, data = "", nil
		case field == "event":
			name = value
		case field == "data":
			data = append(data, value)
		}
	}
	return all
}

func FuzzEvents(f *testing.F) {
	for _, seed := range []string{"data: a\n\n", "event: e\r\ndata: {}\r\n\r\n: c\n\ndata: b", "\xef\xbb\xbfdata:\n\n", "data: a\rdata: b\r\r", "data: [DONE]\n\nx", ""} {
		f.Add(seed, uint8(3))
	}
	f.Fuzz(func(t *testing.T, text string, n uint8) {
		const limit = 256
		once, done, err := whole(text, max(len(text), 1), limit)
		parts, again, partsErr := whole(text, int(n)+1, limit)
		if !errors.Is(err, errEvent) && !errors.Is(partsErr, errEvent) {
			if !slices.Equal(once.events, parts.events) || done != again || err != partsErr {
				t.Fatalf("whole %q %v %v, in parts %q %v %v", once.events, done, err, parts.events, again, partsErr)
			}
			want := plainEvents(text)
			if at := slices.Index(want, "|[DONE]"); at >= 0 {
				want = want[:at+1]
			} else if at := slices.IndexFunc(want, func(e string) bool { return strings.HasSuffix(e, "|[DONE]") }); at >= 0 {
				want = want[:at+1]
			}
			if !slices.Equal(once.events, want) {
				t.Fatalf("%q, want %q", once.events, want)
			}
		}
		for _, e := range append(once.events, parts.events...) {
			if len(e) > limit+1 {
				t.Fatalf("an event of %d bytes", len(e))
			}
		}
	})
}
