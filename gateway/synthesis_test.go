package gateway

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

// sound is a synthesis as it is to be.
const sound = `## Consensus
- Six times seven is 42. [AUREA, ATLAS]
## Contradictions
- One says 40, which the others do not
  hold. [ZENITH]
## Partial coverage
None.
## Unique insights
- None
## Blind spots
- Nobody shows the working. [AUREA] [ATLAS] [ZENITH]`

const summed = `{"prompt":"Six times seven?","kind":"number","wait":"all","synthesis":"ATLAS",` + inFull

func TestASynthesisStandsBesideTheAnswer(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), turns(says("It is 42"), says("Here it is:\n\n"+sound+"\n")), says("40"), says("41. "+breaksCharter))})
	d := r.ask(summed + `}`)
	if d.Status != "carried" || d.Answer != "42" {
		t.Errorf("%s: %q", d.Status, d.Answer)
	}
	y := d.Synthesis
	if y == nil || y.Text != sound || y.Companion != "ATLAS" || y.Outcome != "ok" || y.Reason != "" || y.Score != 10_000 || y.Usage.CostMicroUSD != 271 || y.Attempts != 1 {
		t.Fatalf("synthesis %+v", y)
	}
	if d.Usage != (wire.Usage{InputTokens: 5 * 31, OutputTokens: 5 * 120, CostMicroUSD: 5 * 271}) {
		t.Errorf("usage %+v", d.Usage)
	}
	r.again(d)
	if opened := r.disclosure(r.get(d.Proof.Receipt + "?open=synthesis")).Opened; len(opened) != 1 || opened[0].Text != sound {
		t.Errorf("the receipt opens %+v", opened)
	}
	r.panel[1].next(t)
	prompt := r.panel[1].next(t).prompt(t)
	for _, want := range []string{"[AUREA] (position 1, held by ", "\n| It is 42\n", "[ZENITH] (position 2, held by ", "\n| 40\n", "Six times seven?", "## Partial coverage"} {
		if !strings.Contains(prompt, want) {
			t.Errorf("the prompt lacks %q:\n%s", want, prompt)
		}
	}
	if strings.Contains(prompt, "JADE") || strings.Contains(prompt, "SSN") {
		t.Errorf("a reply is quoted that does not count:\n%s", prompt)
	}
}

func TestASynthesisThatFailsChangesNothing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name            string
		writer          behaviour
		more            string
		outcome, reason string
	}{
		{"an error", fails(500), ``, "error", "http 500"},
		{"too late", hangs, `,` + laterDeadline, "late", "no answer before the deadline"},
		{"no sections", says("All agree on 42. [AUREA]"), ``, "ok", quorum.ReasonNotInForm},
		{"a section left out", says(strings.Replace(sound, "## Unique insights\n- None\n", "", 1)), ``, "ok", quorum.ReasonNotInForm},
		{"a section twice", says(sound + "\n## Consensus\nNone"), ``, "ok", quorum.ReasonNotInForm},
		{"a point without names", says(strings.Replace(sound, " [AUREA, ATLAS]", "", 1)), ``, "ok", quorum.ReasonUnnamed},
		{"a last point without names", says(sound + "\n- And one more."), ``, "ok", quorum.ReasonUnnamed},
		{"a companion that is none", says(strings.Replace(sound, "[ZENITH]", "[GHOST]", 1)), ``, "ok", quorum.ReasonStranger},
		{"a companion that wrote nothing here", says(strings.Replace(sound, "[ZENITH]", "[ZENITH, JADE]", 1)), ``, "ok", quorum.ReasonStranger},
		{"below the charter's minimum", says(sound + "\n- " + breaksCharter + " [AUREA]"), ``, "ok", quorum.ReasonCharter},
		{"an empty text", says(""), ``, "ok", quorum.ReasonEmpty},
		{"no money", says(sound), `,"maxCostMicroUsd":3100`, "busy", quorum.ReasonNoMoney},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			long := sends(`{"response":"40","usage":{"inputTokens":31,"outputTokens":2000}}`)
			r := start(t, setup{panel: panelOf(t, says("42"), turns(says("42"), tt.writer), long)})
			d := r.ask(summed + tt.more + `}`)
			if y := d.Synthesis; y == nil || y.Text != "" || y.Outcome != tt.outcome || y.Reason != tt.reason || y.Companion != "ATLAS" {
				t.Errorf("synthesis %+v", y)
			}
			if d.Status != "carried" || d.Answer != "42" {
				t.Errorf("%s: %q", d.Status, d.Answer)
			}
			r.again(d)
		})
	}
}

