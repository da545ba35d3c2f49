package sim

import "strings"

// A fact is something a simulated mind knows: asked for when the prompt holds
// every one of its words, and said as "subject is answer".
type fact struct {
	words   string // space-separated, lower case
	subject string
	answer  string
}

// factGroups hold facts of one sort together: a mind that is wrong gives
// another answer of the same group.
var factGroups = [...][]fact{
	{
		{"capital france", "the capital of France", "Paris"},
		{"capital germany", "the capital of Germany", "Berlin"},
		{"capital italy", "the capital of Italy", "Rome"},
		{"capital spain", "the capital of Spain", "Madrid"},
		{"capital portugal", "the capital of Portugal", "Lisbon"},
		{"capital japan", "the capital of Japan", "Tokyo"},
		{"capital australia", "the capital of Australia", "Canberra"},
		{"capital canada", "the capital of Canada", "Ottawa"},
		{"capital brazil", "the capital of Brazil", "Brasília"},
		{"capital india", "the capital of India", "New Delhi"},
		{"capital china", "the capital of China", "Beijing"},
		{"capital egypt", "the capital of Egypt", "Cairo"},
		{"capital kenya", "the capital of Kenya", "Nairobi"},
		{"capital norway", "the capital of Norway", "Oslo"},
		{"capital sweden", "the capital of Sweden", "Stockholm"},
		{"capital turkey", "the capital of Turkey", "Ankara"},
	},
	{
		{"largest planet", "the largest planet of the solar system", "Jupiter"},
		{"smallest planet", "the smallest planet of the solar system", "Mercury"},
		{"closest planet sun", "the planet closest to the Sun", "Mercury"},
		{"hottest planet", "the hottest planet of the solar system", "Venus"},
		{"red planet", "the planet called the red planet", "Mars"},
	},
	{
		{"largest ocean", "the largest ocean on Earth", "the Pacific Ocean"},
		{"smallest ocean", "the smallest ocean on Earth", "the Arctic Ocean"},
		{"second largest ocean", "the second largest ocean on Earth", "the Atlantic Ocean"},
	},
	{
		{"wrote hamlet", "the author of Hamlet", "William Shakespeare"},
		{"wrote don quixote", "the author of Don Quixote", "Miguel de Cervantes"},
		{"wrote faust", "the author of Faust", "Johann Wolfgang von Goethe"},
		{"wrote war and peace", "the author of War and Peace", "Leo Tolstoy"},
		{"wrote 1984", "the author of 1984", "George Orwell"},
	},
	{
		{"chemical symbol gold", "the chemical symbol of gold", "Au"},
		{"chemical symbol silver", "the chemical symbol of silver", "Ag"},
		{"chemical symbol iron", "the chemical symbol of iron", "Fe"},
		{"chemical symbol sodium", "the chemical symbol of sodium", "Na"},
	},
	{
		{"days leap year", "the number of days in a leap year", "366"},
		{"days year", "the number of days in a common year", "365"},
		{"minutes day", "the number of minutes in a day", "1440"},
		{"seconds hour", "the number of seconds in an hour", "3600"},
		{"degrees circle", "the number of degrees in a full circle", "360"},
		{"sides hexagon", "the number of sides of a hexagon", "6"},
		{"bits byte", "the number of bits in a byte", "8"},
	},
}

// known finds the fact that prompt asks for: of those whose words it holds, the
// one with most words, so that "leap year" is not answered as "year".
func known(prompt string) (f fact, group []fact, ok bool) {
	if len(prompt) > 400 {
		return fact{}, nil, false
	}
	have := make(map[string]bool)
	for _, word := range words(prompt) {
		have[word] = true
	}
	most := 0
	for _, candidates := range factGroups {
		for _, candidate := range candidates {
			wanted := strings.Fields(candidate.words)
			if len(wanted) <= most {
				continue
			}
			all := true
			for _, word := range wanted {
				all = all && have[word]
			}
			if all {
				f, group, most = candidate, candidates, len(wanted)
			}
		}
	}
	return f, group, most > 0
}

// words of text in lower case, without punctuation.
func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c > 0x7f)
	})
}
