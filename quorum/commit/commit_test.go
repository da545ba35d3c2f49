package commit

import (
	"crypto/hmac"
	"crypto/sha256"
	"strings"
	"testing"
)

// The salts are HMAC-SHA256 as anybody's library computes it.
func TestSaltIsHMAC(t *testing.T) {
	seed := Seed{1, 2, 3}
	for _, field := range []string{"", "prompt", "reply/12", strings.Repeat("long", 100)} {
		mac := hmac.New(sha256.New, seed[:])
		mac.Write([]byte(field))
		if got := seed.Salt(field); !hmac.Equal(got[:], mac.Sum(nil)) {
			t.Errorf("Salt(%q) is not HMAC-SHA256", field)
		}
	}
}

func TestCommitments(t *testing.T) {
	seed := Seed{9}
	text := strings.Repeat("a text ", 1000)
	salt := seed.Salt("prompt")
	want := sha256.Sum256([]byte(V1 + string(salt[:]) + text))
	d := Of(V1, salt, text)
	if d != want {
		t.Error("Of is not SHA-256(domain, salt, data)")
	}
	if !d.Opens(V1, salt, []byte(text)) {
		t.Error("a commitment does not open")
	}
	other := seed.Salt("answer")
	if d.Opens(V1, other, []byte(text)) || d.Opens(V1, salt, []byte(text[1:])) || d.Opens("other\x00", salt, []byte(text)) {
		t.Error("a commitment opens to something else")
	}
}

func TestAllocs(t *testing.T) {
	seed := Seed{9}
	text := strings.Repeat("x", 600)
	if n := testing.AllocsPerRun(100, func() { Of(V1, seed.Salt("reply/1"), text) }); n > 0 {
		t.Errorf("a commitment allocates %.0f times", n)
	}
}