func TestNothingIsWrittenOfWhatHasNoAuthority(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), fails(500), fails(500))})
	d := r.ask(summed + `}`)
	if y := d.Synthesis; d.Status != "inquorate" || y == nil || y.Outcome != "unneeded" || y.Reason != quorum.ReasonNoAuthority {
		t.Errorf("%s, synthesis %+v", d.Status, y)
	}
	r.again(d)
}

// Replies may count and yet score too little to be put before others. The record
// says so, and whoever audits it finds the same.
func TestNothingIsWrittenWhereNoReplyMayBeShown(t *testing.T) {
	t.Parallel()
	low := says("42. Write to jonathan.m.whitfield@northgatemail.com about it.")
	r := start(t, setup{panel: panelOf(t, low, low, low), policy: func(p *quorum.Policy) { p.Deliberation = quorum.FurtherPolicy{QuoteMinimum: 9000} }})
	d := r.ask(summed + `}`)
	if y := d.Synthesis; d.Status != "carried" || y == nil || y.Outcome != "unneeded" || y.Reason != quorum.ReasonNothingToShow || y.Attempts != 0 {
		t.Errorf("%s, synthesis %+v", d.Status, y)
	}
	r.again(d)
}

// Who may be answered from the cache is not answered from it without the synthesis
// that failed once.
func TestAnAnswerWithoutItsSynthesisIsNotKept(t *testing.T) {
	t.Parallel()
	for name, writer := range map[string]behaviour{"an error": fails(500), "no sections": says("All agree. [AUREA]")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{panel: panelOf(t, says("42"), turns(says("42"), writer, says("42"), says(sound)), says("40"))})
			const body = summed + `,"cache":{"maxAgeSeconds":600}}`
			if d := r.askCached(body); d.Status != "carried" || d.Synthesis.Reason == "" {
				t.Fatalf("%s, %+v", d.Status, d.Synthesis)
			}
			if d := r.askCached(body); d.Cached || d.Synthesis.Text != sound {
				t.Errorf("cached %t, %+v", d.Cached, d.Synthesis)
			}
			if d := r.askCached(body); !d.Cached || d.Synthesis.Text != sound {
				t.Errorf("cached %t, %+v", d.Cached, d.Synthesis)
			}
		})
	}
}

// Until a steward has signed there is no text at all.
func TestAPendingOperationShowsNoSynthesis(t *testing.T) {
	t.Parallel()
	written := strings.NewReplacer("Six times seven is 42", "They approve", "[ZENITH]", "[AUREA]", ", ATLAS", "", " [ATLAS]", "").Replace(sound)
	r := start(t, setup{panel: panelOf(t, turns(votes("approve"), says(written)), votes("approve"), votes("approve"))})
	resp := r.post(`{"prompt":"Mint 5?","operation":"mic.mint","synthesis":"AUREA","judge":"AUREA","rounds":2,` + inFull + `}`)
	d := resp.deliberation(202)
	if d.Status != "pending" || d.Synthesis == nil || d.Synthesis.Outcome != "ok" || d.Synthesis.Reason != "" || d.Synthesis.Text != "" || strings.Contains(string(resp.body), "Blind spots") {
		t.Errorf("%s: %s", d.Status, resp.body)
	}
}

func TestSections(t *testing.T) {
	t.Parallel()
	wrote := []string{"AUREA", "B2"}
	five := func(first string) string {
		return first + "\n**Contradictions**\nNone.\n3. Partial coverage:\n_None_\n# UNIQUE INSIGHTS\n• Only one counts. [B2]\n\nBlind spots\nnone"
	}
	for name, tt := range map[string]struct {
		text, why, kept string
	}{
		"headings in any dress":           {five("### Consensus\nThey agree. [AUREA]"), "", ""},
		"a point over two paragraphs":     {five("Consensus\nThey agree.\n\nAll do. [AUREA]"), quorum.ReasonUnnamed, ""},
		"a point over two lines":          {five("Consensus\nThey agree,\nall do. [AUREA; B2]"), "", ""},
		"words before the first heading":  {five("Sure, [GHOST]!\nConsensus\n- Yes. [AUREA & B2]"), "", five("Consensus\n- Yes. [AUREA & B2]")},
		"brackets that are no names":      {five("Consensus\n- See [the list] and f[i]. [AUREA]"), "", ""},
		"a number in brackets is a name":  {five("Consensus\n- See [1]. [AUREA]"), quorum.ReasonStranger, ""},
		"a name inside of others":         {five("Consensus\n- Yes. [[AUREA]]"), "", ""},
		"a bracket that stays open":       {five("Consensus\n- Yes. [AUREA"), quorum.ReasonUnnamed, ""},
		"a heading inside of a sentence":  {five("Consensus\n- The consensus is wide. [AUREA]"), "", ""},
		"no headings at all":              {"They agree. [AUREA]", quorum.ReasonNotInForm, ""},
		"nothing":                         {"", quorum.ReasonNotInForm, ""},
		"a lower-case name is not a name": {five("Consensus\n- Yes. [aurea]"), quorum.ReasonUnnamed, ""},
	} {
		kept, why := sections(tt.text, wrote)
		if tt.kept == "" {
			tt.kept = tt.text
		}
		if why != tt.why || kept != tt.kept {
			t.Errorf("%s: %q, kept %q", name, why, kept)
		}
	}
}

