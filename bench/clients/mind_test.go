package clients

import "strings"

// What the panel of these tests knows.
const (
	product  = "What is 17 * 23?"
	answer   = "The answer is 391."
	weather  = "What is the weather in Paris?"
	degrees  = "21 degrees"
	forecast = "It is 21 degrees in Paris."
)

// long is an answer of many pieces, with characters of every length.
var long = strings.TrimSpace(strings.Repeat("Rome is a city of seven hills, höher als man denkt. 七つの丘 🏛 ", 60))

// Words in a prompt that make companions behave.
const (
	hang   = "take your time"
	vanish = "say nothing"
)

// productSchema is what a reply in JSON is to look like.
var productSchema = map[string]any{
	"type": "object", "additionalProperties": false, "required": []any{"product", "factors"},
	"properties": map[string]any{
		"product": map[string]any{"type": "integer"},
		"factors": map[string]any{"type": "array", "items": map[string]any{"type": "integer"}},
	},
}

// placeSchema is what the one tool takes.
var placeSchema = map[string]any{
	"type": "object", "required": []any{"city"}, "properties": map[string]any{"city": map[string]any{"type": "string"}},
}

// knowing is a mind that has an answer to all of that. SOLARA does not care for
// schemas.
func knowing(id string, q *question) says {
	said := q.last()
	switch {
	case strings.Contains(said.text, hang):
		return says{hangs: true}
	case strings.Contains(said.text, vanish):
		return says{fails: 400}
	case strings.Contains(q.system, "You are voting on a motion"):
		return says{text: `{"answer":"approve","rationale":"It can be undone."}`}
	case len(q.tools) > 0 && q.tools[0].name == "json": // how some clients ask for a schema
		return says{calls: []call{{"id_of_" + id, "json", `{"product":391,"factors":[17,23]}`}}}
	case said.role == "tool":
		return says{text: "It is " + said.text + " in Paris."}
	case len(q.tools) > 0 && q.choice != "none" && strings.Contains(said.text, "weather"):
		// The same call, spelt as each likes.
		return says{calls: []call{{"id_of_" + id, q.tools[0].name, map[bool]string{true: `{"city":"Paris"}`, false: `{ "city" : "\u0050aris" }`}[id < "B"]}}}
	case q.schema != nil || q.object || strings.Contains(q.system, "JSON"):
		switch id {
		case "SOLARA":
			return says{text: `{"product":"many"}`}
		case "ATLAS", "EVE": // which have no setting for it, and put it in a fence
			return says{text: "```json\n{ \"factors\": [17, 23],\n  \"product\": 391 }\n```"}
		}
		return says{text: `{"product":391,"factors":[17,23]}`}
	case strings.Contains(said.text, "Rome"):
		return says{text: long}
	}
	return says{text: answer}
}
