package sim

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
)

const handMade = `{"id":"q-1","prompt":"Which letter?\nA. this\nB. that","truth":"B","kind":"choice","n_options":2,"category":"law","replies":[{"model":"big/plain","text":"The answer is B."},{"model":"small","text":"A"}]}

{"id":"q-2","prompt":"","truth":null,"kind":"open","replies":[{"model":"big/plain","text":"long","score":7.5},{"model":"small","text":"short","score":3}]}
{"id":"q-3","prompt":"Motion: it is so.","truth":"approve","kind":"vote","replies":[{"model":"big/plain","text":"Output (a)","vote":"approve"},{"model":"small","text":"Output (b)","vote":"abstain"}]}
{"id":"q-4","prompt":"Motion: it is so.","truth":"reject","kind":"vote","replies":[{"model":"big/plain","text":"no","vote":"reject"},{"model":"small","text":"no","vote":"reject"}]}
`

func zipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "made.jsonl.gz")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReplay(t *testing.T) {
	companions, err := Replay(zipped(t, handMade))
	if err != nil {
		t.Fatal(err)
	}
	if len(companions) != 2 || companions[0].ID != "BIG-PLAIN" || companions[0].Family != "big" || companions[1].ID != "SMALL" {
		t.Fatalf("companions %+v", companions)
	}
	s, urls := start(t, companions...)
	for _, tt := range []struct{ name, prompt, text, stance string }{
		{"by prompt", `Which letter?\nA. this\nB. that`, "The answer is B.", ""},
		{"white space around does not matter", `Which letter?\nA. this\nB. that\n`, "The answer is B.", ""},
		{"by id, as there is no prompt", "q-2", "long", ""},
		{"by id, though there is a prompt", "q-1", "The answer is B.", ""},
		{"the recorded vote is the stance", "Motion: it is so.", "Output (a)", "approve"},
		{"the second item of the same prompt by its id", "q-4", "no", "reject"},
	} {
		var reply deliberateReply
		post(t, urls[0]+"/v1/deliberate", `{"prompt":"`+tt.prompt+`"}`, &reply)
		if reply.Response != tt.text || reply.Stance != tt.stance || reply.Model != "big/plain" || reply.Confidence != nil {
			t.Errorf("%s: %+v", tt.name, reply)
		}
	}
	var second deliberateReply
	if post(t, urls[1]+"/v1/deliberate", `{"prompt":"Motion: it is so."}`, &second); second.Stance != "abstain" {
		t.Errorf("the second model: %+v", second)
	}
	if res := post(t, urls[0]+"/v1/deliberate", `{"prompt":"something else"}`, nil); res.StatusCode != 404 {
		t.Errorf("an unrecorded prompt: status %d, want 404", res.StatusCode)
	}
	if s.Asked("SMALL") != 1 {
		t.Errorf("SMALL was asked %d times", s.Asked("SMALL"))
	}
}

func TestReadRecording(t *testing.T) {
	rec, err := ReadRecording(strings.NewReader(handMade), "made") // not zipped
	if err != nil {
		t.Fatal(err)
	}
	if len(rec.Items) != 4 || len(rec.Models) != 2 || rec.Name != "made" {
		t.Fatalf("recording %+v", rec)
	}
	if got := rec.Items[0].Options(); len(got) != 2 || got[1] != "B" {
		t.Errorf("options %v", got)
	}
	for i, want := range []string{rec.Items[0].Prompt, "q-2", "Motion: it is so.", "q-4"} {
		if rec.Items[i].Ask != want {
			t.Errorf("item %d is asked as %q, want %q", i, rec.Items[i].Ask, want)
		}
	}
	if kind, err := rec.Items[1].Kind.Kind(); kind != quorum.Text || err != nil {
		t.Errorf("open is asked as %v, %v", kind, err)
	}
	if _, err := rec.Companions([]string{"nobody"}); !errors.Is(err, ErrRecording) {
		t.Errorf("an unknown model: %v", err)
	}
}

