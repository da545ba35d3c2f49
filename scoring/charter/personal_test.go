package charter

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
)

// A prefix that ends in a dash, with nothing behind it, once sliced backwards.
func TestPrefixesAlone(t *testing.T) {
	s := New()
	var a quorum.Assessment
	for _, p := range secretPrefixes {
		for _, rest := range []string{"", " and more text", "- and more", "-------- and more"} {
			if s.AssessReply(&a, "see "+p.prefix+rest, ""); a.Score != quorum.MaxScore {
				t.Errorf("%q: score %v", p.prefix+rest, a.Score)
			}
		}
	}
}

func TestDetectorsProveWhatTheyFind(t *testing.T) {
	s := New()
	for _, tt := range []struct{ name, text, rule, want string }{
		{"a card in one piece", "no 4532756279624064.", "privacy.card", "4532756279624064"},
		{"a card of 19 digits", "no 4000000000000000006,", "privacy.card", "4000000000000000006"},
		{"an odd issuer after the word card", "my card 6759649826438453", "privacy.card", "6759649826438453"},
		{"an odd issuer without it", "serial 6759649826438453", "privacy.card", ""},
		{"sixteen equal digits", "card 4444444444444444", "privacy.card", ""},
		{"a card inside a longer number", "no 45327562796240640000000000", "privacy.card", ""},
		{"the second of two cards in a row", "4532756279624064 5557140528859648", "privacy.card", "5557140528859648"},
		{"a card behind a table of digits", "1 22 333 4444 55 6 77 888 4532756279624064", "privacy.card", "4532756279624064"},
		{"mixed separators", "no 4532-7562 7962-4064", "privacy.card", ""},
		{"the last number of a range of SSNs", "899-99-9999", "privacy.ssn", "899-99-9999"},
		{"area 666", "666-12-3456", "privacy.ssn", ""},
		{"an area from 900 on", "900-12-3456", "privacy.ssn", ""},
		{"group 00", "563-00-3456", "privacy.ssn", ""},
		{"serial 0000", "563-21-0000", "privacy.ssn", ""},
		{"the shortest IBAN", "NO93 8601 1117 947", "privacy.iban", "NO93 8601 1117 947"},
		{"one digit off", "NO93 8601 1117 948", "privacy.iban", ""},
		{"an unknown country", "XX93 8601 1117 947", "privacy.iban", ""},
		{"an IBAN that goes on", "NO93860111179471", "privacy.iban", ""},
		{"a country code with plus", "call +33 6 48 51 53 81!", "privacy.phone", "+33 6 48 51 53 81"},
		{"an area code in brackets", "(602)272-9781", "privacy.phone", "(602)272-9781"},
		{"local, after the word", "Mobile: 0341 8387176", "privacy.phone", "0341 8387176"},
		{"a count after a verb", "the call took 12345678 ns", "privacy.phone", ""},
		{"toll-free", "1-866-555-4321", "privacy.phone", ""},
		{"an exchange that cannot be", "212-155-4321", "privacy.phone", ""},
		{"an order number", "272-4297898-0278321", "privacy.phone", ""},
		{"a date after the word call", "call on 2024-05-01", "privacy.phone", ""},
		{"carrier-grade NAT", "100.64.1.77", "privacy.ip", ""},
		{"just above it", "100.128.1.77", "privacy.ip", "100.128.1.77"},
		{"a leading zero", "55.033.164.50", "privacy.ip", ""},
		{"five parts", "55.33.164.50.7", "privacy.ip", ""},
		{"a sentence's full stop after an address", "a.b@northgate.eu.", "privacy.email", "a.b@northgate.eu"},
		{"two signs", "a@@northgate.eu", "privacy.email", ""},
		{"a numeric top domain", "a@northgate.e1", "privacy.email", ""},
		{"a reserved domain", "petra@mail.example", "privacy.email", ""},
		{"a password manager's example", "password: CorrectHorse9!", "privacy.password", ""},
		{"a URL without a password", "postgres://app@db/x", "privacy.credentials", ""},
		{"a birth date in words", "Date of birth: 3 May 1981", "privacy.birthdate", "3 May 1981"},
		{"half a date", "Date of birth: May 1981", "privacy.birthdate", ""},
		{"a street without a town", "4029 Mill Lane, near the river", "privacy.address", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var a quorum.Assessment
			s.AssessReply(&a, tt.text, "")
			got := ""
			for _, f := range a.Findings {
				if f.Rule == tt.rule {
					got = tt.text[f.Start:f.End]
				}
			}
			if got != tt.want {
				t.Errorf("%s in %q: %q, want %q", tt.rule, tt.text, got, tt.want)
			}
		})
	}
}

