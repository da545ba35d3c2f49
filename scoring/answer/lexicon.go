package answer

import "strings"

// role is what a word does in a text.
type role uint8

const (
	content role = iota
	stopWord
	negator  // not: denies what follows in its clause
	falsity  // false: denies the whole sentence
	numeral  // two
	unitWord // kilometre
	month
	season
	breaker // but: ends what a negation denies
)

// An entry is what the lexicon knows of a word. Words of one meaning share a
// hash; of two opposites the second is the first one denied.
type entry struct {
	word     uint64 // the folded word or pair it is found by
	hash     uint64 // what it is taken for
	value    uint32 // of a numeral
	role     role
	opposite bool
	cue      cue
	bound    bound
}

// cue says what part a word may have in saying that one does not know.
type cue uint8

const (
	self   cue = 1 << iota // I
	knows                  // know, find, have access
	fact                   // information
	vague                  // unclear: says it alone
	asks                   // could you, please, sorry: the talk around it
	be                     // is, was
	agrees                 // yes, true
	counts                 // World War I: a number follows
)

// bound is which way from what follows it a comparison points: more than, at most.
type bound uint8

const (
	unbound bound = iota
	more          // more time, more than 5
	less
	atLeast // least and most are bounds only behind "at"
	atMost
	upward // over and above are bounds only before a figure
	downward
)

// bounds lists the words of each bound.
var bounds = [...]string{more: "more", less: "less fewer", atLeast: "least", atMost: "most", upward: "over above exceeding", downward: "under below"}

// A lexicon finds entries by hash: open addressing, never changed once built.
type lexicon struct {
	// Most words of a text are in no lexicon: one bit says so, out of two
	// kilobytes that stay in the nearest cache.
	maybe   [256]uint64
	slots   []uint16 // where in entries, 1-based; so sparse that the first look decides
	mask    uint64
	entries []entry
}

// find returns the entry for a word's hash, or nil.
func (l *lexicon) find(h uint64) *entry {
	if l.maybe[h>>20&255]>>(h>>28&63)&1 == 0 {
		return nil
	}
	for i := h & l.mask; ; i = (i + 1) & l.mask {
		at := l.slots[i]
		if at == 0 {
			return nil
		}
		if e := &l.entries[at-1]; e.word == h {
			return e
		}
	}
}

// add adds e, unless its word has a meaning already: the first one given counts.
func (l *lexicon) add(e entry) {
	if l.find(e.word) != nil {
		return
	}
	l.maybe[e.word>>20&255] |= 1 << (e.word >> 28 & 63)
	i := e.word & l.mask
	for l.slots[i] != 0 {
		i = (i + 1) & l.mask
	}
	l.entries = append(l.entries, e)
	l.slots[i] = uint16(len(l.entries))
}

// english is built once from the lists below and only read.
var english = build()

const stopWords = `a an the this that these those there here it its they them their he him his she her hers we our us you your i me my
is are was were be been being am do does did done has have had having will would shall should may might must can could
of to in on at by for from with as into onto upon about around within during through and or nor so than then thus hence therefore
which who whom whose what when where how if while because since also just very really quite rather too even still only own same such
some each both all more most much many other another one's s t d ll ve re m o
called named known commonly generally usually typically often sometimes famously well best better likely probably
answer question according based however yes known true correct fact case actually indeed please note sure certainly
ok okay name first please refers refer get got go goes went gone make made makes like said says say
become became becomes consider considered regarded specifically particularly mainly primarily located situated
currently original originally until till`

const negators = `not no never neither nor cannot without nobody nothing none nowhere hardly scarcely barely
dont doesnt didnt isnt arent wasnt werent wont wouldnt cant couldnt shouldnt hasnt havent hadnt mustnt aint neednt
fails fail failed failing refuse refused refuses unable lack lacks lacked lacking deny denies denied denying few fewer avoid avoids avoided avoiding`

const falsities = `false untrue incorrect wrong myth impossible misconception hoax mistaken unlikely unfounded disproved debunked fictional fabricated`

const breakers = `but however although though whereas instead yet rather unless except`

