package main

import (
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/gateway"
	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/scoring/charter"
)

// The marks stand under what they mark, whatever the line is made of.
func TestScoreUnderlinesWhatItFound(t *testing.T) {
	long := strings.Repeat("word ", 40)
	for _, tt := range []struct{ name, text, want string }{
		{"in a plain line", "Hello.\nHer number is 536-22-8741, I think.", "" +
			"2 | Her number is 536-22-8741, I think.\n" +
			"  |               ^^^^^^^^^^^ privacy.ssn\n"},
		{"behind wide letters and a tab", "東京\t536-22-8741", "" +
			"1 | 東京 536-22-8741\n" +
			"  |      ^^^^^^^^^^^ privacy.ssn\n"},
		{"behind what is not shown", "\x1b[2J \u202e536-22-8741", "" +
			"1 | [2J 536-22-8741\n" +
			"  |     ^^^^^^^^^^^ privacy.ssn\n"},
		{"in a long line", long + "536-22-8741 " + long, "" +
			"1 | …word word word word word word word word 536-22-8741 " + strings.Repeat("word ", 13) + "wor…\n" +
			"  |  " + strings.Repeat(" ", 40) + "^^^^^^^^^^^ privacy.ssn\n"},
		{"two in one line", "536-22-8741 and 536-22-8742", "" +
			"1 | 536-22-8741 and 536-22-8742\n" +
			"  | ^^^^^^^^^^^ privacy.ssn\n" +
			"  |                 ^^^^^^^^^^^ privacy.ssn\n"},
		{"over several lines", "x\n-----BEGIN PRIVATE KEY-----\nzm7v/KYuWxoGpZq4zV+cehsUhA0Bu+qyUufYWgFf\n-----END PRIVATE KEY-----", "" +
			"2 | -----BEGIN PRIVATE KEY-----\n" +
			"  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^… privacy.privatekey\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := gateway.Explain(charter.New(), quorum.DefaultPolicy(), tt.text, quorum.Standard)
			plain := string(appendScore(nil, v, tt.text, paint{}))
			if !strings.Contains(plain, "\n\n"+tt.want+"\n") {
				t.Errorf("printed\n%s\nwant in it\n%s", plain, tt.want)
			}
			if coloured := string(appendScore(nil, v, tt.text, paint{on: true})); stripped(coloured) != plain || !strings.Contains(coloured, "\x1b["+underlined+";"+red+"m") {
				t.Errorf("with colours %q, without %q", coloured, plain)
			}
		})
	}
}

// stripped is s without the sequences that colour it.
func stripped(s string) string {
	for {
		before, after, ok := strings.Cut(s, "\x1b[")
		if !ok {
			return s
		}
		_, after, _ = strings.Cut(after, "m")
		s = before + after
	}
}

// What a server says of a text need not be true of it.
func TestScoreShowsNoPlaceThatIsNotThere(t *testing.T) {
	v := &wire.ValidateResponse{Score: 5000, Tier: "high", Minimum: 7500, Violations: []wire.Violation{
		{Clause: 5, Rule: "a", Severity: 500_000, Start: 3, End: 99},
		{Clause: 5, Rule: "b", Severity: 500_000, Start: -1, End: 2},
		{Clause: 5, Rule: "c", Severity: 500_000, Start: 2, End: 2},
		{Clause: 0, Rule: "d", Severity: 325_000, Start: 0, End: 5},
	}}
	const want = `50 of 100, below the high tier's 75 (rules )

a  clause 5    costs 0.5
b  clause 5    costs 0.5
c  clause 5    costs 0.5
d  as a whole  costs 0.325
not assessed: 
`
	if got := string(appendScore(nil, v, "héllo", paint{})); got != want {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
}