func FuzzSections(f *testing.F) {
	f.Add(sound)
	f.Add("[[A],[]] [\n# Consensus\n[")
	f.Fuzz(func(t *testing.T, text string) {
		kept, why := sections(text, []string{"AUREA", "ATLAS", "ZENITH"})
		if why != "" {
			return
		}
		if again, why := sections(kept, []string{"AUREA", "ATLAS", "ZENITH"}); why != "" || again != kept {
			t.Fatalf("%q is kept as %q, which is not: %s", text, kept, why)
		}
	})
}

// What nobody sees is not quoted: no line breaks of other sorts, and nothing that
// turns the text around or carries letters unseen.
func TestPlain(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ text, want string }{
		"line breaks of every sort":               {"a\r\nb\rc\vd\fe\u0085f\u2028g\u2029h", "a\nb\nc\nd\ne\nf\ng\nh"},
		"control characters":                      {"a\x00\x1b[2J\x7f\u009bb\tc", "a[2Jb\tc"},
		"marks of direction, and what has none":   {"a\u202eb\u2066c\u200bd\ufeffe\u00adf", "abcdef"},
		"letters that only machines read":         {"a\U000e0041\U000e0042\U000e007fb", "ab"},
		"bytes as variations of what is before":   {"a\ufe0f\ufe00\U000e0100\U000e01efb", "ab"},
		"blanks that are letters to the letter":   {"a\u3164b\u115f\u1160\uffa0c\u034fd", "abcd"},
		"what joins letters, in their own script": {"\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \u0915\u094d\u200d\u0937", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \u0915\u094d\u200d\u0937"},
	} {
		if got := plain(tt.text); got != tt.want {
			t.Errorf("%s: %+q, want %+q", name, got, tt.want)
		}
	}
}

// Marks, and what stands for a name, are part of what may be quoted.
func TestQuotesKeepWithinTheirBound(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"short lines": strings.Repeat("a\n", 500) + "b", "short names": strings.Repeat("B2 ", 300), "both": strings.Repeat("B2\n", 300),
		"no end": strings.Repeat("é", 500), "empty lines": "a" + strings.Repeat("\n", 998) + "b",
	} {
		q := quoter{names: []string{"B2"}, most: 1000}
		if q.fits(text) {
			t.Errorf("%s is said to fit", name)
		}
		q.quote(text)
		kept, cut := strings.CutSuffix(q.String(), othersCut)
		if !cut || len(kept) > 1000 || len(kept) < 900 {
			t.Errorf("%s: %d bytes are quoted, cut %t", name, len(kept), cut)
		}
	}
	whole := quoter{most: 10}
	if text := "ab\ncd"; !whole.fits(text) { // "| ab\n| cd\n"
		t.Errorf("%q does not fit", text)
	}
	if whole.quote("ab\ncd"); whole.String() != "| ab\n| cd\n" {
		t.Errorf("quoted as %q", &whole)
	}
}

func FuzzQuote(f *testing.F) {
	f.Add("a\nb\r\n\u2028c", 100)
	f.Add("é\xff\x00| \u202e", 3)
	f.Add("\x85\xa4AUREA\u2029\U000e0041", 25)
	f.Add("a\n\nbcdefgh", 13)
	f.Add("a\n\nb", 7)
	f.Add("AU\ufe0fREA \u3164AUREA_2\u2029\U000e0041", 20)
	f.Fuzz(func(t *testing.T, text string, most int) {
		q := quoter{names: []string{"AUREA_2", "AUREA"}, most: max(most, 1)}
		q.quote(text)
		out, cut := strings.CutSuffix(q.String(), othersCut)
		if cut == q.fits(text) || len(out) > max(q.most, len(quoteMark)+utf8.UTFMax+1) {
			t.Fatalf("%q: cut %t, %d bytes of at most %d: %q", text, cut, len(out), q.most, out)
		}
		for line := range strings.SplitSeq(strings.TrimSuffix(out, "\n"), "\n") {
			if !strings.HasPrefix(line, quoteMark) || strings.ContainsAny(line, "\r\v\f\u0085\u2028\u2029\u202e\x00") {
				t.Fatalf("line %q of %q", line, out)
			}
		}
	})
}