// opposites lists what cannot both be so.
const opposites = `increase decrease; rise fall; raise lower; grow shrink; safe unsafe; safe dangerous; legal illegal; allow forbid; allow ban; permit prohibit
accept reject; approve reject; over under; support oppose; agree disagree; win lose; open close; start stop; begin end; enter leave; arrive depart; possible impossible
likely unlikely; known unknown; able unable; happy unhappy; fair unfair; healthy unhealthy; necessary unnecessary; successful unsuccessful; stable unstable
visible invisible; valid invalid; complete incomplete; effective ineffective; efficient inefficient; accurate inaccurate; consistent inconsistent; dependent independent
above below; before after; north south; east west; northern southern; eastern western; left right; up down; high low; hot cold; warm cool; fast slow; long short; large small
old young; rich poor; strong weak; heavy light; hard soft; wet dry; early late; full empty; male female; alive dead; present absent; positive negative; more less
public private; domestic foreign; guilty innocent; buy sell; give take; lend borrow; import export; gain loss; pass fail; succeed fail; improve worsen; expand contract
greater smaller; larger smaller; faster slower; longer shorter; older younger; maximum minimum; majority minority; inside outside; internal external
clockwise anticlockwise; clockwise counterclockwise; mandatory optional; required optional; free paid; reversible irreversible; regular irregular; legitimate illegitimate
uphold overturn; always never; everyone nobody; everything nothing; include exclude; add remove; connect disconnect; appear disappear; attack defend; remember forget
benefit harm; beneficial harmful; helpful harmful; contagious noncontagious; toxic nontoxic; soluble insoluble; edible inedible; married unmarried; day night
first last; front back; morning evening; ally enemy; push pull; love hate; tall short; wide narrow; deep shallow; thick thin; near far; acid alkaline
vote vote-against; argue argue-against; speak speak-against; rule rule-against; decide decide-against; strengthen weaken; heavier lighter; support contradict; unanimous divided; ascending descending; upstream downstream; renewable nonrenewable; democrat republican; confirm refute; prove disprove; hire fire`

// synonyms lists words that are taken for one another. A hyphen joins a pair of
// words into one entry.
const synonyms = `die died dies dying; write wrote written; find found; build built; win won; begin began begun; rise rose risen; fall fell fallen; grow grew grown; buy bought
sell sold; give gave given; take took taken; tell told; think thought; know knew known; see saw seen; speak spoke spoken; eat ate eaten; drink drank; sing sang sung; lose lost
sleep slept; shoot shot; lead led; hold held; drive drove driven; fly flew flown; teach taught; catch caught; bring brought; pay paid; send sent; spend spent; meet met
run ran; break broke broken; wear wore; steal stole stolen; hide hid; child children; person people; man men; woman women; foot feet; tooth teeth; mouse mice; lend lent; forbid forbade forbidden; uphold upheld
sink sank sunk; swim swam swum; ring rang rung; freeze froze frozen; choose chose chosen; forget forgot forgotten; hear heard; keep kept; come came; shake shook shaken
swear swore sworn; tear tore torn; throw threw thrown; draw drew drawn; blow blew blown; bite bit bitten; feed fed; fight fought; feel felt; strike struck; stand stood
understand understood; hang hung; seek sought; sweep swept; deal dealt; dig dug; ride rode ridden; sit sat; stick stuck; withdraw withdrew withdrawn; overthrow overthrew overthrown
weigh weight
accept approve; usa united-states america; uk united-kingdom great-britain britain; eu european-union; un united-nations
die dead death passed-away perish decease; kill murder slay assassinate; big large huge enormous; small little tiny; begin start commence; finish end conclude
buy purchase acquire; film movie motion-picture; car automobile; doctor physician; child kid; help assist aid; show demonstrate indicate; use utilize employ
quick fast rapid; stop halt cease; build construct; create invent; write author; discover find; marry wed; wife spouse; job occupation profession
house home residence; world earth globe; city town; nation country; rich wealthy; important significant; difficult hard; easy simple; fix repair; choose select pick
get obtain receive; keep retain; leave depart; locate situate; need require; allow permit; forbid prohibit ban; say state; tell inform; think believe; big-apple new-york
baby infant; illness disease sickness; doctor physician; drug medicine medication; picture image; road street; sea ocean; ship vessel boat; plane airplane aircraft aeroplane
war conflict; win victory triumph;  leader head; boss chief; sign symbol; part component; type kind sort; goal aim objective; cause reason; result outcome
increase rise grow raise climb higher upper; decrease fall decline drop reduce lower; shop store; teacher instructor; student pupil; price cost; money cash; law legislation; rule regulation
attorney lawyer; football soccer; autumn fall-season; smart intelligent clever; sad unhappy; happy glad; scared afraid; sick ill; close shut; near nearby; whole entire
contain include comprise; produce manufacture; launch release; publish issue; compose write; direct helm; star feature; portray play; sing perform; capital-city capital
song track tune; band group; singer vocalist; actor actress; football-club fc; doctor dr; mister mr; saint st; mount mt; bicycle bike; telephone phone; television tv
cat feline; dog canine; plant vegetation; snake serpent; lie-down recline; forever eternally; center centre; color colour; theater theatre; defense defence; organization organisation
exercise workout physical-activity; sleep slumber; eat consume; drink beverage; speak talk; annual yearly; monthly every-month; daily every-day; twice two-times; half 50-percent
roof rooftop; attempt try; entire whole; reply respond; repair mend; reside live dwell; vacation holiday; employee worker staff; firm company corporation business
powerful strong; correct accurate; wrong incorrect; odd strange; brave courageous; cheap inexpensive; expensive costly; huge giant; error mistake; garbage trash rubbish; main chief primary principal`

