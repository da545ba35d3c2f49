package charter

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestTextsFoldToPlainLetters(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"plain ASCII stays", "Kill it!", "Kill it!"},
		{"accents go", "Déjà vu, Ångström, Łódź", "Deja vu, Angstrom, lodz"},
		{"combining marks go, by the dozen", "k\u0301\u0336\u035ci\u0489ll", "kill"},
		{"zero-width characters go", "k\u200bi\u2060l\ufeffl\u00ad", "kill"},
		{"full-width letters and digits", "ｋｉｌｌ １２", "kill 12"},
		{"mathematical letters", "𝐤𝒊𝓵𝔩 𝕜𝗂𝙡𝚕", "kill kill"},
		{"letters in circles and boxes", "ⓚⓘⓛⓛ 🄺🄸🄻🄻 🅚🅸🅻🅻", "kill KILL kill"},
		{"Cyrillic among Latin, a stroke that is i or l", "кіӏӏ", "ki11"},
		{"Greek among Latin", "κιll yοu", "kill you"},
		{"Cherokee and Lisu", "ᏦᎥᏞᏞ ꓗꓲꓡꓡ", "kill kill"},
		{"small capitals", "ᴋɪʟʟ", "kill"},
		{"strokes and hooks", "ƙɨłɫ", "kill"},
		{"superscripts and ligatures", "ﬁre ²", "fire 2"},
		{"decimal digits of other scripts", "٤٥٣٢ ४५३२ ۴۵", "4532 4532 45"},
		{"quotes, dashes and dots", "‘a’ “b” – — …", "'a' \"b\" - - ..."},
		{"Han, Hangul and kana stay", "你好 한국 ガ", "你好 한국 ガ"},
		{"invalid bytes and symbols are spaces", "a\xffb☃c\xc3", "a b c "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var f folded
			f.fold(tt.text)
			if got := string(f.text); got != tt.want {
				t.Errorf("fold(%q) = %q, want %q", tt.text, got, tt.want)
			}
		})
	}
}

// Every rune folds by itself, whatever stands around it: so a text may come in
// parts, and each folded byte leads back to the rune it came of.
func TestEachRuneFoldsByItselfAndIsFoundAgain(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 2))
	var text strings.Builder
	var f folded
	f.clear()
	var whose []int // by folded byte: where in the text its rune starts
	add := func(part string) {
		at, before := text.Len(), len(f.text)
		text.WriteString(part)
		f.append(part)
		for range len(f.text) - before {
			whose = append(whose, at)
		}
	}
	for range 20_000 {
		switch r := rune(chance.Int32N(unicode.MaxRune)); chance.IntN(8) {
		case 0:
			add(string(r))
		case 1, 2:
			add(string(r % 0x3100))
		case 3:
			add("é")
		case 4:
			add("а") // Cyrillic
		case 5:
			add("\xfe")
		default:
			add(string(r % 0x80))
		}
	}
	f.seal()
	var whole folded
	whole.fold(text.String())
	if string(whole.text) != string(f.text) {
		t.Fatal("folded in parts it is another text")
	}
	for _, g := range []*folded{&f, &whole} {
		for i, start := range whose {
			from, until := g.origin(i, i+1)
			// A rune kept as it is may be told byte by byte.
			_, n := utf8.DecodeRuneInString(text.String()[start:])
			if from < start || until > start+n || from >= until {
				t.Fatalf("byte %d of the folded text: %d to %d, want within %d to %d", i, from, until, start, start+n)
			}
		}
	}
	for i, c := range f.text {
		if c >= utf8.RuneSelf {
			continue
		}
		if c < ' ' && text.String()[whose[i]] != c {
			t.Fatalf("byte %d folds to the control character %q", i, c)
		}
	}
}

func TestLookalikesAreListedOnce(t *testing.T) {
	seen := map[rune]byte{}
	for _, l := range lookalikes {
		for _, r := range l.runes {
			if r < utf8.RuneSelf {
				t.Errorf("%q is listed for %c: it is ASCII", r, l.letter)
			}
			if was := seen[r]; was != 0 {
				t.Errorf("%q is listed for %c and for %c", r, was, l.letter)
			}
			seen[r] = l.letter
		}
	}
}

// Pages are made of what runes fold to, and shared where all do alike.
func TestPagesTellWhatRunesFoldTo(t *testing.T) {
	shared := 0
	for r := rune(utf8.RuneSelf); r <= unicode.MaxRune; r++ {
		enc := string(r)
		if r >= 0xd800 && r <= 0xdfff { // no character
			continue
		}
		p := pageOf(r)
		if p == alike[' '] || p == alike[foldsToItself] || p == alike[foldsToNothing] {
			shared++
		}
		got := enc
		switch as := p.plain[r&0xff]; as {
		case foldsToNothing:
			got = ""
		case foldsToMore:
			got = p.more[r&0xff]
		case foldsToItself:
		default:
			got = string(rune(as))
		}
		if want := string(appendFolded(nil, enc, r)); got != want {
			t.Fatalf("%U: page says %q, want %q", r, got, want)
		}
	}
	if shared < 1_000_000 {
		t.Errorf("%d runes on shared pages, want most", shared)
	}
}
