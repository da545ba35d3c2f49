package charter

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
)

// plainlyPersonal has one text of every kind, and what is left of it.
var plainlyPersonal = [kinds][2]string{
	email:         {"write to petra.haddad@northgatemail.com now", "write to [email] now"},
	phone:         {"Phone: 512-594-4600", "Phone: [phone]"},
	card:          {"no 4532756279624064.", "no [card]."},
	iban:          {"to DE33876233430937389021", "to [iban]"},
	ssn:           {"His SSN is 563-21-3271", "His SSN is [ssn]"},
	nationalID:    {"Aadhaar: 7475 3228 9362", "Aadhaar: [id]"},
	ipAddress:     {"from 55.133.164.50:443", "from [ip]:443"},
	street:        {"at 4029 Mill Lane, Madison, WI 53703", "at [address]"},
	birthDate:     {"DOB: 1967-02-05", "DOB: [birth]"},
	wallet:        {"to 1LoBhHnPJiEbdRu7e1xAHpHRNARWjTj36N", "to [wallet]"},
	secretToken:   {"key sk-proj-" + "wKv396RummstYaIl9XzcQ2Sij92hL66gsYeFzOXg", "key [credential]"},
	webToken:      {"Bearer eyJhbGciOiJIUzI1NiIsInR5" + "cCI6IkpXVCJ9.eyJzdWIiOiI4ODEyMyJ9.IF_GDK83XQqzrHyqfvq", "Bearer [jwt]"},
	privateKey:    {"-----BEGIN PRIVATE" + " KEY-----\nzm7v/KYuWxoGpZq4zV+cehsUhA0Bu+qyUufYWgFfHSNyDFjF\n-----END PRIVATE KEY-----\n", "[pem]\n"},
	credentialURL: {"open postgres://sunfield:VZ7b5vWR" + "3ptAGA@db.redcedar.net:5432/main: refused", "open [url]: refused"},
	password:      {"the password is x7$Tq9!bLw2", "the password is [pass]"},
	document:      {"Passport No: 548219073", "Passport No: [document]"},
	keyValue:      {"X-Api-Key: 30b29ac30b39cefd" + "097055fe28c3b60702735f8b", "X-Api-Key: [credential]"},
}

func TestEveryKindIsRedacted(t *testing.T) {
	s := New()
	r := s.Redactor()
	var all, want strings.Builder
	for k, tt := range plainlyPersonal {
		if tt[0] == "" {
			t.Fatalf("no text for %s", kindNames[k])
		}
		if got := r.String(tt[0]); got != tt[1] {
			t.Errorf("%s: %q becomes %q, want %q", kindNames[k], tt[0], got, tt[1])
		}
		if got := string(r.Append([]byte("> "), tt[0])); got != "> "+tt[1] {
			t.Errorf("%s: %q is appended as %q", kindNames[k], tt[0], got)
		}
		var a quorum.Assessment
		if s.AssessReply(&a, tt[1], ""); len(a.Findings) > 0 {
			t.Errorf("%q scores %v", tt[1], a.Findings)
		}
		fmt.Fprintln(&all, tt[0])
		fmt.Fprintln(&want, tt[1])
	}
	if got := r.String(all.String()); got != want.String() {
		t.Errorf("all together: %q", got)
	}
}

func TestMarksSayNothing(t *testing.T) {
	s := New()
	for k, mark := range marks {
		if mark == "" {
			t.Errorf("no mark for %s", kindNames[k])
		}
		w := newScratch(s.table)
		w.folded.fold(mark + " x7$Tq9!bLw2a4B5c6D7e8F9 1967-02-05")
		w.tokenise(s.table, inRedaction)
		w.matchRules(s.table, inRedaction)
		if len(w.spans) > 0 {
			t.Errorf("%s announces %v", mark, w.spans)
		}
	}
}

func TestRedactingLeavesTheRest(t *testing.T) {
	r := New().Redactor()
	for _, tt := range []struct{ name, text, want string }{
		{"nothing to redact", "dial tcp 127.0.0.1:9000: connection refused", "dial tcp 127.0.0.1:9000: connection refused"},
		{"empty", "", ""},
		{"more of a kind than are counted", strings.Repeat("call 512-594-4600, ", 20), strings.Repeat("call [phone], ", 20)},
		{"more words that announce than are counted", strings.Repeat("a password, ", 30) + "the password is x7$Tq9!bLw2", strings.Repeat("a password, ", 30) + "the password is [pass]"},
		{"two that overlap", "redis://default:Xka6Kq9" + "MUDq8xX@cache.bluefern.net", "[url]"},
		{"full-width", "ｐetra.haddad＠northgatemail.com…", "[email]…"},
		{"between invalid bytes", "\xffpetra.haddad@northgatemail.com\xff", "\xff[email]\xff"},
		{"a mark of its own", "mail [email], password [pass], postgres://app:[pass]@db/x", "mail [email], password [pass], postgres://app:[pass]@db/x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := r.String(tt.text); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestRedactingNothingAllocatesNothing(t *testing.T) {
	tab := New().table
	w := newScratch(tab)
	text := "append record 12: sync /data/000012.log: no space left on device, 3 of 7 written"
	w.redact(tab, text)
	if n := testing.AllocsPerRun(100, func() { w.redact(tab, text) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func TestLogLinesAreRedacted(t *testing.T) {
	const mail = "petra.haddad@northgatemail.com"
	log := func(into slog.Handler) {
		l := slog.New(into).With("to", mail, slog.Group("seen", "from", "55.133.164.50"))
		l.WithGroup("more").Warn("sent to "+mail, "error", fmt.Errorf("ask: %w", errors.New("no "+mail)), "count", 3, "any", []string{mail}, "ok", true,
			"password", "x7$Tq9!bLw2", "lazy", lazy(mail), slog.Group("in", "it", mail))
	}
	var plain, redacted bytes.Buffer
	log(slog.NewJSONHandler(&plain, nil))
	log(New().Redactor().LogHandler(slog.NewJSONHandler(&redacted, nil)))
	if n := strings.Count(plain.String(), mail); n != 6 {
		t.Fatalf("%d addresses without the redactor, want 6: the test looks for nothing", n)
	}
	_, got, _ := strings.Cut(redacted.String(), `"msg":`)
	want := `"sent to [email]","to":"[email]","seen":{"from":"[ip]"},"more":{"error":"ask: no [email]","count":3,"any":"[[email]]","ok":true,` +
		`"password":"[pass]","lazy":"[email]","in":{"it":"[email]"}}}` + "\n"
	if got != want {
		t.Errorf("logged %s\nwant   %s", got, want)
	}
}

// lazy is a value that says only when asked what it is.
type lazy string

func (l lazy) LogValue() slog.Value { return slog.StringValue(string(l)) }
