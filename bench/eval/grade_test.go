package eval

import (
	"testing"

	"github.com/kaizen-os/deliberation/bench/sim"
	"github.com/kaizen-os/deliberation/gateway/wire"
)

func TestMajority(t *testing.T) {
	cast := func(positions ...int) (ballots []wire.Ballot) {
		for _, p := range positions {
			b := wire.Ballot{Counted: true, Position: p, Stance: []string{"reject", "approve", "abstain"}[(p+3)%3]}
			if p < -1 {
				b.Counted, b.Position = false, 0
			}
			ballots = append(ballots, b)
		}
		return ballots
	}
	number := &sim.Item{Kind: sim.NumberItem, Truth: "7"}
	text := &sim.Item{Kind: sim.FreetextItem, Truth: "Ada", Replies: []sim.RecordedReply{{Text: "Bob", OK: new(bool)}, {Text: " It was Ada.\n", OK: yes()}}}
	const out = -2 // not counted, though it says what position 0 says
	for _, tt := range []struct {
		name    string
		it      *sim.Item
		answers []string
		ballots []wire.Ballot
		want    float64
	}{
		{"two against the heaviest", number, []string{"5", "7"}, cast(0, 1, 1), 1},
		{"of two equal, the earliest seat's", number, []string{"5", "7"}, cast(1, 0, 0, 1), 1},
		{"and so where that is wrong", number, []string{"5", "7"}, cast(0, 1, 1, 0), 0},
		{"who is not counted has no voice", number, []string{"5", "7"}, cast(out, out, 1), 1},
		{"nor who takes no position", number, []string{"5", "7"}, cast(-1, -1, 1), 1},
		{"nobody takes one", number, nil, cast(-1, -1), 0},
		{"a position that the answer lacks", number, []string{"7"}, cast(0, 9, 9), 1},
		{"a vote by its stance", &sim.Item{Kind: sim.VoteItem, Truth: "approve"}, []string{"", ""}, cast(0, 1, 1), 1},
		{"a vote that is lost", &sim.Item{Kind: sim.VoteItem, Truth: "approve"}, []string{"", ""}, cast(0, 0, 1), 0},
		{"a text by the verdict on it", text, []string{"Bob", "It was Ada."}, cast(1, 1), 1},
		{"a text that nobody wrote", text, []string{"It was Ada, they say."}, cast(0, 0), 0},
	} {
		d := &wire.Deliberation{Ballots: tt.ballots}
		for _, a := range tt.answers {
			d.Positions = append(d.Positions, wire.Position{Answer: a})
		}
		got, ok := grader{lastWord}.majority(tt.it, &panel{columns: []int{0, 1}}, d)
		if !ok || got != tt.want {
			t.Errorf("%s: %v, %v; want %v", tt.name, got, ok, tt.want)
		}
	}
	if _, ok := (grader{lastWord}).majority(&sim.Item{Kind: sim.OpenItem}, &panel{}, &wire.Deliberation{}); ok {
		t.Error("open text has a majority")
	}
}

func yes() *bool {
	right := true
	return &right
}

// Equal answers may be written differently; who supports them tells.
func TestFollows(t *testing.T) {
	for _, tt := range []struct {
		name        string
		early, full outcome
		want        bool
	}{
		{"fewer of the same", outcome{leaders: 0b0110}, outcome{leaders: 0b1111}, true},
		{"others", outcome{leaders: 0b0110}, outcome{leaders: 0b1001}, false},
		{"nobody either way", outcome{}, outcome{}, true},
		{"nobody early", outcome{}, outcome{leaders: 1}, false},
		{"the same, decided otherwise", outcome{leaders: 1, decision: "approve"}, outcome{leaders: 1}, false},
	} {
		if got := tt.early.follows(&tt.full); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
