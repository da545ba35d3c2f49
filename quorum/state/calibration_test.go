package state

import (
	"bytes"
	"errors"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
)

// calibration is a record that a gateway at s would write: ATLAS was right about
// 28 of 30, SOLARA about 6.
func calibration(s *State, topic string) *quorum.Calibration {
	return &quorum.Calibration{ID: "cal_1", Actor: quorum.Steward, AsOf: s.Size, Policy: s.Policy.Digest(), Items: 30, Set: [32]byte{1},
		Cells:      []quorum.CalibrationCell{{Kind: quorum.Number, Topic: topic, Items: 30}},
		Companions: []quorum.CalibrationCounts{{Companion: "ATLAS", Right: []int64{28}, Seen: []int64{30}}, {Companion: "SOLARA", Right: []int64{6}, Seen: []int64{30}}}}
}

func reliability(s *State, id quorum.CompanionID, kind quorum.Kind, topic string) quorum.PPM {
	m := s.Roster.Find(id)
	return m.Standing.Of(s.Policy, s.Policy.VoteWeight(&m.Companion), kind, topic)
}

// p = (10·parent + right) / (10 + n): by hand, in parts per million.
func TestACalibrationMovesReliabilityAsTheFormulaSays(t *testing.T) {
	s, a := founded(t)
	s = write(t, s, a, calibration(s, ""))
	for _, tt := range []struct {
		id    quorum.CompanionID
		kind  quorum.Kind
		topic string
		want  quorum.PPM
	}{
		{"ATLAS", quorum.Number, "", 900_000},         // (10·0.8 + 28) / 40
		{"SOLARA", quorum.Number, "", 305_000},        // (10·0.62 + 6) / 40
		{"AUREA", quorum.Number, "", 800_000},         // was not asked
		{"ATLAS", quorum.Choice, "", 800_000},         // not about that
		{"ATLAS", quorum.Number, "algebra", 900_000},  // a topic leans on its kind
		{"SOLARA", quorum.Number, "algebra", 305_000}, // the same
	} {
		if got := reliability(s, tt.id, tt.kind, tt.topic); got != tt.want {
			t.Errorf("%s, %s %s: %s, want %s", tt.id, tt.kind, tt.topic, got, tt.want)
		}
	}
	s = write(t, s, a, calibration(s, "algebra"))
	for _, tt := range []struct {
		id    quorum.CompanionID
		topic string
		want  quorum.PPM
	}{
		{"ATLAS", "", 914_285},         // (10·0.8 + 56) / 70
		{"ATLAS", "algebra", 928_571},  // (10·0.914285 + 28) / 40
		{"ATLAS", "logic", 914_285},    // its kind
		{"SOLARA", "algebra", 215_000}, // (10·0.26 + 6) / 40, of (10·0.62 + 12) / 70
	} {
		if got := reliability(s, tt.id, quorum.Number, tt.topic); got != tt.want {
			t.Errorf("with algebra: %s, %q: %s, want %s", tt.id, tt.topic, got, tt.want)
		}
	}
	again, err := Read(s.Append(nil))
	if err != nil || !bytes.Equal(again.Append(nil), s.Append(nil)) {
		t.Errorf("the snapshot reads back as another state: %v", err)
	}
	// What was weighed before goes on being judged by what held then.
	if a.Records[quorum.TypeCalibration] != 2 {
		t.Errorf("%v", a.Records)
	}
}

// A proof seated after a calibration is judged by the weights that it gave, and
// one seated before by the ones it had.
func TestProofsAreJudgedByTheCalibrationTheyKnew(t *testing.T) {
	s, a := founded(t)
	before := s
	s = write(t, s, a, calibration(s, ""))
	s = write(t, s, a, deliberate(t, before, "dlb_before", quorum.Number, "42", "42", "7", "7"))
	s = write(t, s, a, deliberate(t, s, "dlb_after", quorum.Number, "42", "42", "7", "7"))
	wrong := deliberate(t, before, "dlb_wrong", quorum.Number, "42", "42", "7", "7")
	wrong.AsOf = s.Size
	if err := a.Visit(s.Size, stamped(wrong, start)); !errors.Is(err, ErrVerdict) {
		t.Errorf("old weights under a new state: %v", err)
	}
}

func TestAuditRefusesCalibrations(t *testing.T) {
	for name, change := range map[string]func(*quorum.Calibration){
		"under another policy":       func(c *quorum.Calibration) { c.Policy[0]++ },
		"before there was a policy":  func(c *quorum.Calibration) { c.AsOf = 0 },
		"before one was a member":    func(c *quorum.Calibration) { c.AsOf = 2 },
		"from a state still to come": func(c *quorum.Calibration) { c.AsOf += 7 },
		"of nobody known":            func(c *quorum.Calibration) { c.Companions[1].Companion = "NOBODY" },
		"of one that had gone":       func(c *quorum.Calibration) { c.Companions[1].Companion = "AUREA" },
	} {
		s, a := founded(t)
		s = write(t, s, a, &quorum.Withdrawal{Actor: "operator", Companion: "AUREA", Reason: "gone"})
		c := calibration(s, "")
		change(c)
		if err := a.Visit(s.Size, stamped(c, start)); !errors.Is(err, ErrCalibration) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestACalibrationOfNobodyKnownStopsTheFold(t *testing.T) {
	s, _ := founded(t)
	c := calibration(s, "")
	c.Companions[1].Companion = "NOBODY"
	if _, err := s.Apply(start, c); !errors.Is(err, ErrFold) {
		t.Errorf("%v", err)
	}
	if _, err := new(State).Apply(start, calibration(s, "")); !errors.Is(err, ErrFold) {
		t.Errorf("before any policy: %v", err)
	}
}
