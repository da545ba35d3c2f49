package gateway

import (
	"context"
	"time"

	"github.com/kaizen-os/deliberation/gateway/wire"
)

// admission bounds how many deliberations are in flight, so that memory has a
// bound. At it, a request waits a little and is then sent away: what has waited
// longer would only time out.
type admission struct {
	slots chan struct{}
}

// DefaultInFlight is how many deliberations run at once unless configured: at
// about 100 KB each, 512 stay within the memory a small machine can spare.
const DefaultInFlight = 512

const admissionWait = 250 * time.Millisecond

func newAdmission(n int) *admission { return &admission{slots: make(chan struct{}, n)} }

func (a *admission) enter(ctx context.Context) error {
	select {
	case a.slots <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(admissionWait)
	defer timer.Stop()
	select {
	case a.slots <- struct{}{}:
		return nil
	case <-timer.C:
	case <-ctx.Done():
	}
	f := refuse(wire.Overloaded, "too many deliberations at once; try again shortly")
	f.retryAfter = time.Second
	return f
}

func (a *admission) leave() { <-a.slots }
