package form

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kaizen-os/deliberation/quorum"
)

func called(name, arguments string) string {
	return quorum.CallsText([]quorum.ToolCall{{Name: name, Arguments: arguments}})
}

func TestRead(t *testing.T) {
	object := quorum.Generation{Format: quorum.FormatJSON}
	person := quorum.Generation{Format: quorum.FormatSchema, Schema: []byte(`{"type":"object","properties":{"name":{"type":"string","minLength":2},"age":{"type":"integer"}},"required":["name"],"additionalProperties":false}`)}
	choice := quorum.Generation{Format: quorum.FormatSchema, Schema: []byte(`{"properties":{"a":{"enum":["x","y",null]},"b":{"const":1},"c":{"enum":[{"e":null,"d":[1.0]}]}},"required":["a","b","c"]}`)}
	weather := quorum.Tool{Name: "weather", Parameters: []byte(`{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}`), Strict: true}
	loose := weather
	loose.Strict = false
	free := quorum.Generation{Tools: []quorum.Tool{weather, {Name: "clock"}}}
	must, named, one, none := free, free, free, free
	must.ToolChoice = quorum.ToolRequired
	named.ToolChoice, named.ToolName = quorum.ToolNamed, "weather"
	one.OneCall = true
	none.ToolChoice, none.Format = quorum.ToolNone, quorum.FormatJSON
	two := quorum.CallsText([]quorum.ToolCall{{Name: "clock"}, {Name: "weather", Arguments: `{"city":"Rome"}`}})
	for name, tt := range map[string]struct {
		g             quorum.Generation
		text          string
		key, shown    string
		calls, counts bool
	}{
		"an object":                       {object, ` {"b":1.0,"a":"x"} `, `{"a":"x","b":1}`, `{"b":1.0,"a":"x"}`, false, true},
		"an object in a fence":            {object, "```json\n{\"a\":1}\n```", `{"a":1}`, `{"a":1}`, false, true},
		"digits beyond a float's":         {object, `{"a":9007199254740993}`, `{"a":9007199254740993}`, `{"a":9007199254740993}`, false, true},
		"escapes":                         {object, `{"a":"\u0041\/"}`, `{"a":"A/"}`, `{"a":"\u0041\/"}`, false, true},
		"a list":                          {object, `[1]`, "", "", false, false},
		"prose around it":                 {object, `Here: {"a":1}`, "", "", false, false},
		"two of them":                     {object, `{"a":1}{"a":1}`, "", "", false, false},
		"a member twice":                  {object, `{"a":1,"a":2}`, "", "", false, false},
		"a fence without end":             {object, "```json\n{\"a\":1}", "", "", false, false},
		"too deep":                        {object, strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70), "", "", false, false},
		"what the schema wants":           {person, `{"name":"Ada","age":36}`, `{"age":36,"name":"Ada"}`, `{"name":"Ada","age":36}`, false, true},
		"what it does not":                {person, `{"name":"Ada","age":36.5}`, "", "", false, false},
		"a member too many":               {person, `{"name":"Ada","born":1815}`, "", "", false, false},
		"a number of a billion digits":    {person, `{"name":"Ada","age":1e1000000000}`, "", "", false, false},
		"one of the values":               {choice, `{"a":"x","b":1.0,"c":{"d":[1],"e":null}}`, `{"a":"x","b":1,"c":{"d":[1],"e":null}}`, `{"a":"x","b":1.0,"c":{"d":[1],"e":null}}`, false, true},
		"none of the values":              {choice, `{"a":"z","b":1,"c":{"e":null,"d":[1]}}`, "", "", false, false},
		"another than the one value":      {choice, `{"a":"x","b":2,"c":{"e":null,"d":[1]}}`, "", "", false, false},
		"a value that is nearly the one":  {choice, `{"a":"x","b":1,"c":{"e":null,"d":["1"]}}`, "", "", false, false},
		"an empty reply is empty":         {person, " ", "", "", false, true},
		"a call":                          {free, called("weather", `{"city": "Rome"}`), "\"weather\":{\"city\":\"Rome\"}\n", called("weather", `{"city": "Rome"}`), true, true},
		"a call without arguments":        {free, called("clock", ""), "\"clock\":{}\n", called("clock", ""), true, true},
		"two calls":                       {free, two, "\"clock\":{}\n\"weather\":{\"city\":\"Rome\"}\n", two, true, true},
		"two calls where one was wanted":  {one, two, "", "", true, false},
		"a call of what is not there":     {free, called("mail", `{}`), "", "", true, false},
		"arguments that are no object":    {free, called("clock", `[]`), "", "", true, false},
		"arguments that are no JSON":      {free, called("clock", `city=Rome`), "", "", true, false},
		"arguments against their schema":  {free, called("weather", `{"town":"Rome"}`), "", "", true, false},
		"the same where nobody is strict": {quorum.Generation{Tools: []quorum.Tool{loose}}, called("weather", `{"town":"Rome"}`), "\"weather\":{\"town\":\"Rome\"}\n", called("weather", `{"town":"Rome"}`), true, true},
		"text where a tool may be called": {free, " It rains. ", `"It rains."`, " It rains. ", false, true},
		"text where one must be":          {must, "It rains.", "", "", false, false},
		"a call where one must be":        {must, called("clock", `{}`), "\"clock\":{}\n", called("clock", `{}`), true, true},
		"another than the one named":      {named, called("clock", `{}`), "", "", true, false},
		"the one named":                   {named, called("weather", `{"city":"Rome"}`), "\"weather\":{\"city\":\"Rome\"}\n", called("weather", `{"city":"Rome"}`), true, true},
		"a call where none may be made":   {none, called("clock", `{}`), `{"toolCalls":[{"arguments":{},"name":"clock"}]}`, called("clock", `{}`), false, true},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := New(&tt.g)
			if err != nil {
				t.Fatal(err)
			}
			got := f.Read(tt.text)
			if got.Key != tt.key || got.Calls != tt.calls || (got.Reason == "") != tt.counts || tt.counts && got.Shown != tt.shown {
				t.Errorf("%+v", got)
			}
		})
	}
	for name, g := range map[string]*quorum.Generation{"nothing said": nil, "only how to sample": {MaxTokens: 5}, "tools that may not be called": {Tools: free.Tools, ToolChoice: quorum.ToolNone}} {
		if f, err := New(g); f != nil || err != nil {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
}

func TestSchemasRefused(t *testing.T) {
	deep := strings.Repeat(`{"not":`, 70) + "{}" + strings.Repeat("}", 70)
	for name, schema := range map[string]string{
		"no JSON":                    `{`,
		"no schema":                  `{"type":"thing"}`,
		"a file":                     `{"$ref":"file:///etc/passwd"}`,
		"a page":                     `{"$ref":"http://127.0.0.1:1/schema.json"}`,
		"a file beside it":           `{"$ref":"other.json"}`,
		"a part that is not there":   `{"$ref":"#/$defs/x"}`,
		"another page's language":    `{"$schema":"http://127.0.0.1:1/own"}`,
		"found while it is followed": `{"$dynamicRef":"#x"}`,
		"a pattern that is none":     `{"pattern":"("}`,
		"a pattern that looks ahead": `{"pattern":"(?=a)"}`,
		"too large":                  `{"description":"` + strings.Repeat("a", 65<<10) + `"}`,
		"too deep":                   deep,
		"too many parts":             `{"enum":[` + strings.Repeat("1,", 5000) + `1]}`,
		"a pattern that repeats":     `{"pattern":"((a{1,100}){100}){100}"}`,
		"many that do":               `{"patternProperties":{"a{900}":{},"b{900}":{},"c{900}":{},"d{900}":{},"e{900}":{},"f{900}":{},"g{900}":{},"h{900}":{},"i{900}":{},"j{900}":{}}}`,
		"a number too large":         `{"multipleOf":1e-1000000000}`,
		"a number too long":          `{"maximum":` + strings.Repeat("1", 200) + `}`,
	} {
		_, err := New(&quorum.Generation{Format: quorum.FormatSchema, Schema: []byte(schema)})
		if p, ok := err.(*Problem); !ok || p.Tool != -1 || p.What == "" || strings.Contains(p.What, "passwd") || strings.Contains(p.What, "127.0.0.1") {
			t.Errorf("%s: %v", name, err)
		}
		_, err = New(&quorum.Generation{Tools: []quorum.Tool{{Name: "a"}, {Name: "b", Parameters: []byte(schema)}}})
		if p, ok := err.(*Problem); !ok || p.Tool != 1 {
			t.Errorf("%s, of a tool: %v", name, err)
		}
	}
}

// Many tools are no more than so much work together.
func TestToolsTogether(t *testing.T) {
	large := []byte(`{"enum":[` + strings.Repeat("1,", 1500) + `1]}`)
	tools := func(n int, strict bool) (list []quorum.Tool) {
		for i := range n {
			list = append(list, quorum.Tool{Name: fmt.Sprintf("t%d", i), Parameters: large, Strict: strict})
		}
		return list
	}
	for _, tt := range []struct {
		n, wrong int
		strict   bool
	}{{5, -1, true}, {20, 5, true}, {128, -1, false}} {
		_, err := New(&quorum.Generation{Tools: tools(tt.n, tt.strict)})
		if p, ok := err.(*Problem); ok != (tt.wrong >= 0) || ok && p.Tool != tt.wrong {
			t.Errorf("%d tools: %v", tt.n, err)
		}
	}
}

// A schema of a few lines can ask for more steps than there is time for. It gets
// those of the budget, and then accepts nothing.
func TestStepsAreBounded(t *testing.T) {
	doubling := func(keyword string, levels int) string {
		var b strings.Builder
		b.WriteString(`{"$ref":"#/$defs/a0","$defs":{`)
		for i := range levels {
			fmt.Fprintf(&b, `"a%d":{"%s":[{"$ref":"#/$defs/a%d"},{"$ref":"#/$defs/a%d"}]},`, i, keyword, i+1, i+1)
		}
		fmt.Fprintf(&b, `"a%d":{"type":"object"}}}`, levels)
		return b.String()
	}
	bare := func(schema string) string { return `{"not":` + schema + `}` }
	for name, schema := range map[string]string{
		"all of two, fifty times":  doubling("allOf", 50),
		"one of two, fifty times":  doubling("oneOf", 50),
		"any of two that fail":     strings.Replace(doubling("anyOf", 50), `"object"`, `"string"`, 1),
		"and that is denied":       bare(strings.Replace(strings.ReplaceAll(doubling("anyOf", 50), "#/$defs", "#/not/$defs"), `"object"`, `"string"`, 1)),
		"two of itself in a chain": `{"allOf":[{"properties":{"a":{"$ref":"#"}}},{"properties":{"a":{"$ref":"#"}}}]}`,
		"itself":                   `{"$ref":"#"}`,
	} {
		t.Run(name, func(t *testing.T) {
			f, err := New(&quorum.Generation{Format: quorum.FormatSchema, Schema: []byte(schema)})
			if err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			chain := strings.Repeat(`{"a":`, 60) + "{}" + strings.Repeat("}", 60)
			for range 8 {
				if got := f.Read(chain); got.Reason != quorum.ReasonNotInForm {
					t.Fatalf("%+v", got)
				}
			}
			if took := time.Since(begun); took > 30*time.Second { // without a bound: longer than the machine lasts
				t.Errorf("took %v", took)
			}
		})
	}
}

// Nor can a long list of values be held against a long list of others.
func TestListsAreBounded(t *testing.T) {
	many := func(n int, of string) string { return strings.Repeat(of+",", n-1) + of }
	numbers := "[" + many(100_000, "7") + "]"
	var list strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&list, `"n%d":1,`, i)
	}
	names := "{" + list.String() + `"n":1}`
	patterns := `{"patternProperties":{`
	for i := range 300 {
		patterns += fmt.Sprintf(`"^a+%db":{},`, i)
	}
	patterns += `"^b":{}}}`
	for name, tt := range map[string]struct{ schema, reply string }{
		"any of many types":  {`{"items":{"anyOf":[` + many(1000, `{"type":"string"}`) + `]}}`, numbers},
		"one of many values": {`{"items":{"enum":[` + many(2000, `1`) + `]}}`, numbers},
		"many patterns":      {patterns, names},
		"no two the same":    {`{"type":"array","uniqueItems":true,"items":{"type":"string"}}`, numbers},
		"other than it is":   {`{"items":{"const":[` + many(2000, `1`) + `]}}`, "[" + many(1000, "["+many(100, "1")+"]") + "]"},
	} {
		begun := time.Now()
		f, err := New(&quorum.Generation{Format: quorum.FormatSchema, Schema: []byte(tt.schema)})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := f.Read(tt.reply); got.Reason != quorum.ReasonNotInForm {
			t.Errorf("%s: %+v", name, got.Reason)
		}
		if took := time.Since(begun); took > 30*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
}

