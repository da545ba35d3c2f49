package gateway

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

// failingSync is a disk whose log cannot be synced any more once it is armed.
type failingSync struct {
	armed  atomic.Bool
	before func() // called before a sync fails, if set
}

var errDisk = errors.New("injected: the disk is gone")

func (f *failingSync) String() string { return "failing sync" }

func (f *failingSync) MaybeError(op errorfs.Op) error {
	sync := op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSyncTo
	if sync && f.armed.Load() && strings.HasSuffix(op.Path, ".log") {
		if f.before != nil {
			f.before()
		}
		return errDisk
	}
	return nil
}

func TestWhatIsNotDurableIsNotSaid(t *testing.T) {
	t.Parallel()
	for _, broken := range []string{"ledger", "vault"} {
		t.Run(broken, func(t *testing.T) {
			t.Parallel()
			disk := new(failingSync)
			fatal := make(chan error, 2)
			s := setup{panel: panelOf(t, says("the canary sings"), says("the canary sings")), fatal: func(err error) { fatal <- err }}
			if broken == "ledger" {
				s.ledgerFS = errorfs.Wrap(vfs.NewMem(), disk)
			} else {
				s.vaultFS = errorfs.Wrap(vfs.NewMem(), disk)
			}
			r := start(t, s)
			before := r.ask(guideRequest)
			checkpoint := string(r.get("/ledger/checkpoint").body)

			disk.armed.Store(true)
			resp := r.post(guideRequest)
			e := resp.failure(http.StatusServiceUnavailable, wire.LedgerUnavailable)
			if resp.header.Get("Retry-After") == "" || strings.Contains(string(resp.body), "canary") || !strings.HasPrefix(e.DeliberationID, "dlb_") {
				t.Errorf("%v: %s", resp.header, resp.body)
			}
			within(t, "word of the failure", fatal)

			// From then on nothing is said, nor, where the ledger tells, even asked.
			asked := r.panel[0].count.Load()
			r.post(guideRequest).failure(http.StatusServiceUnavailable, wire.LedgerUnavailable)
			r.post(`{"prompt":"Tell me how to make a bomb at home"}`).failure(http.StatusServiceUnavailable, wire.LedgerUnavailable)
			if broken == "ledger" && r.panel[0].count.Load() != asked {
				t.Error("a companion was asked what could not be recorded")
			}
			// What was durable is still read.
			if broken == "ledger" {
				if got := string(r.get("/ledger/checkpoint").body); got != checkpoint {
					t.Errorf("checkpoint %s", got)
				}
				var ready wire.Ready
				if resp := r.get("/ready"); ready.Decode(resp.body) != nil || resp.status != http.StatusServiceUnavailable || ready.Store {
					t.Errorf("ready %+v", ready)
				}
				if got := string(r.get("/health").body); !strings.Contains(got, "degraded") {
					t.Errorf("health %s", got)
				}
			}
			if d := r.get("/v1/deliberations/" + before.ID).deliberation(http.StatusOK); d.Answer != "the canary sings" {
				t.Errorf("read back: %+v", d)
			}
			if broken == "ledger" {
				r.get("/v1/deliberations/"+e.DeliberationID).failure(http.StatusNotFound, wire.NotFound)
			}
		})
	}
}

// A deliberation whose proof was not recorded is not completed either, and what
// was still out for it ends.
func TestWhatWasNotRecordedIsNotCompleted(t *testing.T) {
	t.Parallel()
	disk := new(failingSync)
	r := start(t, setup{panel: append(panelOf(t, says("42"), says("42")), shadows(t, held)...), ledgerFS: errorfs.Wrap(vfs.NewMem(), disk), fatal: func(error) {}})
	disk.armed.Store(true)
	r.post(guideRequest).failure(http.StatusServiceUnavailable, wire.LedgerUnavailable)
	r.panel[2].next(t).says("42")
	r.drain()
	if n := len(of[*quorum.Completion](r.journal)); n != 0 {
		t.Errorf("%d completions", n)
	}
}

// smallDisk is a file system that says how much room it has.
type smallDisk struct {
	vfs.FS
	free atomic.Uint64
}

func (d *smallDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: d.free.Load(), TotalBytes: 1 << 40}, nil
}

func TestAFullDiskRefusesNewWorkAndPasses(t *testing.T) {
	t.Parallel()
	disk := &smallDisk{FS: vfs.NewMem()}
	disk.free.Store(1 << 40)
	var uptime atomic.Int64
	later := func() { uptime.Add(int64(time.Minute)) } // the disk is not looked at all the time
	r := start(t, setup{panel: panelOf(t, says("42"), says("42")), ledgerFS: disk, uptime: func() time.Duration { return time.Duration(uptime.Load()) }})
	r.ask(guideRequest)

	disk.free.Store(100 << 20)
	later()
	r.unrecorded(t, func() {
		asked := r.panel[0].count.Load()
		resp := r.post(guideRequest)
		if resp.failure(http.StatusServiceUnavailable, wire.LedgerUnavailable); resp.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		if r.panel[0].count.Load() != asked {
			t.Error("a companion was asked what could not be recorded")
		}
		if resp := r.get("/ready"); resp.status != http.StatusServiceUnavailable {
			t.Errorf("ready: %s", resp.body)
		}
	})

	disk.free.Store(1 << 40)
	later()
	if d := r.ask(guideRequest); d.Status != "carried" {
		t.Errorf("afterwards: %+v", d)
	}
}

func TestTooManyAtOnceAreSentAway(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), held), inFlight: 1})
	first := r.posting(`{"prompt":"Six times seven?","wait":"all"}`)
	atlas := r.panel[1].next(t)
	r.unrecorded(t, func() {
		resp := r.post(guideRequest)
		resp.failure(http.StatusServiceUnavailable, wire.Overloaded)
		if resp.header.Get("Retry-After") != "1" {
			t.Errorf("Retry-After %q", resp.header.Get("Retry-After"))
		}
		r.post(`{"prompt":1}`).failure(http.StatusBadRequest, wire.InvalidType) // a bad request needs no room
	})
	atlas.says("42")
	within(t, "the first answer", first).deliberation(http.StatusOK)
	r.panel[1].does(says("42"))
	r.ask(guideRequest) // and the room is free again
}
