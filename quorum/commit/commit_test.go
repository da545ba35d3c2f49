package commit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

func TestSaltAndCommitmentAreAsDescribed(t *testing.T) {
	seed := Seed{1, 2, 3}
	mac := hmac.New(sha256.New, seed[:])
	mac.Write([]byte("prompt"))
	salt := seed.Salt("prompt")
	if salt != Salt(mac.Sum(nil)) {
		t.Error("Salt is not HMAC-SHA256(seed, field)")
	}
	whole := append([]byte(V1), salt[:]...)
	whole = append(whole, "text"...)
	if Of(V1, salt, []byte("text")) != Digest(sha256.Sum256(whole)) {
		t.Error("Of is not SHA-256(domain ‖ salt ‖ data)")
	}
}

// Golden values: a client in another language must come to the same.
func TestGolden(t *testing.T) {
	var seed Seed
	for i := range seed {
		seed[i] = byte(i)
	}
	salt := seed.Salt("reply/AUREA")
	digest := Of(V1, salt, []byte("42"))
	if got, want := hex.EncodeToString(salt[:]), "8fea378a09d7d9dfff397b02f49dc3f34e89ea4650943984bcfbfe9143f22198"; got != want {
		t.Errorf("Salt() = %s, want %s", got, want)
	}
	if got, want := hex.EncodeToString(digest[:]), "2494d93ac862bc934cfeca355ebb7bd947700baf5a335bb9f6f2f667a9892f9a"; got != want {
		t.Errorf("Of() = %s, want %s", got, want)
	}
}

func TestOnlyTheSameOpens(t *testing.T) {
	seed := Seed{1}
	salt := seed.Salt("prompt")
	d := Of(V1, salt, []byte("text"))
	if !d.Opens(V1, salt, []byte("text")) {
		t.Error("a commitment is not opened by what it was made of")
	}
	other := Seed{2}
	for rule, opens := range map[string]bool{
		"another text":        d.Opens(V1, salt, []byte("texts")),
		"no text":             d.Opens(V1, salt, nil),
		"another field":       d.Opens(V1, seed.Salt("answer"), []byte("text")),
		"another record":      d.Opens(V1, other.Salt("prompt"), []byte("text")),
		"another domain":      d.Opens("other", salt, []byte("text")),
		"a salt of all zeros": d.Opens(V1, Salt{}, []byte("text")),
	} {
		if opens {
			t.Errorf("%s opens the commitment", rule)
		}
	}
}

func BenchmarkOf(b *testing.B) {
	seed := Seed{1}
	data := make([]byte, 600)
	b.ReportAllocs()
	for b.Loop() {
		Of(V1, seed.Salt("reply/AUREA"), data)
	}
}
