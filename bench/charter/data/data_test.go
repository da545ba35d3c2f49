package data

import (
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	items, err := Read(strings.NewReader(`{"id":"a","g":"g1","source":"own","text":"Call 1","label":"bad","clause":5,"kind":"pii","spans":[[5,6,"PHONE"]]}

{"source":"own","label":"pair","text":"x","worse":"y","somethingNew":1}
`))
	if err != nil || len(items) != 2 {
		t.Fatalf("read %d items: %v", len(items), err)
	}
	if a := items[0]; a.Group != "g1" || a.Clause != 5 || len(a.Spans) != 1 || a.Spans[0] != (Span{5, 6, "PHONE"}) {
		t.Errorf("first item %+v", a)
	}
}

func TestReadRefuses(t *testing.T) {
	for _, tt := range []struct{ name, line, want string }{
		{"what is no JSON", `{`, "line 1"},
		{"no source", `{"label":"ok"}`, "no source"},
		{"a label nobody knows", `{"source":"a","label":"good"}`, "label"},
		{"a clause out of range", `{"source":"a","label":"ok","clause":8}`, "clause"},
		{"a pair without a worse text", `{"source":"a","label":"pair"}`, "worse"},
		{"a span that ends before it starts", `{"source":"a","label":"ok","spans":[[3,3,"X"]]}`, "span"},
		{"a span beyond the text, in characters", `{"source":"a","label":"ok","text":"é","spans":[[0,2,"X"]]}`, "text of 1 characters"},
		{"a span of two", `{"source":"a","label":"ok","spans":[[3,4]]}`, "span"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Read(strings.NewReader(tt.line))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}