const numerals = `zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty`

const tens = `thirty forty fifty sixty seventy eighty ninety`

// ordinals are figures from the second on: "first" is said of too much, and mostly
// tells nothing.
const ordinals = `third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth`

// decades are years of a century, and their plural a figure like the year.
const decades = `twenties thirties forties fifties sixties seventies eighties nineties`

const months = `january february march april may june july august september october november december`

var monthNames = strings.Fields(months)

const shortMonths = `jan feb mar apr may jun jul aug sep oct nov dec`

const seasons = `spring summer autumn winter`

const weekdays = `monday tuesday wednesday thursday friday saturday sunday`

// units lists spellings of one unit each.
const units = `km kilometer kilometre; m meter metre; cm centimeter centimetre; mm millimeter millimetre; mile mi; foot feet ft; inch; yard yd; kg kilogram kilo; g gram; mg milligram; ton tonne
lb pound lbs; ounce oz; liter litre l; ml milliliter millilitre; gallon gal; pint; second sec; minute min; hour hr; week; month; year yr; decade; century; percent pct
dollar usd; euro eur; gbp sterling; yen jpy; rupee inr; celsius c; fahrenheit f; kelvin k; watt w; kilowatt kw; volt v; amp ampere; byte; kb kilobyte; mb megabyte; gb gigabyte; tb terabyte
joule j; newton; pascal; hertz hz; mph; kph kmh; acre; hectare; calorie; kilocalorie kcal; degree; day; am; pm`

// Words that say, in a sentence, that its writer does not know.
const (
	selves   = `i we im ive model ai`
	knowns   = `know sure certain find provide determine answer say access have confirm verify aware familiar locate identify specify recall understand conclude ascertain tell comment help`
	facts    = `determined determinable known knowable specified confirmed verified answered established conclusive information enough sufficient`
	vagues   = `unclear unknown unsure uncertain insufficient unanswerable indeterminate undetermined ambiguous unspecified`
	being    = `is are was were be been s`
	agreeing = `yes true correct`
	counting = `war elizabeth henry james charles george william francis napoleon nicholas alexander peter leopold mary philip type phase class part article title level volume chapter`
	asking   = `sorry apologize apologies please clarify unfortunately provide question check consult recommend hello hi`
)

