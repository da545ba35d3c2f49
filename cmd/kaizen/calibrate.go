package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kaizen-os/deliberation/gateway"
	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/store"
)

type calibrateOptions struct {
	url, key, data string
	deadline       time.Duration
	batch          int
	asJSON         bool
}

func newCalibrateCommand() *cobra.Command {
	var o calibrateOptions
	cmd := &cobra.Command{
		Use:   "calibrate FILE|-",
		Short: "Put prompts with known answers to the companions, and count who is right",
		Long: `Put prompts whose right answers are known to every active companion, and count who is
right. From the counts, which become a record of the ledger, everybody computes how much
each companion weighs for that kind of question. A hundred prompts a kind are a good
measure; after thirty, labels alone count. Only stewards may do this.

The file has one JSON object a line, or one array of them, or is the body of
POST /api/calibration. Each has

  prompt   what is asked
  kind     choice, number, short, json, vote or text; open text and code have no one
           right answer and cannot be graded
  truth    the right answer, or an array of all that are accepted: of a choice the option
           or its letter, of a vote approve or reject, of a text a few words
  options  of a choice, in order, unless they stand in the prompt (A to J)
  topic    optional, such as algebra: counted for the topic and for the kind

The whole file is checked before the first prompt is sent: what is unlabelled, no answer
of its kind, or contradicts another line is told by its place, and nobody is asked. The
prompts are sent in one request, or in several where they are more than the gateway takes
at once; each request counts as a whole or not at all.`,
		Example: `  echo '{"prompt":"What is 17 * 23?","kind":"number","truth":"391"}' | kaizen calibrate -
  kaizen calibrate labels.jsonl --key file:data/steward.key --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &exitError{exitUsage, errors.New("give one file of labelled prompts, or - for standard input")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.url, "url", defaultURL, "the gateway")
	f.StringVar(&o.data, "data", defaultData, "the gateway's data folder, for its steward.key")
	f.StringVar(&o.key, "key", "", "where the steward's key is: env:NAME or file:PATH (default env:KAIZEN_KEY, if set, else steward.key in --data)")
	f.DurationVar(&o.deadline, "deadline", 0, "how long to wait for one prompt's answers (0: as the gateway does, 20s)")
	f.IntVar(&o.batch, "batch", wire.MaxCalibrationItems, "the most prompts to a request")
	f.BoolVar(&o.asJSON, "json", false, "print the gateway's JSON as it is, one line a request")
	return cmd
}

func (o *calibrateOptions) run(cmd *cobra.Command, file string) error {
	if o.batch < 1 || o.batch > wire.MaxCalibrationItems {
		return &exitError{exitUsage, fmt.Errorf("--batch: want 1 to %d", wire.MaxCalibrationItems)}
	}
	if o.deadline < 0 || o.deadline > 0 && o.deadline < time.Millisecond {
		return &exitError{exitUsage, errors.New("--deadline: want a millisecond or more")}
	}
	items, err := readLabels(cmd.InOrStdin(), file)
	if err != nil {
		return err
	}
	key, err := o.stewardKey()
	if err != nil {
		return err
	}
	c, err := newClient(o.url, key)
	if err != nil {
		return err
	}
	defer c.close()
	out, errOut := cmd.OutOrStdout(), cmd.ErrOrStderr()
	var answers []wire.Calibration
	for done := 0; done < len(items); {
		n := o.next(items[done:])
		if isTerminal(errOut) {
			fmt.Fprintf(errOut, "asking prompts %d to %d of %d\n", done+1, done+n, len(items))
		}
		body, answer, err := c.calibrate(cmd.Context(), &wire.CalibrationRequest{Items: items[done : done+n], DeadlineMs: o.deadline.Milliseconds()})
		if err != nil {
			if done > 0 {
				o.show(out, answers)
				return fmt.Errorf("prompts 1 to %d are counted, the others are not: %w", done, err)
			}
			return err
		}
		if done += n; o.asJSON {
			if _, err := out.Write(append(body, '\n')); err != nil {
				return err
			}
		}
		answers = append(answers, *answer)
	}
	return o.show(out, answers)
}

// show prints what came of the requests, unless their JSON was.
func (o *calibrateOptions) show(out io.Writer, answers []wire.Calibration) error {
	if o.asJSON {
		return nil
	}
	p := paintFor(out)
	_, err := out.Write(appendCalibrations(nil, answers, p))
	return err
}

// next is how many of items go into one request: what the gateway takes at once.
func (o *calibrateOptions) next(items []wire.CalibrationItem) int {
	size := len(`{"items":[],"deadlineMs":9223372036854775807}`)
	cells := make(map[[2]string]bool)
	for i := range items {
		size += len(items[i].AppendTo(nil)) + 1
		cells[[2]string{items[i].Kind, items[i].Topic}] = true
		if i == o.batch || i > 0 && (size > gateway.CalibrationBytes || len(cells) > quorum.MaxCalibrationCells) {
			return i
		}
	}
	return len(items)
}

// calibrate sends labelled prompts. There is no time that it may take: it ends
// when each has had its deadline, a few at a time.
func (c *apiClient) calibrate(ctx context.Context, r *wire.CalibrationRequest) (body []byte, answer *wire.Calibration, err error) {
	body, err = c.do(ctx, http.MethodPost, "/api/calibration", r.AppendTo(nil))
	if err != nil {
		return nil, nil, err
	}
	answer = new(wire.Calibration)
	if err := answer.Decode(body); err != nil || !strings.HasPrefix(answer.ID, "cal_") {
		return nil, nil, fmt.Errorf("%s does not answer like a kaizen gateway; check --url", c.base)
	}
	return body, answer, nil
}

// stewardKey is where --key says, or in KAIZEN_KEY, or in the data folder.
func (o *calibrateOptions) stewardKey() (Secret, error) {
	key, err := keyFrom(o.key, os.LookupEnv)
	if err != nil || !key.Empty() {
		return key, err
	}
	name := filepath.Join(o.data, "steward.key")
	text, err := store.ReadSecret(name)
	if errors.Is(err, os.ErrNotExist) {
		return Secret{}, fmt.Errorf("only a steward calibrates, and there is no %s: give the key with --key or --data", name)
	}
	found := strings.TrimSpace(string(text))
	if err == nil && !headerSafe(found) {
		err = fmt.Errorf("%s holds no key", name)
	}
	return Secret{found}, err
}
