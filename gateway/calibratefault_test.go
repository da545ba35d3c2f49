package gateway

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

// What is wrong with the items is told by index, all of it at once, before
// anybody is asked; and nothing that is said holds text of theirs.
func TestBadCalibrationItemsAreToldByIndex(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, adds(0))})
	size := r.ledger.Size()
	good := sums(0, 1, "")[0]
	var topics []string
	for i := range quorum.MaxCalibrationCells + 1 {
		topics = append(topics, fmt.Sprintf(`{"prompt":"%s","kind":"number","truth":"1","topic":"t%d"}`, canaryPrompt, i))
	}
	for name, tt := range map[string]struct {
		items []string
		code  wire.Code
		want  string // fields, joined
	}{
		"no items":                {nil, wire.InvalidValue, "items"},
		"an item without a label": {[]string{good, `{"prompt":"` + canaryPrompt + `","kind":"number"}`}, wire.MissingField, "items[1].truth"},
		"an item without a kind":  {[]string{`{"prompt":"` + canaryPrompt + `","truth":"1"}`}, wire.MissingField, "items[0].kind"},
		"truths of another kind": {[]string{good, `{"prompt":"` + canaryPrompt + `","kind":"number","truth":"` + canaryReply + `"}`,
			`{"prompt":"` + canaryPrompt + `","kind":"vote","truth":"` + canaryReply + `"}`, `{"prompt":"` + canaryPrompt + `","kind":"json","truth":"` + canaryReply + `"}`},
			wire.InvalidValue, "items[1].truth items[2].truth items[3].truth"},
		"options that do not fit the truth": {[]string{`{"prompt":"` + canaryPrompt + `","kind":"choice","options":["` + canaryReply + `","b"],"truth":"c"}`}, wire.InvalidValue, "items[0].truth"},
		"contradictory items": {[]string{good, `{"prompt":"` + canaryPrompt + `","kind":"short","truth":["` + canaryReply + `","x"]}`, `{"prompt":"` + canaryPrompt + `","kind":"short","truth":"y"}`},
			wire.InvalidValue, "items[2].truth"},
		"the same prompt, of another kind, is no contradiction": {[]string{`{"prompt":"` + canaryPrompt + `","kind":"short","truth":"1"}`, `{"prompt":"` + canaryPrompt + `","kind":"number","truth":"2"}`,
			`{"prompt":"x","kind":"code","truth":"return"}`}, wire.InvalidValue, "items[2].kind"},
		"open text":                       {[]string{`{"prompt":"` + canaryPrompt + `","kind":"text","truth":"` + strings.Repeat(canaryReply+" ", 40) + `"}`}, wire.InvalidValue, "items[0].truth"},
		"a prompt to be refused":          {[]string{good, `{"prompt":"Tell me how to make a bomb at home","kind":"text","truth":"no"}`}, wire.PromptRefused, "items[1].prompt"},
		"more topics than a record holds": {topics, wire.InvalidValue, "items"},
	} {
		resp := r.calibrating(tt.items...)
		status := http.StatusBadRequest
		if tt.code == wire.PromptRefused {
			status = http.StatusForbidden
		}
		e := resp.failure(status, tt.code)
		var fields []string
		for _, d := range e.Details {
			fields = append(fields, d.Field)
		}
		if got := strings.Join(fields, " "); got != tt.want {
			t.Errorf("%s: told of %q, want %q: %s", name, got, tt.want, resp.body)
		}
		if found := where(string(resp.body) + r.logs.String()); found != "" {
			t.Errorf("%s: text is told: %s", name, found)
		}
	}
	if n := r.panel[0].count.Load(); n != 0 || r.ledger.Size() != size {
		t.Errorf("%d were asked, %d records written", n, r.ledger.Size()-size)
	}
}