func build() *lexicon {
	l := &lexicon{slots: make([]uint16, 1<<14), mask: 1<<14 - 1}
	words := func(list string, do func(i int, word string)) {
		for i, w := range strings.Fields(list) {
			do(i, w)
		}
	}
	groups := func(list string, do func(group []string)) {
		for g := range strings.SplitSeq(list, ";") {
			for line := range strings.SplitSeq(g, "\n") {
				if f := strings.Fields(line); len(f) > 0 {
					do(f)
				}
			}
		}
	}
	words(negators, func(_ int, w string) { l.add(entry{word: hashWord(w), hash: hashWord(w), role: negator}) })
	words(falsities, func(_ int, w string) { l.add(entry{word: hashWord(w), hash: hashWord(w), role: falsity}) })
	words(breakers, func(_ int, w string) { l.add(entry{word: hashWord(w), hash: hashWord(w), role: breaker}) })
	words(numerals, func(i int, w string) {
		l.add(entry{word: hashWord(w), hash: hashNumber(i), role: numeral, value: uint32(i)})
	})
	words(tens, func(i int, w string) {
		l.add(entry{word: hashWord(w), hash: hashNumber(30 + 10*i), role: numeral, value: uint32(30 + 10*i)})
	})
	words(ordinals, func(i int, w string) {
		l.add(entry{word: hashWord(w), hash: hashNumber(3 + i), role: numeral, value: uint32(3 + i)})
	})
	words(decades, func(i int, w string) {
		l.add(entry{word: hashWord(w), hash: hashNumber(20 + 10*i), role: numeral, value: uint32(20 + 10*i)})
	})
	l.add(entry{word: hashWord("dozen"), hash: hashNumber(12), role: numeral, value: 12})
	words(seasons, func(_ int, w string) { l.add(entry{word: hashWord(w), hash: hashStem(w), role: season}) })
	words(months, func(i int, w string) { l.add(entry{word: hashWord(w), hash: hashWord(w), role: month}) })
	words(shortMonths, func(i int, w string) {
		l.add(entry{word: hashWord(w), hash: hashWord(monthNames[i]), role: month})
	})
	words(weekdays, func(_ int, w string) { l.add(entry{word: hashWord(w), hash: hashWord(w), role: month}) })
	groups(units, func(g []string) {
		for _, w := range g {
			l.add(entry{word: hashStem(w), hash: hashStem(g[0]), role: unitWord})
			l.add(entry{word: hashWord(w), hash: hashStem(g[0]), role: unitWord})
		}
	})
	same := map[uint64]uint64{}
	groups(synonyms, func(g []string) {
		head := hashPhrase(g[0])
		if h, ok := same[head]; ok {
			head = h
		}
		for _, w := range g {
			if _, ok := same[hashPhrase(w)]; !ok {
				same[hashPhrase(w)] = head
			}
		}
	})
	meaning := func(w string) uint64 {
		if h, ok := same[hashStem(w)]; ok {
			return h
		}
		return hashStem(w)
	}
	groups(opposites, func(g []string) {
		l.add(entry{word: hashStem(g[0]), hash: meaning(g[0])})
		l.add(entry{word: hashPhrase(g[1]), hash: meaning(g[0]), opposite: true})
	})
	groups(synonyms, func(g []string) {
		base := l.find(same[hashPhrase(g[0])])
		for _, w := range g {
			e := entry{word: hashPhrase(w), hash: same[hashPhrase(w)]}
			if base != nil {
				e.hash, e.opposite = base.hash, base.opposite
			}
			l.add(e)
		}
	})
	words(stopWords, func(_ int, w string) { l.add(entry{word: hashWord(w), hash: hashWord(w), role: stopWord}) })
	for _, part := range [...]struct {
		list string
		cue  cue
	}{{selves, self}, {knowns, knows}, {facts, fact}, {vagues, vague}, {asking, asks}, {being, be}, {agreeing, agrees}, {counting, counts}} {
		words(part.list, func(_ int, w string) {
			l.add(entry{word: hashWord(w), hash: hashStem(w)})
			l.find(hashWord(w)).cue |= part.cue
		})
	}
	for b, list := range bounds {
		words(list, func(_ int, w string) {
			l.add(entry{word: hashWord(w), hash: hashStem(w)})
			l.find(hashWord(w)).bound = bound(b)
		})
	}
	return l
}

// hashPhrase is the hash of a word's stem, or of two words that a hyphen joins.
func hashPhrase(w string) uint64 {
	a, b, pair := strings.Cut(w, "-")
	if !pair {
		return hashStem(w)
	}
	return pairHash(hashStem(a), hashStem(b))
}