// The budget is enough for what people ask for: a long list of records.
func TestStepsAreEnough(t *testing.T) {
	f, err := New(&quorum.Generation{Format: quorum.FormatSchema, Schema: []byte(`{"type":"array","items":{"type":"object","properties":{"id":{"type":"integer"},"tags":{"type":"array","items":{"type":"string"}},"next":{"anyOf":[{"type":"null"},{"$ref":"#/items"}]}},"required":["id","tags"]}}`)})
	if err != nil {
		t.Fatal(err)
	}
	record := `{"id":1,"tags":["a","b","c"],"next":{"id":2,"tags":[],"next":null}}`
	list := "[" + strings.Repeat(record+",", 500) + record + "]"
	for seat := range 12 {
		if got := f.Read(list); got.Reason != "" {
			t.Fatalf("seat %d: %+v", seat, got.Reason)
		}
	}
}

func FuzzForm(f *testing.F) {
	f.Add(`{"type":"object"}`, `{"a":1}`)
	f.Add(`{"properties":{"a":{"$ref":"#"}},"not":{"required":["b"]}}`, "```json\n{\"a\":{}}\n```")
	f.Add(`{"$defs":{"x":{"enum":[1,"a",null]}},"anyOf":[{"$ref":"#/$defs/x"}]}`, `"a"`)
	f.Add(``, `{"toolCalls":[{"name":"f","arguments":{}}]}`)
	f.Fuzz(func(t *testing.T, schema, text string) {
		g := &quorum.Generation{Format: quorum.FormatSchema, Schema: []byte(schema), Tools: []quorum.Tool{{Name: "f", Strict: true, Parameters: []byte(schema)}}}
		form, err := New(g)
		if err != nil {
			if p, ok := err.(*Problem); !ok || p.What == "" {
				t.Fatal(err)
			}
			return
		}
		got := form.Read(text)
		if got.Reason == "" && got.Key == "" && strings.TrimSpace(text) != "" || got.Reason != "" && got.Key != "" {
			t.Fatalf("%+v", got)
		}
		if got.Key == "" || got.Calls {
			return
		}
		if again := form.Read(got.Shown); again != got {
			t.Fatalf("%+v, and shown %+v", got, again)
		}
		if canonical := form.Read(got.Key); canonical.Reason == "" && canonical.Key != got.Key {
			t.Fatalf("%+v of the key of %+v", canonical, got)
		}
	})
}