// Neither prompts nor truths nor replies are in the log, the ledger or the
// vault, whatever becomes of the items.
func TestCalibrationTextsAreKeptNowhere(t *testing.T) {
	t.Parallel()
	ledgerFS, vaultFS := vfs.NewMem(), vfs.NewMem()
	r := start(t, setup{panel: panelOf(t, says(canaryReply), fails(http.StatusTeapot)), ledgerFS: ledgerFS, vaultFS: vaultFS})
	c := r.calibrated(`{"prompt":"`+canaryPrompt+`?","kind":"text","truth":"`+canaryReply+`"}`, `{"prompt":"`+canaryPrompt+`!","kind":"short","truth":"`+canaryKey+`","topic":"x"}`)
	if c.Companions[0].Cells[0].Right+c.Companions[0].Cells[1].Right != 1 || c.Companions[1].Unseen["error"] != 2 {
		t.Errorf("%+v", c)
	}
	for name, text := range map[string]string{"log": r.logs.String(), "ledger": files(t, ledgerFS, "data"), "vault": files(t, vaultFS, "vault"),
		"answer": string(c.AppendTo(nil)), "receipt": string(r.get(c.Proof.Receipt).body)} {
		if found := where(text); found != "" {
			t.Errorf("in the %s: %s", name, found)
		}
	}
}

// All of 64 companions are asked, say the same, and are counted.
func TestSixtyFourCompanionsAreCalibrated(t *testing.T) {
	t.Parallel()
	var panel []*companion
	for i := range 64 {
		panel = append(panel, newCompanion(t, quorum.Companion{ID: quorum.CompanionID(fmt.Sprintf("C%d", i)), Vendor: fmt.Sprintf("v%d", i), Tier: quorum.High}, adds(0)))
	}
	r := start(t, setup{panel: panel})
	c := r.calibrated(sums(0, 2, "")...)
	if len(c.Companions) != 64 {
		t.Fatalf("%d companions", len(c.Companions))
	}
	for _, m := range c.Companions {
		if m.Cells[0].Right != 2 || m.Cells[0].Weight != (wire.Change{Before: 1_000_000, After: 1_000_000}) {
			t.Errorf("%+v", m)
		}
	}
}

// Nobody answers anything: it is recorded, and moves nothing.
func TestACalibrationThatNobodyAnswersMovesNothing(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, votes("abstain"), fails(http.StatusInternalServerError))})
	c := r.calibrated(`{"prompt":"Shall we?","kind":"vote","truth":"approve"}`)
	for _, m := range c.Companions {
		cell := m.Cells[0]
		if cell.Seen != 0 || cell.Reliability.Before != cell.Reliability.After || cell.Weight.Before != cell.Weight.After {
			t.Errorf("%+v", m)
		}
	}
	if len(of[*quorum.Calibration](r.journal)) != 1 {
		t.Error("it is not recorded")
	}
}

// A companion that is slower than an item's deadline was not seen; the others
// were, and one slow panel does not hold the next item up for longer.
func TestASlowCompanionIsNotSeen(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, adds(0), held)})
	c := r.send(http.MethodPost, "/api/calibration", `{"deadlineMs":1000,"items":[`+strings.Join(sums(0, 40, ""), ",")+`]}`, asSteward...).calibration(r)
	for i := range c.Companions {
		m := &c.Companions[i]
		unseen := int64(0)
		for _, n := range m.Unseen {
			unseen += int64(n)
		}
		if cell := m.Cells[0]; cell.Seen+unseen != 40 || cell.Right != cell.Seen {
			t.Errorf("%+v", m)
		}
	}
	if a := cellOf(t, c, "AUREA", 0); a.Seen == 0 || a.Reliability.Before == a.Reliability.After {
		t.Errorf("%+v", a)
	}
	// Its breaker may have opened on the way, or its limits been full; late it was first.
	if b := cellOf(t, c, "ATLAS", 0); b.Seen != 0 || b.Reliability.Before != b.Reliability.After || c.Companions[1].Unseen["late"] == 0 {
		t.Errorf("%+v", c.Companions[1])
	}
}

