package canon

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
)

func TestTransform(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"members are sorted and white space goes", "{ \"b\": [1, 2],\n\"a\" :true}", `{"a":true,"b":[1,2]}`},
		{"keys sort by UTF-16 code units", `{"\ud83d\ude00":1,"\ufb33":2,"a":3}`, "{\"a\":3,\"\U0001F600\":1,\"\ufb33\":2}"},
		{"only what must be is escaped", `"\u0041\/\u000a\u001f\u20ac"`, "\"A/\\n\\u001f\u20ac\""},
		{"negative integers stay", `[-7,0]`, `[-7,0]`},
	}
	for _, tt := range tests {
		got, err := Transform([]byte(tt.in))
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: Transform(%s) = %s, %v; want %s", tt.name, tt.in, got, err, tt.want)
		}
		r := NewReader(got)
		if raw := r.Raw(); r.End() != nil || !bytes.Equal(raw, got) {
			t.Errorf("%s: Reader refuses %s: %v", tt.name, got, r.Err())
		}
	}
	for _, bad := range []string{`1.5`, `null`, `{"a":1,"a":2}`, `9007199254740993`, `1e3`, `{`, `[1] 2`, ``} {
		if got, err := Transform([]byte(bad)); !errors.Is(err, ErrNotCanonical) {
			t.Errorf("Transform(%s) = %s, %v; want ErrNotCanonical", bad, got, err)
		}
	}
}

func TestReaderRefusesWhatIsNotCanonical(t *testing.T) {
	for _, bad := range []string{
		`{"b":1,"a":2}`, `{"a":1,"a":2}`, `{ "a":1}`, `01`, `-0`, `[1,]`, `"\u0041"`, `"\/"`, "\"\x01\"",
		"\"\xff\"", `"\u000a"`, `tru`, `9007199254740993`, `"a`, `nul`, `-`, `{"a"}`, `[1 2]`,
	} {
		r := NewReader([]byte(bad))
		r.Raw()
		if err := r.End(); !errors.Is(err, ErrNotCanonical) {
			t.Errorf("Reader takes %s", bad)
		}
	}
}

// What the reader takes, Transform leaves as it is; and a string written by
// AppendString reads back.
func FuzzReader(f *testing.F) {
	for _, s := range []string{`{"a":[1,true,"x\n"]}`, `"\u001f€"`, `[]`, `{"b":1,"a":2}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r := NewReader(in)
		raw := r.Raw()
		if r.End() == nil {
			again, err := Transform(raw)
			if err != nil || !bytes.Equal(again, in) {
				t.Fatalf("reader took %q, Transform gives %q, %v", in, again, err)
			}
		}
		r = NewReader(AppendString(nil, string(in)))
		s := r.String()
		if r.End() != nil {
			t.Fatalf("own string refused: %v", r.Err())
		}
		var std string
		if err := json.Unmarshal(AppendString(nil, string(in)), &std); err != nil || std != s {
			t.Fatalf("encoding/json reads %q, %v; we read %q", std, err, s)
		}
	})
}
