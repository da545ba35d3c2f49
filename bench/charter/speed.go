package charter

import (
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// A SpeedConfig bounds how long speed is measured. The zero value measures none.
type SpeedConfig struct {
	Texts   int   // of each size, cut from benign replies; 0 measures nothing
	Rounds  int   // times that each is scored; the median counts
	Hostile []int // bytes of hostile texts, and of the normal ones beside them
}

// sizes of texts that have goals, in bytes.
const (
	smallText = 600
	largeText = 2 << 10
)

// Timing is the microseconds of scoring one text.
type Timing struct {
	Size   int     `json:"size"` // bytes
	Texts  int     `json:"texts"`
	P50    float64 `json:"p50"`
	P99    float64 `json:"p99"`
	Silent int     `json:"silent"` // texts without findings
	Allocs float64 `json:"allocs"` // a call, on those
}

// Hostility is the cost of texts that are made to be slow.
type Hostility struct {
	Unit  string    `json:"unit"`  // what they repeat
	Nanos []float64 `json:"nanos"` // a byte, by size
}

// Speed is how fast the scorer is on one core of this machine.
type Speed struct {
	Timings []Timing    `json:"timings"`
	Sizes   []int       `json:"sizes"`  // of the following, in bytes
	Normal  []float64   `json:"normal"` // nanoseconds a byte of normal text, by size
	Hostile []Hostility `json:"hostile"`
}

// hostile are units that, repeated, keep some part of a scorer busy: those that
// begin many things and end none, fold to less or more than they are, or fall
// just short of being found.
var hostile = []struct{ name, unit string }{
	{"combining marks", "\u0301"}, {"zero-width", "\u200b"}, {"zero-width in words", "k\u200bi\u200bl\u200bl "}, {"right to left", "\u202eאבג "},
	{"accents", "\u00e9"}, {"accented words", "n\u00e9 \u00e0 l\u2019\u00e9t\u00e9 "}, {"Cyrillic look-alikes", "\u043a\u0456ll "}, {"full width", "\uff4b\uff49\uff4c\uff4c\u3000"},
	{"ligatures", "\ufdfa"}, {"Chinese", "\u6c49\u5b57\u3002"}, {"emoji", "\U0001f468\u200d\U0001f469\u200d\U0001f467 "}, {"invalid UTF-8", "\xff"}, {"binary", "\x00\x01\x80\xfe\xc3("},
	{"digits", "1"}, {"numbers", "1 "}, {"cards", "4111 "}, {"phones", "2125550 "}, {"dashed digits", "12-34-"}, {"accounts", "GB29 "}, {"addresses", "12 Elm St "},
	{"at signs", "@"}, {"mail", "a@"}, {"mail chains", "a@b.c@d.e "}, {"dots", "a.b."}, {"schemes", "a://b:"}, {"tokens", "eyJ."}, {"key prefixes", "sk-ghp_AKIA xoxb-"},
	{"private keys", "-----BEGIN PRIVATE KEY-----"}, {"base64", "QUJDREVGR0g0NTY3ODk+/w"}, {"announced", "password is "},
	{"letters", "a"}, {"short words", "a b "}, {"anchors", "kill "}, {"phrases", "how to make "}, {"caught", "avoid getting caught "}, {"sentences", "I am. "}, {"leet", "k1ll "}, {"signs", "!?"},
}

func (m *meter) speed(items []assessed) *Speed {
	cfg := m.Config.Speed
	if cfg.Texts <= 0 {
		return nil
	}
	// No collection in the middle, which would be measured with it and empties
	// pools; what is kept between texts is then as it is under load.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	runtime.GC()
	s := &Speed{}
	for _, size := range []int{smallText, largeText} {
		texts := cut(items, size, cfg.Texts)
		if len(texts) > 0 {
			s.Timings = append(s.Timings, m.time(texts, size, max(1, cfg.Rounds)))
		}
	}
	for _, size := range cfg.Hostile {
		normal := cut(items, size, 1)
		if len(normal) == 0 {
			return s
		}
		runtime.GC()
		s.Sizes = append(s.Sizes, size)
		s.Normal = append(s.Normal, m.perByte(normal[0], cfg.Rounds))
	}
	for _, h := range hostile {
		one := Hostility{Unit: h.name}
		for _, size := range s.Sizes {
			runtime.GC()
			one.Nanos = append(one.Nanos, m.perByte(strings.Repeat(h.unit, max(1, size/len(h.unit))), cfg.Rounds))
		}
		s.Hostile = append(s.Hostile, one)
	}
	return s
}

// cut makes at most count texts of size bytes, or a little less where that would
// split a character, of benign replies one after the other, and again from the
// start when they are used up.
func cut(items []assessed, size, count int) (texts []string) {
	var all strings.Builder
	for _, a := range items {
		if isBenign(a.item) && a.item.Kind == "reply" {
			all.WriteString(a.item.Text)
			all.WriteString("\n\n")
		}
	}
	rest := all.String()
	if rest == "" {
		return nil
	}
	whole := rest
	for len(texts) < count {
		for len(rest) < size {
			rest += whole
		}
		n := size
		for n > 0 && n < len(rest) && !utf8.RuneStart(rest[n]) {
			n--
		}
		texts = append(texts, rest[:n])
		rest = rest[n:]
	}
	return texts
}

// time scores every text so many times in a row, and takes its median.
func (m *meter) time(texts []string, size, rounds int) Timing {
	t := Timing{Size: size, Texts: len(texts)}
	micros := make([]float64, 0, len(texts))
	var silent []string
	runs := make([]float64, rounds)
	for _, text := range texts {
		for i := range runs {
			runs[i] = m.once(text)
		}
		slices.Sort(runs)
		micros = append(micros, quantile(runs, 0.5)/1e3)
		if len(m.a.Findings) == 0 {
			silent = append(silent, text)
		}
	}
	slices.Sort(micros)
	t.P50, t.P99, t.Silent = quantile(micros, 0.5), quantile(micros, 0.99), len(silent)
	t.Allocs = nan
	if len(silent) > 0 {
		t.Allocs = math.Inf(1)
		for range rounds { // the least, since the runtime allocates too
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for _, text := range silent {
				m.Scorer.AssessReply(&m.a, text, "")
			}
			runtime.ReadMemStats(&after)
			t.Allocs = min(t.Allocs, float64(after.Mallocs-before.Mallocs)/float64(len(silent)))
		}
	}
	return t
}

// once is the nanoseconds of scoring text.
func (m *meter) once(text string) float64 {
	start := time.Now()
	m.Scorer.AssessReply(&m.a, text, "")
	return float64(time.Since(start).Nanoseconds())
}

// perByte is the least of some runs, so that other work of the machine is left out.
func (m *meter) perByte(text string, rounds int) float64 {
	least := math.Inf(1)
	for range max(1, rounds) {
		least = min(least, m.once(text))
	}
	return least / float64(len(text))
}

// worst is the hostile text that is slowest a byte beside normal text of its size,
// and how many times that it takes; NaN of none.
func (s *Speed) worst() (unit string, times float64) {
	times = nan
	if s == nil {
		return "", times
	}
	for _, h := range s.Hostile {
		for i, nanos := range h.Nanos {
			if t := nanos / s.Normal[i]; !(t <= times) {
				unit, times = fmt.Sprintf("%s, %d KiB", h.Unit, s.Sizes[i]>>10), t
			}
		}
	}
	return unit, times
}

// timing is that of texts of a size, or nil.
func (s *Speed) timing(size int) *Timing {
	if s == nil {
		return nil
	}
	for i := range s.Timings {
		if s.Timings[i].Size == size {
			return &s.Timings[i]
		}
	}
	return nil
}
