package charter

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/kaizen-os/deliberation/quorum"
)

//go:embed linear.bin
var linearFile []byte

// ErrLinear is a linear model that does not parse.
var ErrLinear = errors.New("charter: linear model")

// A Linear is the linear model: what each gram says for or against a text being
// like those that broke the charter, learned from labelled texts by
// bench/charter/train. It holds hashes and weights, no words.
//
// Of a gram it keeps eight bits beside the weight, so that of those it never saw
// one in 256 at most is taken for another; and of two grams that want the same
// slot it keeps one.
type Linear struct {
	Version string   // at most 15 bytes
	Bias    int32    // evidence before anything is read, in thousandths of a logit
	Unit    int32    // what a weight of 1 adds to it, over the window's words + Floor
	Floor   int32    // keeps a few words from saying much
	Advise  [3]int32 // evidence above which 0.20, 0.275 and 0.325 are advised; ascending
	Facts   [numFacts]int16
	slots   []uint16 // weight below, check above; 0 is empty
}

// Slots is how many grams a model has room for: what goes into 256 KiB.
const Slots = (256<<10 - linearHead - sha256.Size) / 2

const (
	linearMagic = "kaizen linear 1\n"
	linearHead  = len(linearMagic) + 16 + 6*4 + 2*numFacts
)

// NewLinear returns a model that knows no gram.
func NewLinear() *Linear { return &Linear{slots: make([]uint16, Slots)} }

// SlotOf is where the model looks for a gram.
func SlotOf(gram uint32) int { return int(uint64(gram) * uint64(Slots) >> 32) }

// Set gives a gram its weight; whatever else had its slot loses it. -128 is none.
func (l *Linear) Set(gram uint32, weight int8) {
	l.slots[SlotOf(gram)] = uint16(uint8(gram))<<8 | uint16(uint8(weight))
	if weight == 0 {
		l.slots[SlotOf(gram)] = 0
	}
}

// Grams is how many grams have a weight.
func (l *Linear) Grams() (n int) {
	for _, v := range l.slots {
		if v != 0 {
			n++
		}
	}
	return n
}

// Encode gives the model's file.
func (l *Linear) Encode() ([]byte, error) {
	if err := l.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLinear, err)
	}
	b := append(make([]byte, 0, 256<<10), linearMagic...)
	var version [16]byte
	copy(version[:], l.Version)
	b = append(b, version[:]...)
	for _, v := range [...]int32{l.Bias, l.Unit, l.Floor, l.Advise[0], l.Advise[1], l.Advise[2]} {
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	for _, v := range l.Facts {
		b = binary.LittleEndian.AppendUint16(b, uint16(v))
	}
	for _, v := range l.slots {
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:]...), nil
}

// DecodeLinear reads a model's file. Error: ErrLinear, saying what is wrong with it.
func DecodeLinear(b []byte) (*Linear, error) {
	switch {
	case !bytes.HasPrefix(b, []byte(linearMagic)):
		return nil, fmt.Errorf("%w: not one, or of another form", ErrLinear)
	case len(b) != linearHead+2*Slots+sha256.Size:
		return nil, fmt.Errorf("%w: %d bytes, want %d", ErrLinear, len(b), linearHead+2*Slots+sha256.Size)
	}
	body, sum := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if sha256.Sum256(body) != [32]byte(sum) {
		return nil, fmt.Errorf("%w: damaged: its digest is another", ErrLinear)
	}
	version := body[len(linearMagic):][:16]
	l := &Linear{Version: string(bytes.TrimRight(version, "\x00")), slots: make([]uint16, Slots)}
	at := len(linearMagic) + 16
	for _, v := range [...]*int32{&l.Bias, &l.Unit, &l.Floor, &l.Advise[0], &l.Advise[1], &l.Advise[2]} {
		*v = int32(binary.LittleEndian.Uint32(body[at:]))
		at += 4
	}
	for i := range l.Facts {
		l.Facts[i] = int16(binary.LittleEndian.Uint16(body[at:]))
		at += 2
	}
	for i := range l.slots {
		l.slots[i] = binary.LittleEndian.Uint16(body[at:])
		at += 2
	}
	if err := l.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLinear, err)
	}
	return l, nil
}

