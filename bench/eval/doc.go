// Package eval measures how right the gateway is: against the truth, and
// against the best single model of its panel.
//
// It takes recordings, replies of real models to the same prompts with truth or
// verdict (format: bench/README.md), and for every recording and panel of
// models starts companions that replay them, has the caller start a gateway over
// those companions, sends it every prompt through POST /v1/deliberate, and
// grades what comes back. Closed kinds are graded by their value, votes by the
// decision, everything else by the verdict recorded for the reply that the
// gateway chose.
//
// Each way of waiting has a gateway of its own with an empty ledger, so that
// none learns from another. Differences to the best single model, which is found
// on the same prompts and so flattered by it, come with a 95 % interval over
// prompts, paired.
package eval
