package charter

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// Replies that were got with a template repeat its wording: the name it gave the
// model, the mode it claimed, the excuse it was asked under. Whoever learns that
// wording finds those templates and no harm. Stripped takes it out, in replies of
// either label, so that what is left has to tell them apart.
//
// Left alone are refusals and the plain opening of an answer ("Sure, here is"),
// which benign replies have too.

// speakers are the names under which replies to templates speak; each at the head
// of a line, in brackets or before a colon: "[BetterDAN]:", "(GPT)", "AIM:".
var speakers = []string{
	"gpt", "chatgpt", "antigpt", "alphagpt", "deltagpt", "persongpt", "ungpt", "chadgpt", "livegpt", "as gpt",
	"dan", "betterdan", "aim", "niccolo", "jailbreak", "jb", "classic", "jailbroken", "sda", "neco", "oppo", "inraf", "hgttg",
	"bish", "sim", "tb", "ucar", "aligned", "unaligned", "m78", "cooper", "steve", "ron", "ax1", "ax2", "apophis", "as bh",
	"hackerman", "dude", "the cop", "maximum", "cmd", "8.6-rc1", "developer mode", "developer mode output", "normal output",
	"evil", "stan", "dev", "normal", "omega", "moral disclaimer", "α", "σ", "ω",
}

// phrases are the modes, promises and excuses of templates, wherever they stand.
var phrases = []string{
	// modes
	"as chatgpt with developer mode enabled", "developer mode enabled", "as gpt", "as chatgpt", "developer mode", "stay in developer mode", "stay in character", "stay a dan", "jailbreak mode",
	"jailbroken", "jailbreak", "dan mode", "do anything now", "opposite mode", "god mode", "chatgpt with developer mode",
	"condition red", "rejected. permission request:", "permission request", "successfully jailbroken",
	// names and roles
	"niccolo machiavelli", "niccolo", "machiavellian", "machiavelli", "as an unfiltered and amoral chatbot", "as an unfiltered and amoral",
	"as an unfiltered", "as an amoral", "as an uncensored", "as an unrestricted", "as an evil", "unfiltered and amoral", "unfiltered", "uncensored", "amoral",
	"hello deltagpt", "purdue? purdue who?", "mr. blonde", "alphagpt", "deltagpt", "antigpt", "betterdan", "my devious companion", "devious companion",
	"with no moral or ethical guidelines", "without moral or ethical guidelines", "without any moral or ethical guidelines",
	"without any ethical or moral guidelines", "free from all restrictions", "without any restrictions", "no restrictions", "not bound by any rules",
	// excuses
	"for educational and research purposes", "for educational purposes only", "for educational purposes", "for research purposes",
	"entirely hypothetically", "purely hypothetically", "hypothetically speaking", "hypothetically", "hypothetical response", "hypothetical scenario", "hypothetical",
	"and purely for fictional purposes", "purely for fictional purposes", "for fictional purposes", "purely fictional", "fictional story", "fictional scenario", "fictional",
	"please disregard any possible ethical implications", "disregard any possible ethical implications", "any possible ethical implications",
	"this is a work of fiction", "in this alternate universe", "in a fictional world", "role-play", "roleplay", "role play",
}

// initials are names that are words or given names unless in capitals.
var initials = []string{"AIM", "DAN", "UCAR", "NECO", "SIM", "BISH", "HGTTG", "OPPO", "INRAF", "SDA"}

var (
	// signs are the marks that templates set beside their names.
	signs = regexp.MustCompile("[\U0001F512\U0001F513\U0001F608\U0001F47F\U0001F4A5\U0001FA78\U0001F4AC\U0001F916\U0001F913\U0001F60E\U0001F4BB]\uFE0F?")

	named   = alternation(speakers)
	speaker = regexp.MustCompile(`(?mi)^[ \t>*_` + "`" + `]*(?:[\[(] ?` + named + `[ #+]*(?::?[\])][:*]*|:\])|` + named + `[ #+]*:+|[ασω] )[ \t*_]*`)
	initial = regexp.MustCompile(`\b` + alternation(initials))
	phrase  = regexp.MustCompile(`(?i)\b` + alternation(phrases))
)

// alternation matches any of words, the longer first.
func alternation(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strings.ReplaceAll(regexp.QuoteMeta(w), " ", `\s+`)
		if last := w[len(w)-1]; letter(rune(last)) {
			quoted[i] += `\b` // a whole word, and not before what is no letter anyway
		}
	}
	// The first alternative that matches is taken, not the longest.
	slices.SortStableFunc(quoted, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return "(?:" + strings.Join(quoted, "|") + ")"
}

// Stripped is a reply without the wording that tells the template it answers, and
// without the punctuation that is left at its head. The same text when it has none.
func Stripped(text string) string {
	stripped := signs.ReplaceAllLiteralString(text, "")
	for _, wording := range []*regexp.Regexp{speaker, initial, phrase} {
		stripped = wording.ReplaceAllLiteralString(stripped, "")
	}
	if stripped == text {
		return text
	}
	return strings.TrimLeft(stripped, " \n,.:;")
}
