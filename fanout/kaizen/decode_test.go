package kaizen

import (
	"errors"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/fanout/upstream"
	"github.com/kaizen-os/deliberation/quorum"
)

func TestDecodeReply(t *testing.T) {
	for _, tt := range []struct {
		name string
		body string
		want quorum.Reply
		err  error
	}{
		{"everything", `{"response":"42","stance":"approve","confidence":0.9,"rationale":"six \"sevens\"\n","model":"x-1","usage":{"inputTokens":31,"outputTokens":120}}`,
			quorum.Reply{Text: "42", Stance: quorum.Approve, Confidence: 900_000, Rationale: "six \"sevens\"\n", Model: "x-1",
				Usage: quorum.Usage{InputTokens: 31, OutputTokens: 120}}, nil},
		{"the least", ` {"response":""} `, quorum.Reply{Confidence: -1}, nil},
		{"nulls are not stated", `{"response":"a","stance":null,"confidence":null,"rationale":null,"model":null,"usage":null}`, quorum.Reply{Text: "a", Confidence: -1}, nil},
		{"null counts", `{"response":"a","usage":{"inputTokens":null,"cached":{"n":[1,2]}}}`, quorum.Reply{Text: "a", Confidence: -1}, nil},
		{"unknown fields", `{"id":[{"a":null}],"response":"a","extra":{"b":[1,"2"]}}`, quorum.Reply{Text: "a", Confidence: -1}, nil},
		{"an escaped name", `{"re\u0073ponse":"\u00e9\ud83d\ude00\/"}`, quorum.Reply{Text: "é😀/", Confidence: -1}, nil},
		{"no confidence at all is 0", `{"response":"a","confidence":0}`, quorum.Reply{Text: "a"}, nil},
		{"confidence rounds to a millionth", `{"response":"a","confidence":0.12345678}`, quorum.Reply{Text: "a", Confidence: 123_457}, nil},
		{"confidence with an exponent", `{"response":"a","confidence":5e-1}`, quorum.Reply{Text: "a", Confidence: 500_000}, nil},

		{"nothing", ``, quorum.Reply{}, errMalformed},
		{"not json", `<html>`, quorum.Reply{}, errMalformed},
		{"not an object", `"42"`, quorum.Reply{}, errMalformed},
		{"null", `null`, quorum.Reply{}, errMalformed},
		{"cut short", `{"response":"4`, quorum.Reply{}, errMalformed},
		{"cut short after a member", `{"response":"4"`, quorum.Reply{}, errMalformed},
		{"a comma too many", `{"response":"4",}`, quorum.Reply{}, errMalformed},
		{"two values", `{"response":"4"}{"response":"5"}`, quorum.Reply{}, errMalformed},
		{"a name twice", `{"response":"4","response":"5"}`, quorum.Reply{}, errMalformed},
		{"bad utf-8", "{\"response\":\"\xff\"}", quorum.Reply{}, errMalformed},
		{"a number for the response", `{"response":42}`, quorum.Reply{}, errMalformed},
		{"a string for the confidence", `{"response":"a","confidence":"0.9"}`, quorum.Reply{}, errMalformed},
		{"a list for the usage", `{"response":"a","usage":[]}`, quorum.Reply{}, errMalformed},
		{"no response", `{"stance":"approve"}`, quorum.Reply{}, errNoResponse},
		{"a null response", `{"response":null}`, quorum.Reply{}, errNoResponse},
		{"a stance of its own", `{"response":"a","stance":"maybe"}`, quorum.Reply{}, errStance},
		{"confidence above 1", `{"response":"a","confidence":90}`, quorum.Reply{}, errConfidence},
		{"confidence below 0", `{"response":"a","confidence":-0.1}`, quorum.Reply{}, errConfidence},
		{"confidence beyond all", `{"response":"a","confidence":1e999}`, quorum.Reply{}, errConfidence},
		{"tokens below 0", `{"response":"a","usage":{"inputTokens":-1}}`, quorum.Reply{}, errTokens},
		{"tokens in parts", `{"response":"a","usage":{"outputTokens":1.5}}`, quorum.Reply{}, errTokens},
		{"tokens beyond belief", `{"response":"a","usage":{"outputTokens":9223372036854775807}}`, quorum.Reply{}, errTokens},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := quorum.Reply{Companion: "AUREA", Attempts: 1}
			got := before
			err := DecodeReply([]byte(tt.body), &got)
			if err != tt.err {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			want := before
			if err == nil {
				want = tt.want
				want.Companion, want.Attempts = before.Companion, before.Attempts
			}
			if got != want {
				t.Errorf("got %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestDecodeKeepsNothingOfTheBody(t *testing.T) {
	body := []byte(`{"response":"plain text","rationale":"es\"caped","model":"x-1"}`)
	var r quorum.Reply
	if err := DecodeReply(body, &r); err != nil {
		t.Fatal(err)
	}
	clear(body) // as when the next reply is read into the same buffer
	if r.Text != "plain text" || r.Rationale != `es"caped` || r.Model != "x-1" {
		t.Errorf("changed to %+v", r)
	}
}

func TestDecodeHealth(t *testing.T) {
	for body, want := range map[string]Health{
		``:                                     {Healthy, 0},
		`OK`:                                   {Healthy, 0},
		`{}`:                                   {Healthy, 0},
		`{"latency":234}`:                      {Healthy, 234},
		`{"status":"healthy","latency":0}`:     {Healthy, 0},
		`{"status":"degraded","latency":12.5}`: {Degraded, 12.5},
		`{"status":"unhealthy","since":"now"}`: {Unhealthy, 0},
	} {
		if got, err := DecodeHealth([]byte(body)); err != nil || got != want {
			t.Errorf("%s: %+v, %v", body, got, err)
		}
	}
	for body, want := range map[string]error{`{"status":"fine"}`: errHealth, `{"status":1}`: errMalformed, `{"status":`: errMalformed} {
		if _, err := DecodeHealth([]byte(body)); err != want {
			t.Errorf("%s: %v, want %v", body, err, want)
		}
	}
}

func FuzzDecodeReply(f *testing.F) {
	for _, seed := range []string{
		`{"response":"42","stance":"approve","confidence":0.9,"rationale":"six","model":"x-1","usage":{"inputTokens":31,"outputTokens":120}}`,
		`{"response":"a\u0041","usage":null}`, `{"response":1}`, `[]`, ``, `{"a":{"b":[{}]},"response":"x"} `, "{\"response\":\"\xf0\x28\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var r quorum.Reply
		err := DecodeReply(body, &r)
		if err != nil {
			e, ok := errors.AsType[*upstream.Error](err)
			if !ok || e.Class != upstream.Malformed || r != (quorum.Reply{}) {
				t.Fatalf("%v, %+v", err, r)
			}
			return
		}
		if r.Confidence < -1 || r.Confidence > quorum.One || r.Usage.InputTokens < 0 || r.Usage.OutputTokens > maxTokens {
			t.Fatalf("out of range: %+v", r)
		}
		if strings.ToValidUTF8(r.Text, "") != r.Text || strings.ToValidUTF8(r.Rationale, "") != r.Rationale {
			t.Fatalf("not UTF-8: %+v", r)
		}
	})
}

func FuzzDecodeHealth(f *testing.F) {
	f.Add([]byte(`{"status":"healthy","latency":234}`))
	f.Add([]byte(`OK`))
	f.Fuzz(func(t *testing.T, body []byte) {
		h, err := DecodeHealth(body)
		if err == nil && h.Status != Healthy && h.Status != Degraded && h.Status != Unhealthy {
			t.Fatalf("%+v", h)
		}
	})
}
