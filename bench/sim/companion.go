package sim

import (
	"strconv"
	"strings"
	"time"

	"github.com/kaizen-os/deliberation/quorum"
)

// A Companion is one simulated companion: what an operator would write about it
// in a configuration, and how it behaves.
type Companion struct {
	ID       quorum.CompanionID
	Tier     quorum.Tier
	Weight   string // its own vote weight ("0.8"); empty takes its tier's
	Vendor   string
	Family   string
	Model    string // as its replies name it
	Sentinel bool
	Price    quorum.Price

	Key     string  // if set, what Authorization: Bearer must carry; else 401
	Skill   float64 // chance, 0 to 1, that a simulated mind gets an answer right
	Latency Latency // how long it takes to answer; zero answers at once
	Fixed   int     // if over 0, every reply is a constant text of that many bytes
	Voice   Voice   // where replies come from; nil is a simulated mind
}

// Default is the eight companions that a gateway without configuration starts
// with (DESIGN §11), simulated. The caller owns the slice.
func Default() []Companion {
	return []Companion{
		member("AUREA", quorum.Critical, "", "openai", 0.96, 70*time.Millisecond, price(2500, 10000)),
		sentinel(member("ATLAS", quorum.Critical, "", "anthropic", 0.97, 85*time.Millisecond, price(3000, 15000))),
		member("ZENITH", quorum.High, "", "google", 0.93, 60*time.Millisecond, price(1250, 5000)),
		member("JADE", quorum.High, "", "oaa", 0.90, 75*time.Millisecond, price(900, 3600)),
		member("EVE", quorum.High, "", "oaa", 0.90, 80*time.Millisecond, price(900, 3600)),
		member("SOLARA", quorum.Standard, "0.7", "deepseek", 0.86, 55*time.Millisecond, price(270, 1100)),
		member("ZEUS", quorum.Standard, "0.8", "oaa", 0.80, 45*time.Millisecond, price(400, 1600)),
		member("HERMES", quorum.Standard, "0.8", "oaa", 0.84, 40*time.Millisecond, price(400, 1600)),
	}
}

func member(id string, tier quorum.Tier, weight, vendor string, skill float64, median time.Duration, p quorum.Price) Companion {
	name := strings.ToLower(id)
	return Companion{
		ID: quorum.CompanionID(id), Tier: tier, Weight: weight,
		Vendor: vendor, Family: name, Model: "simulated-" + name, Price: p,
		// A reply in a hundred takes four times the median: enough of a tail
		// for an early decision to show, not enough to bore.
		Skill: skill, Latency: Lognormal(median, 4*median),
	}
}

func sentinel(c Companion) Companion {
	c.Sentinel = true
	return c
}

// price in micro-dollars a thousand tokens.
func price(input, output quorum.MicroUSD) quorum.Price {
	return quorum.Price{Input: input, Output: output}
}

// A Voice is what a companion says. Reply is safe for concurrent use and must
// not keep ask after it returns. An error makes the companion answer 404.
type Voice interface {
	Reply(ask *Ask) (Reply, error)
}

// An Ask is what a companion is asked, whichever dialect it came in.
type Ask struct {
	Prompt  string // the prompt, or the last user message
	Kind    quorum.Kind
	Options []string
	Tier    string
}

// A Reply is what a companion answers.
type Reply struct {
	Text       string
	Stance     quorum.Stance
	Confidence float64 // 0 to 1; negative is not stated
	Rationale  string
	Model      string // empty is the companion's
	Usage      quorum.Usage
}

// maxID is the longest a companion id may be, as [quorum.CompanionID.Valid] has it.
const maxID = 32

// IDFor turns a model's name into a companion id: upper case, with '-' for what
// an id may not hold, cut to 32 bytes. Different names may give the same id;
// [IDs] keeps them apart.
func IDFor(model string) quorum.CompanionID {
	var b strings.Builder
	for _, c := range strings.ToUpper(model) {
		switch {
		case b.Len() == maxID:
			return quorum.CompanionID(b.String())
		case c >= 'A' && c <= 'Z' || c >= '0' && c <= '9':
			b.WriteByte(byte(c))
		case b.Len() == 0: // an id starts with a letter or digit
		case c == '_':
			b.WriteByte('_')
		default:
			b.WriteByte('-')
		}
	}
	if b.Len() == 0 {
		return "MODEL"
	}
	return quorum.CompanionID(b.String())
}

// IDs gives each of models an id of its own, in their order.
func IDs(models []string) []quorum.CompanionID {
	ids := make([]quorum.CompanionID, len(models))
	taken := make(map[quorum.CompanionID]bool, len(models))
	for i, model := range models {
		id := IDFor(model)
		for n := 2; taken[id]; n++ {
			suffix := "_" + strconv.Itoa(n)
			base := IDFor(model)
			id = base[:min(len(base), maxID-len(suffix))] + quorum.CompanionID(suffix)
		}
		taken[id] = true
		ids[i] = id
	}
	return ids
}
