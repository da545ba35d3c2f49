// Package eval measures how right the gateway is: against the truth, and against
// the best single model of its panel.
//
// It takes recordings, replies of real models to the same prompts with truth or
// verdict (format: bench/README.md), and for every recording and panel of models
// starts companions that replay them, has the caller start gateways over those
// companions, sends every prompt through POST /v1/deliberate, and grades what
// comes back: closed kinds by their value, votes by the decision, everything else
// by the verdict recorded for the reply that the gateway chose.
//
// Side by side ([Contender]) stand each single model; a plain majority, counted
// on the ballots of the gateway with tier weights; that gateway; and gateways
// with earned weights that were given 0 or more labelled prompts a kind. Every
// gateway starts with an empty ledger. One without labels learns, as it does for
// its users, from agreement while it is graded. One with labels is never graded
// on what it was given: the prompts are shuffled and dealt into folds, each fold
// has a gateway of its own, and that is given prompts of the other folds by
// POST /api/calibration before its own are asked. Folds and draws depend on the
// seed and on ids alone.
//
// Differences to the best single model, which is found on the same prompts and
// so flattered by it, come with a 95 % interval over prompts, paired, by the
// normal approximation. It holds the luck of the prompts, not that of the draw
// of labels: other seeds tell that.
//
// Ways of waiting are compared prompt by prompt on the same gateways, those with
// the most labels, and only where the ballots weighed the same ([Way]). Cells
// with the policy's number of labelled outcomes learn nothing from agreement, so
// there they do. Without labels a gateway is started that learns from nothing.
package eval
