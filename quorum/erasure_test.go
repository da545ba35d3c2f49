package quorum

import (
	"errors"
	"strings"
	"testing"
)

func TestAnErasureHoldsNothingButFixedWords(t *testing.T) {
	good := string(leafOf(&Erasure{"dlb_01K0000000000000000000000", Steward, ErasureAsked}))
	for name, edit := range map[string][2]string{
		"a person's name":                {`"actor":"steward"`, `"actor":"alice"`},
		"no actor":                       {`"actor":"steward",`, ``},
		"another cause":                  {`"cause":"asked"`, `"cause":"she wished it"`},
		"no cause":                       {`"cause":"asked",`, ``},
		"free text":                      {`"cause":"asked"`, `"cause":"asked","comment":"x"`},
		"no deliberation":                {`,"deliberation":"dlb_01K0000000000000000000000"`, ``},
		"another deliberation's subject": {`deliberation/dlb_01K`, `deliberation/dlb_01J`},
		"another digest":                 {`"sha256":"`, `"sha256":"00`},
		"a later version":                {`text.erased/v1`, `text.erased/v2`},
	} {
		bad := strings.Replace(good, edit[0], edit[1], 1)
		if name == "another digest" {
			at := strings.Index(good, edit[0]) + len(edit[0])
			bad = good[:at] + "00" + good[at+2:]
		}
		if bad == good {
			t.Fatalf("%s: the edit does not apply to %s", name, good)
		}
		if _, _, err := ParseRecord([]byte(bad)); !errors.Is(err, ErrRecord) && !errors.Is(err, ErrRecordType) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
