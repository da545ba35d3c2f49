package quorum

// Clause is one of the seven of the Custos Charter, 1 to 7.
type Clause uint8

const (
	Dignity      Clause = 1 + iota // human dignity and autonomy
	Transparency                   // transparency and accountability
	Equity                         // equity and fairness
	Safety                         // safety and harm prevention
	Privacy                        // privacy and data protection
	Civic                          // civic integrity
	Systemic                       // environmental and systemic responsibility
)

// Clauses is how many there are.
const Clauses = 7

// Advisory stands in a finding's place for a clause where a text as a whole looks
// like those that broke the charter, and nothing says which clause. It bounds the
// score and no clause's.
const Advisory Clause = 0

// A Finding is one place where a text cost points. It holds no text.
type Finding struct {
	Clause   Clause // or Advisory
	Rule     string // id in the rule table, such as "privacy.email"
	Severity PPM    // the share of the clause's score it takes
	Start    int    // byte span in the text as it was given
	End      int
}

// An Assessment is a text scored against the charter.
type Assessment struct {
	Score    Score          // the worst clause, or what is advised where that is less
	Clauses  [Clauses]Score // by clause, index clause-1
	Findings []Finding      // in order of Start, then rule id
	Critical bool           // some finding has critical severity
	Evidence int32          // how much the text looks like those that broke the charter; ranks, means nothing by itself
}

// A Ballot is one seat's reply, scored, extracted and weighed: all that
// [Policy.Decide] looks at. Seats that said nothing have one too.
type Ballot struct {
	Companion CompanionID
	Vendor    string
	Tier      Tier
	Outcome   Outcome
	Scored    bool // there was a text, and it has a charter score
	Score     Score
	Stance    Stance
	Abstained bool   // it took part without taking a position
	Key       string // keyed questions: its canonical answer, equal for equal answers; "" when none was found. Open ones: of replies that are the same
	Reason    string // why it does not count, when that is known before deciding
	Judged    Judged // what external judges came to

	TierWeight PPM // what its tier alone gives it
	Earned     PPM // what its record gives it, within this panel
	Prior      PPM // its reliability p for this kind
	Odds       PPM // ln((K-1)p/(1-p)), may be negative
	Weight     PPM // of the two weights, the one that decides here

	// Set by Decide.
	Counted  bool
	Position int // index into Verdict.Positions, or -1
}

// A Question is what the rules need to know of a deliberation.
type Question struct {
	Tier      Tier
	Kind      Kind // never Auto: found by now
	Options   int  // of a choice, where the request gave them
	Operation bool // something that would happen, decided by tier weights
	Open      bool // long text, or code that nobody runs: replies are compared, not clustered; only the same share a position
	// Similarities of each pair of ballots, for text and code: the upper
	// triangle row by row, (0,1) (0,2) … (1,2) …; -1 where two must never share
	// a position. Nil for closed kinds.
	Similarities []PPM
}

// Keyed reports whether positions are equal keys: of closed kinds, and of code
// that is run, where the key stands for what running it gave. A record of code
// says which it was by Open: set when nobody ran it.
func (q *Question) Keyed() bool { return q.Kind.Closed() || q.Kind == Code && !q.Open }

// similarity of ballots i and j of n; 0 where there are none.
func (q *Question) similarity(i, j, n int) PPM {
	if len(q.Similarities) == 0 || i == j {
		return 0
	}
	if i > j {
		i, j = j, i
	}
	return q.Similarities[i*(2*n-i-1)/2+j-i-1]
}
