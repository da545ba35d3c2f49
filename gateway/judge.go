package gateway

import (
	"context"
	"fmt"

	"github.com/kaizen-os/deliberation/quorum"
)

// askJudge has one companion choose among the positions, where the panel is not
// sure: each is shown by one reply, without names or shares.
func (f *sequel) askJudge(ctx context.Context) quorum.Outcome {
	f.judge = &quorum.Judgement{Chosen: -1}
	j := f.judge
	j.Companion = f.wanted.judge
	show, why := f.course.JudgeWanted()
	if why != "" {
		j.Outcome, j.Reason = quorum.Unneeded, why
		return j.Outcome
	}
	read := *f.s.d
	read.Kind, read.Options, read.Generation = quorum.Choice, letterOptions(len(show)), nil
	shown, how := f.show(show, false), fmt.Sprintf(judgeByLetter, letters(len(show)))
	asked := about(&read, func(question string) string { return fmt.Sprintf(judgePrompt, question, shown, how) })
	f.judged = f.serve(ctx, &j.Service, asked, &read)
	if j.Outcome != quorum.OK {
		return j.Outcome
	}
	j.Shown = int64(len(show))
	at := chosen(f.judged.key, len(show))
	if j.Reason == "" && at < 0 {
		j.Reason = quorum.ReasonNoAnswer
	}
	if j.Done() {
		j.Chosen = at
		f.course.Judge(show[at].Position)
	}
	return j.Outcome
}
