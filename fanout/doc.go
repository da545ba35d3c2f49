// Package fanout puts one deliberation to many companions at once, within one
// deadline.
//
// A [Line] is one companion behind its own token bucket, in-flight limit,
// deadline and breaker; the [Asker] behind it speaks the companion's dialect.
// [Fan.Ask] asks a panel of lines and returns a [Round]. Whoever asked reads
// seats from [Round.Arrivals] until it has heard enough, and then says what
// becomes of the calls still out: [Round.Cancel] or [Round.Linger]. That cut
// fixes what each seat said ([Round.Reply]); what comes afterwards is told apart
// ([Round.Final]) and never changes it.
//
//	round := fan.Ask(ctx, d, panel, score)
//	defer round.Cancel() // after another cut: without effect
//	for listening := true; listening; {
//		select {
//		case seat, more := <-round.Arrivals():
//			listening = more && !decided(seat)
//		case <-ctx.Done():
//			listening = false
//		}
//	}
//	round.Linger(limit, record)
//	for seat := range panel {
//		reply := round.Reply(seat)
//		...
//	}
//
// A [Gate] is the same limits and breaker for an upstream that is asked something
// else than to deliberate.
//
// Every seat ends with an outcome and no companion's failure is the round's. A
// call ends by the cut or by its line's own deadline, whichever is first, and
// its goroutine with it.
//
// No text of a prompt or a reply is ever in a reason, an error, a log line, a
// metric or a trace.
package fanout