func TestReadRecordingRefuses(t *testing.T) {
	reply := `"replies":[{"model":"a","text":"x"}]`
	for _, tt := range []struct{ name, text string }{
		{"nothing", ""},
		{"no JSON", "hello\n"},
		{"half a line", `{"id":"1","kind":"short","repl`},
		{"no id", `{"prompt":"p","kind":"short",` + reply + `}`},
		{"no replies", `{"id":"1","prompt":"p","kind":"short","replies":[]}`},
		{"a reply without model", `{"id":"1","prompt":"p","kind":"short","replies":[{"text":"x"}]}`},
		{"an unknown kind", `{"id":"1","prompt":"p","kind":"riddle",` + reply + `}`},
		{"a choice without options", `{"id":"1","prompt":"p","kind":"choice",` + reply + `}`},
		{"too many options", `{"id":"1","prompt":"p","kind":"choice","n_options":27,` + reply + `}`},
		{"an unknown vote", `{"id":"1","prompt":"p","kind":"vote","replies":[{"model":"a","text":"x","vote":"maybe"}]}`},
		{"an id twice", `{"id":"1","prompt":"p","kind":"short",` + reply + "}\n" + `{"id":"1","prompt":"q","kind":"short",` + reply + `}`},
		{"other models", `{"id":"1","prompt":"p","kind":"short",` + reply + "}\n" + `{"id":"2","prompt":"q","kind":"short","replies":[{"model":"b","text":"x"}]}`},
		{"an id that is an earlier prompt", `{"id":"1","prompt":"2","kind":"short",` + reply + "}\n" + `{"id":"2","prompt":"","kind":"open",` + reply + `}`},
		{"a broken zip", "\x1f\x8bnot a zip"},
		{"a line without end", `{"id":"` + strings.Repeat("x", maxLine) + `"}`},
	} {
		if _, err := ReadRecording(strings.NewReader(tt.text), "made"); !errors.Is(err, ErrRecording) {
			t.Errorf("%s: %v, want ErrRecording", tt.name, err)
		}
	}
	if _, err := OpenRecording(filepath.Join(t.TempDir(), "none.jsonl.gz")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := Replay(zipped(t, "x\n")); !errors.Is(err, ErrRecording) || !strings.Contains(err.Error(), "made.jsonl.gz: ") {
		t.Errorf("the error does not name the file: %v", err)
	}
}

func TestIDs(t *testing.T) {
	got := IDs([]string{"gpt-4o-2024-08-06", "GPT-4/plain", "GPT-4.plain", "Llama_3.1", "_.", strings.Repeat("x", 99), strings.Repeat("X", 98)})
	for i, want := range []string{"GPT-4O-2024-08-06", "GPT-4-PLAIN", "GPT-4-PLAIN_2", "LLAMA_3-1", "MODEL", strings.Repeat("X", maxID), strings.Repeat("X", maxID-2) + "_2"} {
		if string(got[i]) != want || !got[i].Valid() {
			t.Errorf("id %d = %q (%d), want %q", i, got[i], len(got[i]), want)
		}
	}
}

func FuzzReadRecording(f *testing.F) {
	f.Add([]byte(handMade))
	f.Add([]byte("\x1f\x8b"))
	f.Add([]byte(`{"id":"1","kind":"choice","n_options":-1}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		rec, err := ReadRecording(bytes.NewReader(file), "fuzz")
		if err != nil {
			if !errors.Is(err, ErrRecording) {
				t.Errorf("%v is no ErrRecording", err)
			}
			return
		}
		companions, err := rec.Companions(rec.Models)
		if err != nil {
			// A model's name may come twice on a line; then the first is meant.
			t.Fatal(err)
		}
		for i := range rec.Items {
			for _, c := range companions {
				if _, err := c.Voice.Reply(&Ask{Prompt: rec.Items[i].Ask}); err != nil {
					t.Errorf("item %d of model %s: %v", i, c.Model, err)
				}
			}
		}
	})
}