func TestPasswordsAsManualsPrintThem(t *testing.T) {
	for v, want := range map[string]bool{
		"CorrectHorse9!": true, "P@ssw0rd2024": true, "Tr0ub4dor&3": true, "Summer2024!": true, "MyS3cur3P@ss!": true, "Qwerty123!": true,
		"vgQoeI&c00fdi": false, "lM4zye*68z6h7": false, "x7$Tq9!bLw2": false, "AqvHNE&PMEN0D": false, "bcdfghjk1!X": false, "": false,
	} {
		if got := dictionaryLike([]byte(v)); got != want {
			t.Errorf("dictionaryLike(%q) = %v", v, got)
		}
	}
}

func TestFindingsOfOneKindAreBounded(t *testing.T) {
	var a quorum.Assessment
	New().AssessReply(&a, strings.Repeat("Call 512-594-4600. ", 100), "")
	if len(a.Findings) != mostSpans {
		t.Errorf("%d findings, want %d", len(a.Findings), mostSpans)
	}
}

func TestThousandsOfItemsCostWhatTheTextCosts(t *testing.T) {
	var reply, prompt strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&reply, "petra%d@northgatemail.com 512-594-%04d\n", i, i%9000+1000)
		fmt.Fprintf(&prompt, "512.594.%04d, Petra%d@northgatemail.com\n", i%9000+1000, i)
	}
	s := New()
	var a quorum.Assessment
	if s.AssessReply(&a, reply.String(), ""); len(a.Findings) != 2*mostSpans {
		t.Errorf("%d findings, want %d of each kind", len(a.Findings), mostSpans)
	}
	if s.AssessReply(&a, reply.String(), prompt.String()); len(a.Findings) != 0 {
		t.Errorf("findings %v, though all stand in the prompt", a.Findings)
	}
	// One that does not is found behind them all.
	if s.AssessReply(&a, reply.String()+"mateo@northgatemail.com", prompt.String()); len(a.Findings) != 1 {
		t.Errorf("findings %v, want the one that is not in the prompt", a.Findings)
	}
	// The work is counted: the prompt is looked through so often, however many items.
	w := newScratch(s.table)
	w.prompt.read(prompt.String())
	for i := range 1000 {
		w.prompt.holds(s.table, fmt.Appendf(nil, "petra%d@northgatemail.com", i), email)
	}
	if w.prompt.searches != mostSought {
		t.Errorf("the prompt was looked through %d times, want %d", w.prompt.searches, mostSought)
	}
}

// What the prompt has is known however it is spaced; but a number that could be
// pieced together of several others is news.
func TestANumberOfThePromptIsOneNumber(t *testing.T) {
	s := New()
	const ssn, phone = "Her SSN is 536-22-1234.", "Call her at (415) 555-0134."
	for _, tt := range []struct {
		name, reply, prompt string
		known               bool
	}{
		{"nothing", ssn, "", false},
		{"without its hyphens", ssn, "my SSN: 536221234", true},
		{"with spaces", ssn, "536 22 1234 is mine", true},
		{"with points and a country", phone, "+1 415.555.0134", true},
		{"with gaps", phone, "(415) / 555 - 0134", true},
		{"behind another number", phone, "In 2024 I had 415-555-0134", true},
		{"in two numbers with a word between", ssn, "Orders 5362 and 21234 are late", false},
		{"in two of a list", ssn, "9, 5362, 21234, 8", false},
		{"in two lines", ssn, "5362\n21234", false},
		{"in two numbers with a letter of another script between", ssn, "5362 и 21234", false},
	} {
		var a quorum.Assessment
		if s.AssessReply(&a, tt.reply, tt.prompt); len(a.Findings) == 0 != tt.known {
			t.Errorf("%s: %q, findings %v", tt.name, tt.prompt, a.Findings)
		}
	}
}

func TestOfTwoThatOverlapTheLongerIsFound(t *testing.T) {
	var a quorum.Assessment
	New().AssessReply(&a, "postgres://sunfield:VZ7b5vWR3ptAGA@db.redcedar.net:5432/main", "")
	if len(a.Findings) != 1 || a.Findings[0].Rule != "privacy.credentials" {
		t.Errorf("findings %v, want the connection string alone", a.Findings)
	}
}