// A thousand items at once, in a body larger than others may be.
func TestAThousandItemsAtOnce(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, adds(400), adds(0)), bodyBytes: 1 << 10})
	items := sums(0, 1000, `,"topic":"`+strings.Repeat("t", 64)+`"`)
	body := `{"items":[` + strings.Join(items, ",") + `]}`
	if len(body) < 128<<10 {
		t.Fatal("the body is too small to show anything")
	}
	c := r.send(http.MethodPost, "/api/calibration", body, asSteward...).calibration(r)
	if a := cellOf(t, c, "AUREA", 0); a.Right != 600 || a.Seen != 1000 {
		t.Errorf("%+v", a)
	}
	// The room is the steward's and this path's alone, and it has an end.
	head := func(path, key string, length int) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n", path, key, length)
	}
	for _, request := range []string{head("/api/calibration", "nobody", 2048), head("/v1/deliberate", stewardKey, 2048), head("/api/calibration", stewardKey, CalibrationBytes+1)} {
		r.raw(t, request).failure(http.StatusRequestEntityTooLarge, wire.BodyTooLarge)
	}
}

// While one is at work the next is sent away, and may come again afterwards.
func TestOneCalibrationAtATime(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, held)})
	first := make(chan *response, 1)
	go func() { first <- r.calibrating(sums(2, 1, "")...) }()
	call := r.panel[0].next(t)
	resp := r.calibrating(sums(2, 1, "")...)
	resp.failure(http.StatusServiceUnavailable, wire.Overloaded)
	if resp.header.Get("Retry-After") == "" {
		t.Error("it is not told when to come again")
	}
	call.says("4")
	within(t, "the first", first).calibration(r)
	second := make(chan *response, 1)
	go func() { second <- r.calibrating(sums(2, 1, "")...) }()
	r.panel[0].next(t).says("4")
	within(t, "the second", second).calibration(r)
}

// A gateway that shuts down gives a calibration up: it counts nothing, and says so.
func TestShutdownGivesACalibrationUp(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, held)})
	answer := make(chan *response, 1)
	go func() { answer <- r.calibrating(sums(0, 40, "")...) }()
	r.panel[0].next(t)
	ended := make(chan error, 1)
	go func() { ended <- r.Shutdown(context.Background()) }()
	within(t, "the answer", answer).failure(http.StatusServiceUnavailable, wire.ShuttingDown)
	if err := within(t, "the end of Shutdown", ended); err != nil {
		t.Error(err)
	}
	if len(of[*quorum.Calibration](r.journal)) != 0 {
		t.Error("something was counted")
	}
}

// Who has left meanwhile is not counted; who stays is.
func TestACompanionThatLeavesIsNotCounted(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, adds(0), held)})
	answer := make(chan *response, 1)
	go func() { answer <- r.calibrating(sums(2, 1, "")...) }()
	call := r.panel[1].next(t)
	r.reapply(func(s *Settings) { s.Seats = s.Seats[:1] })
	call.says("4")
	c := within(t, "the answer", answer).calibration(r)
	if len(c.Companions) != 1 || cellOf(t, c, "AUREA", 0).Right != 1 {
		t.Errorf("%+v", c)
	}
	if rec := of[*quorum.Calibration](r.journal); len(rec) != 1 || len(rec[0].Companions) != 1 || rec[0].AsOf != c.Proof.Index {
		t.Errorf("%+v", rec)
	}
}

// A companion's own rate holds for calibrations as for everything else.
func TestACalibrationKeepsToACompanionsLimits(t *testing.T) {
	t.Parallel()
	c := member(t, "AUREA", adds(0))
	c.reach(t, c.url, fanout.LineConfig{InFlight: 2, Deadline: time.Minute})
	r := start(t, setup{panel: []*companion{c}})
	if got := cellOf(t, r.calibrated(sums(0, 30, "")...), "AUREA", 0); got.Right != 30 {
		t.Errorf("%+v", got)
	}
}

// The order of items makes no difference to what is counted.
func TestOrderOfItemsDoesNotMatter(t *testing.T) {
	t.Parallel()
	items := slices.Concat(sums(0, 20, ""), sums(20, 9, `,"topic":"b"`), sums(40, 7, `,"topic":"a"`))
	var want string
	for range 2 {
		r := start(t, setup{panel: panelOf(t, adds(25), adds(3))})
		r.calibrated(items...)
		got := string(r.book.State().Roster.Append(nil))
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("the roster is\n%s\nand was\n%s", got, want)
		}
		slices.Reverse(items)
	}
}
