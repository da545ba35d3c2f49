package quorum

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

func readPolicy(t *testing.T, file string) *Policy {
	t.Helper()
	doc, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParsePolicy(doc)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPolicyRoundTrip(t *testing.T) {
	p := DefaultPolicy()
	again, err := ParsePolicy(p.Canonical())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(p.Canonical(), again.Canonical()) || p.Digest() != again.Digest() {
		t.Error("a policy changes when it is written and read")
	}
}

// A ledger names its policy by digest, and its records have one form: what was
// added to the policy later must be nowhere in a document that is without it.
func TestAnOlderPolicyKeepsItsDigest(t *testing.T) {
	p := readPolicy(t, olderPolicy)
	for _, later := range []string{"byTurnout", "openOutlier", "opposed"} {
		if bytes.Contains(p.Canonical(), []byte(later)) {
			t.Errorf("%s is in an older policy", later)
		}
	}
	if got := fmt.Sprintf("%x", p.Digest()); got != "b4dc7a2fb3a7345426f55a41f576dc3c7791442e79cba6081421dde3a604439f" {
		t.Errorf("digest %s", got)
	}
}

func TestPolicyRefusals(t *testing.T) {
	doc := string(defaultPolicy)
	for name, edit := range map[string][2]string{
		"unknown member":           {`"maxPanel"`, `"maxPanels"`},
		"weights out of order":     {`"weightMin": 700000`, `"weightMin": 900000`},
		"float":                    {`"pendingHours": 72`, `"pendingHours": 72.5`},
		"panel too large":          {`"maxPanel": 64`, `"maxPanel": 65`},
		"unknown tier":             {`"floor": "high", "approvals": 3`, `"floor": "top", "approvals": 3`},
		"impossible count":         {`"count": 1`, `"count": 9`},
		"answer weights":           {`"earned"`, `"bought"`},
		"cycle":                    {`"C-114"`, `"114"`},
		"turnout counts against":   {`"byTurnout": 2100000`, `"byTurnout": -1`},
		"outlier":                  {`"openOutlier": 1250000`, `"openOutlier": 8000001`},
		"opposed by more than all": {`"opposed": 500000`, `"opposed": 1000001`},
	} {
		bad := strings.Replace(doc, edit[0], edit[1], 1)
		if bad == doc {
			t.Fatalf("%s: the edit does not apply", name)
		}
		if _, err := ParsePolicy([]byte(bad)); !errors.Is(err, ErrPolicy) {
			t.Errorf("%s: %v, want ErrPolicy", name, err)
		}
	}
}

func TestOperationTiers(t *testing.T) {
	p := DefaultPolicy()
	for op, want := range map[string]Tier{
		"domain.seal": High, "wallet.pay": Critical, "research": Standard, "ideate": Research,
		"charter.amend": Critical, "something.else": Critical, "domain": Critical,
	} {
		if got := p.OperationTier(op); got != want {
			t.Errorf("OperationTier(%q) = %s, want %s", op, got, want)
		}
	}
}

// DESIGN §3's table of weights and §4.4's worked reliability.
func TestWeights(t *testing.T) {
	p := DefaultPolicy()
	for _, tt := range []struct {
		tier Tier
		own  PPM
		want PPM
	}{{Research, 0, 500_000}, {Standard, 0, 700_000}, {Standard, 800_000, 800_000}, {Standard, 950_000, 800_000}, {High, 0, 900_000}, {Critical, 0, One}} {
		if got := p.VoteWeight(&Companion{Tier: tt.tier, Weight: tt.own}); got != tt.want {
			t.Errorf("%s with own weight %s votes with %s, want %s", tt.tier, tt.own, got, tt.want)
		}
	}
	if got := p.ParentReliability(One); got != 800_000 {
		t.Errorf("critical without evidence: p = %s, want 0.8", got)
	}
	// (30·0.8 + 45) / (30 + 50)
	if got := p.Reliable(800_000, Reliability{Right: 45 * Milli, Seen: 50 * Milli}); got != 862_500 {
		t.Errorf("45 of 50 right: p = %d, want 862500", got)
	}
	// (10·0.8 + 45) / (10 + 50)
	p.Reliability.Strength = 10
	if got := p.Reliable(800_000, Reliability{Right: 45 * Milli, Seen: 50 * Milli}); got != 883_333 {
		t.Errorf("45 of 50 right: p = %d, want 883333", got)
	}
	soft := Reliability{SoftRight: 100 * Milli, SoftSeen: 100 * Milli}
	if p.Reliable(800_000, soft) <= 800_000 {
		t.Error("agreement does not count where nothing is labelled")
	}
	soft.Seen = 30 * Milli
	if got := p.Reliable(800_000, soft); got != 200_000 {
		t.Errorf("agreement counts beside 30 labelled outcomes: p = %d", got)
	}
}

func FuzzParsePolicy(f *testing.F) {
	f.Add(defaultPolicy)
	f.Add([]byte(`{"version":"1"}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		if p, err := ParsePolicy(doc); err == nil {
			if again, err := ParsePolicy(p.Canonical()); err != nil || again.Digest() != p.Digest() {
				t.Fatalf("accepted policy does not read back: %v", err)
			}
		}
	})
}