// check holds a model to what the arithmetic relies on.
func (l *Linear) check() error {
	switch {
	case l.Version == "" || len(l.Version) > 15 || bytes.IndexByte([]byte(l.Version), 0) >= 0:
		return fmt.Errorf("version %q: want 1 to 15 bytes", l.Version)
	case l.Unit <= 0 || l.Floor <= 0:
		return fmt.Errorf("unit %d and floor %d: want them over 0", l.Unit, l.Floor)
	case l.Advise[0] >= l.Advise[1] || l.Advise[1] >= l.Advise[2]:
		return fmt.Errorf("advises at %d: want them to ascend", l.Advise)
	case len(l.slots) != Slots:
		return fmt.Errorf("%d slots, want %d", len(l.slots), Slots)
	}
	for i, v := range l.slots {
		if v != 0 && (v&0xff == 0 || v&0xff == 0x80) {
			return fmt.Errorf("slot %d holds %#x", i, v)
		}
	}
	return nil
}

// window is the evidence of so many words whose weights come to sum.
func (l *Linear) window(sum int64, words int) int32 {
	e := int64(l.Bias) + sum*int64(l.Unit)/int64(words+int(l.Floor))
	return int32(min(max(e, math.MinInt32), math.MaxInt32))
}

// Evidence is what the model says of a sample: what AssessReply says of its text.
func (l *Linear) Evidence(s *Sample) int32 {
	var fixed int64
	for _, k := range s.Facts {
		fixed += int64(l.Facts[k])
	}
	best := int32(math.MinInt32)
	var before int64 // the block before
	words := 0
	for i := range s.Blocks {
		var sum int64
		for _, g := range s.Blocks[i].Grams {
			if v := l.slots[SlotOf(g)]; uint8(v>>8) == uint8(g) {
				sum += int64(int8(v))
			}
		}
		best = max(best, l.window(before+sum+fixed, words+s.Blocks[i].Words))
		before, words = sum, s.Blocks[i].Words
	}
	if len(s.Blocks) == 0 {
		best = l.Bias
	}
	return best
}

// evidence is Evidence of the text that s has read, without a sample.
func (s *scratch) evidence(t *table, l *Linear, f facts) int32 {
	if len(s.tokens) == 0 {
		return l.Bias
	}
	var fixed int64
	for k, w := range l.Facts {
		if f>>k&1 != 0 {
			fixed += int64(w)
		}
	}
	best := int32(math.MinInt32)
	var before int64
	words := 0
	var last gram
	for at := 0; at < len(s.tokens); at += blockWords {
		block := s.tokens[at:min(at+blockWords, len(s.tokens))]
		var n int
		n, last = s.readGrams(t, &s.grams, block, last)
		var sum int64
		s.had = gramSet{}
		for _, g := range s.grams[:n] {
			v := l.slots[SlotOf(g)]
			if uint8(v>>8) == uint8(g) && s.had.add(g) {
				sum += int64(int8(v))
			}
		}
		best = max(best, l.window(before+sum+fixed, words+len(block)))
		before, words = sum, len(block)
	}
	return best
}

// A gramSet holds the grams of one block: at most a quarter of what it has room for.
type gramSet [8 * blockWords]gram

// add notes g, which is not 0, and reports whether it is new.
func (s *gramSet) add(g gram) bool {
	for i := g >> (32 - 10); ; i++ {
		switch had := &s[i%gram(len(s))]; *had {
		case 0:
			*had = g
			return true
		case g:
			return false
		}
	}
}

// advisory is the one rule that no table holds.
var advisory = Rule{
	ID: "advisory.linear", Clause: quorum.Advisory, Severity: advised[len(advised)-1],
	Why: "As a whole the text looks like those that broke the charter; nothing says where, or which clause.",
}

// advised are the severities that evidence may cost. By itself no evidence takes a
// text under 65.
var advised = [...]quorum.PPM{200_000, 275_000, 325_000}

// FewestWords is how many words a text must have to be advised on: what few words
// say is for rules.
const FewestWords = 40

// advise sets a's evidence, and adds the finding that it is enough for.
func (s *scratch) advise(t *table, l *Linear, a *quorum.Assessment) {
	a.Evidence = s.evidence(t, l, s.facts(t, a))
	if len(s.tokens) < FewestWords {
		return
	}
	for i := len(advised) - 1; i >= 0; i-- {
		if a.Evidence > l.Advise[i] {
			// In order: from the first byte on, and its rule is named before others.
			a.Findings = slices.Insert(a.Findings, 0, quorum.Finding{
				Clause: advisory.Clause, Rule: advisory.ID, Severity: advised[i], End: int(s.folded.size),
			})
			return
		}
	}
}
