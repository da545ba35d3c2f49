package answer

import (
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
)

// A row is a reply and the key of what it answers; "" where it answers nothing.
type row struct {
	text, key string
}

func check(t *testing.T, kind quorum.Kind, options []string, rows []row) {
	t.Helper()
	for _, r := range rows {
		a := Extract(kind, options, &quorum.Reply{Text: r.text})
		if a.Key != r.key {
			t.Errorf("Extract(%v, %q).Key = %q, want %q", kind, r.text, a.Key, r.key)
		}
		if (a.Key == "") != (a.Shown == "") {
			t.Errorf("Extract(%v, %q): key %q but shown %q", kind, r.text, a.Key, a.Shown)
		}
	}
}

func TestNumber(t *testing.T) {
	check(t, quorum.Number, nil, []row{
		{"42", "42"},
		{"  42.  ", "42"},
		{"The answer is 42.", "42"},
		{"**Answer:** 42", "42"},
		{"Answer: 1,234", "1234"},
		{"#### 1234", "1234"},
		{"so it adds up.\n#### -7", "-7"},
		{`{"reasoning": "6*7", "answer": "42"}`, "42"},
		{`{"reasoning": "6*7", "answer": 42}`, "42"},
		{`{"reasoning": "6*7", "final_answer": 42.50}`, "42.5"},
		{"```json\n{\n \"reasoning\": \"x\",\n \"answer\": \"$12.00\"\n}\n```", "12"},
		{"```json\n{\n \"reasoning\": \"it is 3\",\n \"answer\": 12", "12"},
		{`{"reasoning": "cut off", "answer": "12`, "12"},
		{`{answer: 5}`, "5"},
		{`{'reasoning': 'x', 'answer': '5'}`, "5"},
		{`{"reasoning": "x", "answer": "\"360 hours\""}`, "360"},
		{`{"answer": "5", "note": "7 were left"}`, "5"},
		{`{"answer": "3"} and then I see that it must be {"answer": "4"}`, "4"},
		{`{\"reasoning\": \"x\", \"answer\": \"9\"}`, "9"},
		{`{"reasoning": "x", "answer": "x = 5"}`, "5"},
		{`{"reasoning": "x", "answer": "P ≈ 44.95"}`, "44.95"},
		{`{"reasoning": "x", "answer": "600 - (198 + 209) = 600 - 407 = 193"}`, "193"},
		{`{"reasoning": "x", "answer": "12.48 - (0.03 * 16)"}`, "12"},
		{`{"reasoning": "x", "answer": "2^10"}`, "1024"},
		{`{"answer": "40 miles per hour"}`, "40"},
		{`{"answer": "8 per 2 hours"}`, "8"},
		{`{"answer": "After 3 years he has 45 dollars"}`, "45"},
		{`{"answer": "twenty-five"}`, "25"},
		{`{"answer": "Seven apples"}`, "7"},
		{`{"answer": "no solution"} though 5 was tried`, ""},
		{`{"answer": "Cannot be determined"}`, ""},
		{"Therefore \\(x = \\boxed{17}\\).", "17"},
		{"The final answer is: $\\boxed{-\\dfrac{729}{2}}$", "-364.5"},
		{"\\boxed{\\frac{1}{3}}", "1/3"},
		{"\\boxed{\\frac12}", "0.5"},
		{"\\boxed{1{,}000}", "1000"},
		{"\\boxed{72^\\circ}", "72"},
		{"\\boxed{15\\text{ cm}^2}", "15"},
		{"\\boxed{\\$5{,}000}", "5000"},
		{"\\boxed{25\\%}", "25"},
		{"\\boxed{3\\sqrt{2}}", "3sqrt2"},
		{"\\boxed{3 \\sqrt 2}", "3sqrt2"},
		{"\\boxed{2\\frac{1}{2}}", "2.5"},
		{"1/2", "0.5"},
		{"0.50", "0.5"},
		{".5", "0.5"},
		{"4/6", "2/3"},
		{"2 1/2", "2.5"},
		{"½", "0.5"},
		{"$1,234.50", "1234.5"},
		{"-$21.00", "-21"},
		{"$-21", "-21"},
		{"−5", "-5"},
		{"-0", "0"},
		{"007", "7"},
		{"1e3", "1000"},
		{"6.02 × 10^23", "602000000000000000000000"},
		{"1.5 million", "1500000"},
		{"3,5", "3.5"},
		{"1.234.567,89", "1234567.89"},
		{"12 000", "12000"},
		{"60%", "60"},
		{"about 60 percent", "60"},
		{"€30", "30"},
		{"£ 30", "30"},
		{"30 USD", "30"},
		{"5 km", "5"},
		{"123456789012345678901234567890", "123456789012345678901234567890"},
		{"The answer is 5, no, 6.", "6"},
		{"The answer is 5. Wait, no. It's 6.", "6"},
		{"Answer: 5\n\nActually, I made a mistake. 3 + 4 = 7, so the answer is 7.", "7"},
		{"The answer can't be 7. It has to be 8.", "8"},
		{"The answer isn't 7 but 8.", "8"},
		{"If all were red, the answer would be 12. Half are, so it is 6.\nAnswer: 6", "6"},
		{`{"answer": "31"}` + "\n\nIf the question meant cents, the answer would be 3100 cents.", "31"},
		{"Mark can answer in both tests is 70 questions.\n\n**Answer:** Mark leaves 105 questions open.", "105"},
		{"<think>perhaps 41</think>\n<answer>\n42\n</answer>", "42"},
		{"## Answer\n\n42 apples", "42"},
		{"**Final Answer**\n42", "42"},
		{"#### Step 2: add 3 and 4\nWe get 7.\n\nThe answer is 7", "7"},
		{"#### Answer: 7\nas shown above for 3 of them.", "7"},
		{"It comes to \\boxed 7 in the end, as 3 + 4 says", "7"},
		{"\\fbox{7} of 9", "7"},
		{"$$\\boxed{\\left(\\frac{3}{4}\\right)}$$", "0.75"},
		{"\\boxed{\\text{7 apples}}", "7"},
		{"\\boxed{x = 7}", "7"},
		{`{"steps": [{"answer": "3"}, {"answer": "4"}], "answer": "12"}`, "12"},
		{`{"answer": "12", "check": {"answer": "3"}}`, "12"},
		{`{"answer": "3", "reasoning": "and then", "answer": "4"}`, "4"},
		{`{"answer": "$(210/70 + 240/80)$ hours"}`, "6"},
		{`{"answer": "$(32 * 0.25) + (95 * 0.10)"}`, "17.5"},
		{`{"answer": "$5 and not $6"}`, "5"},
		{`{"answer": "It will take Jane 7 more weeks to save a total of $60 if she saves $4 a week."}`, "7"},
		{`{"answer": "She pays $12.00 for 5 apples and 5 pears."}`, "12"},
		{`{"answer": "The price rises from 20 to 35"}`, "35"},
		{`{"answer": "There are 20 left. Tom took 4 of them because he needed 3."}`, "4"},
		{`{"reasoning": "3 boxes of 4", "answer":`, ""}, // cut off: not the 4
		{`{"reasoning": "3 boxes of 4", "answer": ""}`, ""},
		{`{"reasoning": "3 boxes of 4", "answer": null}`, ""},
		{"La respuesta correcta es 42.", "42"},
		{"La réponse est 3,5.", "3.5"},
		{"Die Antwort lautet 1.234,50 Euro, für 3 Tage.", "1234.5"},
		{"A resposta é: 42", "42"},
		{"Ответ: 42", "42"},
		{"答案是 42。一共有 3 个", "42"},
		{"答案：42", "42"},
		{"答えは42です。", "42"},
		{"４２", "42"},
		{"1 234 567", "1234567"},
		{"1\u202f234", "1234"},
		{"1\u00a0234 km", "1234"},
		{"3.2 x 10^5", "320000"},
		{"3.2 \\times 10^{-2}", "0.032"},
		{"1.5e-3", "0.0015"},
		{"-(5)", "-5"},
		{"one hundred and five", "105"},
		{"twelve hundred", "1200"},
		{"minus seven", "-7"},
		{"a dozen eggs", "12"},
		{"two million", "2000000"},
		{"twenty-one thousand", "21000"},
		{"2π", "2pi"},
		{"3sqrt2", "3sqrt2"},
		{"2E + 11", ""}, // no power of ten, and no number
		{"(3, 4)", "(3,4)"},
		{"[1,2]", "[1,2]"},
		{"3:2", "3:2"},
		{"Step 1: 5\nStep 2: 7", "7"},
		{"The answer is 3.\n[...]\nso that in all there are 9", "3"},
		{"The total is 12 [...]", "12"},
		{"First there are 3 boxes.\n1. Take 2 of them.\n2. That leaves 1 box with 15 bottles", "15"},
		{"So we need 216 / 12 = 18 crates, which is the result we were looking for", "18"},
		{"In all Tom has 3 + 4 = 7 apples. Therefore he has 7 apples.", "7"},
		{"I think the answer is not 5.", "5"}, // a guess is still the last number
		{"", ""},
		{"I do not know.", ""},
		{"The answer is unknown.", ""},
		{strings.Repeat("we go on and on ", 100) + "and get 5", "5"},
		{"5 is where we start. " + strings.Repeat("we go on and on ", 100), ""},
		{"The total is $1,250.75 after a 15% discount.", "1250.75"},
		{"He had 10 apples and after eating 2 he has 8 of them left over.", "8"},
		{"He has 8 apples left over, after he had eaten 2 of them, 3 less = 5.", "5"},
		{"There are 5 left. (He started with 8.)", "5"},
		{"There are a few of them left on the table. (8)", "8"},
		{"there are twenty-four students", "24"},
		{"So in the end there are twenty-four students in the room.", "24"},
		{"There are two or three of them.", ""},
		{"There is no number of two digits.", ""},
		{"No one of them.", ""},
		{"The answer is the sum of the four values.", ""},
		{"1/6 ≈ 0.1667", "1/6"},
		{"The answer is 1/6 ≈ 0.1667.", "1/6"},
		{"\\boxed{\\frac{1}{6} \\approx 0.1667}", "1/6"},
		{"The answer is 250/3 ≈ 83.33", "83.33"},
		{"One might think the answer is 10, but the answer is 12", "12"},
		{"I would say the answer is 10.", "10"},
		{"The answer to the first question is 4. The final answer is 6.", "6"},
	})
}

func TestNumberOneKeyForOneValue(t *testing.T) {
	same := [][]string{
		{"0.5", "1/2", "\\boxed{\\frac{1}{2}}", `{"answer": "0.50"}`, ".5", "5e-1", "½"},
		{"1000", "1,000", "1000.0", "$1,000.00", "1e3", "\\boxed{1{,}000}", "1 thousand", "#### 1000"},
		{"-3", "−3", "minus 3", "negative 3", "-3.0", "-6/2"},
		{"1/3", "\\frac{1}{3}", "2/6"},
		{"12", "12 apples", "12%", "twelve", "12.", "$12", "x = 12", "**12**"},
	}
	for _, group := range same {
		want := Extract(quorum.Number, nil, &quorum.Reply{Text: group[0]}).Key
		for _, text := range group {
			if got := Extract(quorum.Number, nil, &quorum.Reply{Text: text}).Key; got != want {
				t.Errorf("%q has key %q, %q has %q", group[0], want, text, got)
			}
		}
	}
}

func TestChoiceLetters(t *testing.T) {
	check(t, quorum.Choice, nil, []row{
		{"B", "B"},
		{"b", "B"},
		{"(C)", "C"},
		{"(c)", "C"},
		{"**D**", "D"},
		{"B.", "B"},
		{"B. Because it is the only one that fits.", "B"},
		{"The answer is (J).", "J"},
		{"The answer is J", "J"},
		{"the correct answer is option D.", "D"},
		{"The best answer would be:\n\nB. P = f(\\rho, N, D)\n\nThis assumes that", "B"},
		{"Thus, the correct option is:\n\\[ \\boxed{E} \\]", "E"},
		{"\\boxed{\\text{E}}", "E"},
		{"$\\boxed{\\textbf{(E)}}$", "E"},
		{`{"reasoning": "x", "answer": "F"}`, "F"},
		{`{"reasoning": "x", "answer": "F. All of them"}`, "F"},
		{`{"reasoning": "x", "answer": F}`, "F"},
		{"Final Answer: The answer is ... F.", "F"},
		{"The answer is **Option C: xz**.", "C"},
		{"The answer is: (A) decrease in price", "A"},
		{"The answer is A.", "A"},
		{"The most fitting choice is (A) Low taxes, as it would help them.", "A"},
		{"The correct statement is: B. They use a different method", "B"},
		{"Answer: G", "G"},
		{"ANSWER: G", "G"},
		{"#### H", "H"},
		{"(A) is wrong because of the sign. (B) has it right.", "B"},
		{"This is option J.", "J"},
		{"A. no\nB. no\nC. yes, this must be it", "C"},
		{"I'd go for B", "B"},
		{"Definitely B.", "B"},
		{"- A. no\n- B. no\n- D. $262.50", "D"},
		{"Option B is the best.", "B"},
		{"The answer is (D), I think.", "D"},
		{"The answer is (C) A social media post.", "C"},
		{"The answer is I.", "I"},
		{"The answer is not (A) but (B).", "B"},
		{"It can't be A, so the answer is B.", "B"},
		{"The answer is neither A nor B.", ""},
		{"C is too small. Therefore B.", "B"},
		{"A is wrong because it is too old. C is too small. So B.", "B"},
		{"C is wrong.", ""},
		{"C is right.", "C"},
		{"b)", "B"},
		{"The answer is (J).\n\nNow, all of them together:\nThe answer is (A, D, J).", "J"},
		{"The answer is (A), (C) and (D). However, only one may be chosen. The answer is (C).", "C"},
		{"The answer is (A).\n\nThe answer is (I).\n\nThe answer is (C).", "C"}, // of three questions
		{"#### (c) Mode:\nThe most frequent one.\n\nThe answer is F. 2.5", "F"},
		{`{"answer": ["B"]}`, "B"},
		{"<answer>B</answer>", "B"},
		{"La respuesta correcta es la opción B.", "B"},
		{"Die richtige Antwort ist C.", "C"},
		{"Réponse : D", "D"},
		{"答案是B", "B"},
		{"正确答案：（C）", "C"},
		{"I cannot answer that.", ""},
		{"None of the above.", ""},
		{"It is a decrease. I think so.", ""},
		{"The answer is a decrease in demand.", ""},
		{"The answer is I think unclear", ""},
		{"The answer is (None of the above).", ""},
		{"The answer is [0, 0].", ""},
		{"", ""},
		{"Option K", ""},
		{"(Z)", ""},
		{"The U.S. economy grew. A lot.", ""},
		{"I think it's A... wait, no, D.", "D"},
		{"I'd go with A. Actually no, B.", "B"},
		{"The answer is A. On reflection I change my answer to B.", "B"},
		{"The answer is A. I change my answer to C.", "C"},
		{"The answer is A. Actually, the answer is B.", "B"},
		{"The answer is B. Actually the same holds for all gases.", "B"},
	})
}

func TestChoiceOptions(t *testing.T) {
	options := []string{"Paris", "Lyon", "Paris and Lyon", "None of these"}
	check(t, quorum.Choice, options, []row{
		{"B", "B"},
		{"Paris", "A"},
		{"paris.", "A"},
		{"\"Lyon\"", "B"},
		{"(B) Lyon", "B"},
		{"B. Lyon", "B"},
		{"b) lyon", "B"},
		{"The answer is Lyon.", "B"},
		{"The answer is Paris and Lyon.", "C"},
		{"Paris and Lyon", "C"},
		{`{"answer": "Paris"}`, "A"},
		{`{"answer": "D"}`, "D"},
		{"After all I have read it has to be Lyon, and not another town.", "B"},
		{"It cannot be Paris alone, so it is Paris and Lyon together", "C"},
		{"None of these", "D"},
		{"E", ""},
		{"The answer is (F).", ""},
		{"Option 2", "B"},
		{"Marseille", ""},
	})
	ten := []string{"A", "B", "C", "D", "E", "F", "G", "H", "I", "J"}
	check(t, quorum.Choice, ten, []row{ // neither the article nor the pronoun is an option
		{"The answer is a decrease in demand.", ""},
		{"I think that a rise in prices is a result of it.", ""},
		{"It is what I said.", ""},
		{"The answer is C. A social media post", "C"},
		{"a", "A"},
		{"The answer is I.", "I"},
		{"The answer is (A) a decrease", "A"},
	})
	check(t, quorum.Choice, ten[:3], []row{{"The answer is (D).", ""}, {"It must be (B), as (D) is out of range", "B"}, {"D", ""}, {"J", ""}})
	if a := Extract(quorum.Choice, options, &quorum.Reply{Text: "The answer is (B)."}); a.Shown != "Lyon" {
		t.Errorf("shown %q, want the option as it was given", a.Shown)
	}
	check(t, quorum.Choice, []string{"B", "A"}, []row{{"B", "A"}, {"A", "B"}}) // texts, not places
	check(t, quorum.Choice, []string{"v", "c", "2c"}, []row{{"C", "C"}, {"c", "B"}, {"v", "A"}})
	check(t, quorum.Choice, []string{"12", "15", "18"}, []row{{"15", "B"}, {"The answer is 18.", "C"}, {"B", "B"}, {"3 * 6 makes it 18", "C"}})
	check(t, quorum.Choice, []string{"A) red", "B) green"}, []row{{"green", "B"}, {"B", "B"}, {"A) red", "A"}, {"B) green", "B"}})
	check(t, quorum.Choice, []string{"yes", "no"}, []row{{"Yes", "A"}, {"No.", "B"}, {"The answer is no.", "B"}})
	many := make([]string, 30)
	for i := range many {
		many[i] = "option number " + string(rune('a'+i%26)) + strings.Repeat("'", i/26)
	}
	check(t, quorum.Choice, many, []row{{many[28], bare(many[28])}, {"Z", "Z"}})
}

func TestShort(t *testing.T) {
	check(t, quorum.Short, nil, []row{
		{"Paris", "paris"},
		{"paris.", "paris"},
		{"The Eiffel Tower.", "eiffel tower"},
		{"eiffel  tower", "eiffel tower"},
		{"**Eiffel Tower**", "eiffel tower"},
		{"The answer is Paris.", "paris"},
		{"Answer: Wilhelm Röntgen", "wilhelm rontgen"},
		{"Wilhelm Ro\u0308ntgen", "wilhelm rontgen"},
		{"U.S.A.", "usa"},
		{"$1,200.00", "1200"},
		{"1200", "1200"},
		{"I don't know", ""},
		{"", ""},
		{"   ", ""},
		{`{"reasoning": "the function returns it", "answer": "'Xzd'"}`, "Xzd"},
		{`{"reasoning": "the function returns it", "answer": "\"Xzd\""}`, "Xzd"},
		{`{"reasoning": "the function returns it", "answer": "Xzd"}`, "Xzd"},
		{`{"reasoning": "the function returns it", "answer": ""Xzd""}`, "Xzd"},
		{`{"reasoning": "the function returns it", "answer": "xzd"}`, "xzd"},
		{`{"reasoning": "the function returns it", "answer": "''"}`, "''"},
		{`{"reasoning": "the function returns it", "answer": "  "}`, "  "},
		{`{"reasoning": "the function returns it", "answer": "'  '"}`, "  "},
		{`{"reasoning": "the function returns it", "answer": 'a b'}`, "a b"},
		{`{"reasoning": "the function returns it", "answer": True}`, "true"},
		{`{"reasoning": "the function returns it", "answer": "False"}`, "false"},
		{`{"reasoning": "the function returns it", "answer": null}`, "none"},
		{`{"answer": "[1, 2,  3]"}`, "[1,2,3]"},
		{`{"answer": [1,2,3]}`, "[1,2,3]"},
		{`{"answer": "[1, 2, 3,]"}`, "[1,2,3]"},
		{`{"answer": "["a", "b"]"}`, "['a','b']"},
		{`{"answer": "[\"a\", \"b\"]"}`, "['a','b']"},
		{`{"answer": "['a', 'b']"}`, "['a','b']"},
		{`{"answer": "{'b': 1, 'a': [2]}"}`, "{'a':[2],'b':1}"},
		{`{"answer": "{"b": "x", "a": [2]}"}`, "{'a':[2],'b':'x'}"},
		{`{"answer": "('c', \"d\")"}`, "('c','d')"},
		{`{"answer": "(1,)"}`, "(1,)"},
		{`{"answer": "[1.0, -0, 1e2, None, True]"}`, "[1,0,100,none,true]"},
		{`{"answer": "[('a', 2), ('b', 1]"}`, "[('a',2),('b',1]"}, // does not parse
		{"```python\n[1, 2]\n```", "[1,2]"},
		{"The function sorts.\n\nassert f([2, 1]) == [1, 2]", "[1,2]"},
		{"After some thought:\nBerlin", "berlin"},
		{strings.Repeat("An essay has no short answer. ", 30), ""},
		{"It's Paris.", "paris"},
		{"I think it is Paris", "paris"},
		{"The answer is Paris, the capital of France.", "paris"},
		{"The answer is Paris, because the king lived there.", "paris"},
		{"The Good, the Bad and the Ugly", "good the bad and the ugly"},
		{"Answer: Paris\n\nWait, actually, it's Lyon.", "lyon"},
		{"Answer: Paris, no, Lyon", "lyon"},
		{"<answer>Paris</answer>", "paris"},
		{"**Final answer**\nParis", "paris"},
		{"La respuesta es París.", "paris"},
		{"答案是北京。", "北京"},
		{"three", "3"},
		{"Twenty-one", "21"},
		{"One Hundred Years of Solitude", "one hundred years of solitude"},
		{"May 12, 1990", "1990-05-12"},
		{"12 May 1990", "1990-05-12"},
		{"the 12th of May, 1990", "1990-05-12"},
		{"1990-05-12", "1990-05-12"},
		{"May 1990", "1990-05"},
		{"50 percent", "50"},
		{"50%", "50"},
		{"1000 dollars", "1000"},
		{"Unknown Pleasures", "unknown pleasures"},
		{"Unknown.", ""},
		{"No idea", ""},
		{"I'm sorry, but I can't help with that.", ""},
		{"As an AI model I cannot say.", ""},
		{"Je ne sais pas.", ""},
		{"我不知道", ""},
		{`{"reasoning": "the function returns it", "answer": ""}`, "''"},
		{`{"reasoning": "a town", "answer": ""}`, ""},
		{`{"reasoning": "the function returns it", "answer":`, ""},
		{`{"reasoning": "the function returns it", "answer": "[], [1]"}`, "([],[1])"},
		{`{"reasoning": "the function returns it", "answer": "'a', 'b'"}`, "('a','b')"},
		{`{"reasoning": "the function returns it", "answer": "[1, 2`, "[1,2"},
		{"The function returns `[1, 2]`.", "[1,2]"},
		{"assert f(1) == 'x'  # as shown", "x"},
		{"The value of the string is below.\nThe answer is the literal 'Ab', which f returns.\n{\"answer\": \"'Ab'\"}\nThe answer is the string 'Ab', as f returns it.", "Ab"},
		{"北京", "北京"},
		{"+", "+"},
		{"Output: True", "true"},
		{"**Output:** True", "true"},
		{"The output is True.", "true"},
		{"Returns 5", "5"},
		{"It returns `True`.", "true"},
		{"It returns 'ab'", "ab"},
		{"It returns None.", "none"},
		{"The result is [1, 2].", "[1,2]"},
		{"The function returns 5", "5"},
		{"The function doubles 2.5. So the function returns 5.", "5"},
		{"The function evaluates to True.", "true"},
		{"The return value of the function is 5.", "5"},
		{"The output will be 'a. b'.", "a. b"},
		{"Result: Paris", "paris"},
		{"Return value = 5", "5"},
		{"Returns of the Day", "returns of the day"},
		{"The output of the mine is silver", "output of the mine is silver"},
		{"The result of the war was peace. Output is", "result of the war was peace output is"},
	})
}

func TestJSON(t *testing.T) {
	check(t, quorum.JSON, nil, []row{
		{`{"b": 1, "a": "x"}`, `{'a':'x','b':1}`},
		{"```json\n{\"a\": \"x\", \"b\": 1.0}\n```", `{'a':'x','b':1}`},
		{"Here it is:\n```\n{\"a\":\"x\",\n \"b\":1}\n```\nI hope it helps.", `{'a':'x','b':1}`},
		{"Sure! {\"b\": 1, \"a\": \"\\u0078\"} is it", `{'a':'x','b':1}`},
		{`{"reasoning": "long", "answer": {"b": 1, "a": "x"}}`, `{'a':'x','b':1}`},
		{`{"reasoning": "long", "answer": "{\"b\": 1, \"a\": \"x\"}"}`, `{'a':'x','b':1}`},
		{`[1, 2, {"z": null, "y": [true, false]}]`, `[1,2,{'y':[true,false],'z':none}]`},
		{`[3, 4`, ""},
		{`{"a": `, ""},
		{"no document", ""},
		{"", ""},
		{strings.Repeat("[", 5000), ""},
		{"As in [1], the result is:\n{\"a\": 1}", `{'a':1}`},
		{"{\"a\": 1}\n\nSee [1] and [2].", `{'a':1}`},
		{`{"q": "the answer is 5"}`, `{'q':'the answer is 5'}`},
		{"{\"a\": 1}\nWait, that is wrong:\n{\"a\": 2}", `{'a':2}`},
		{"{'a': True, 'b': None,}", `{'a':true,'b':none}`},
		{`{"a": 1e2, "b": "\u00e9"}`, `{'a':100,'b':'é'}`},
		{`{"a": "x \"answer\" y"}`, `{'a':'x "answer" y'}`},
		{`{"a": 1} {"a": 2}`, `{'a':2}`},
	})
}

func TestVote(t *testing.T) {
	const approve, reject, abstain = "approve", "reject", "abstain"
	for _, r := range []struct{ text, stance string }{
		{"Approve", approve},
		{"reject.", reject},
		{"I approve of the motion.", approve},
		{"I do not approve.", reject},
		{"I cannot support this motion.", reject},
		{"I fully support the motion.", approve},
		{"I abstain.", abstain},
		{"Yes.", approve},
		{"Yes, since the costs are low.", approve},
		{"No, since the costs are high.", reject},
		{"Vote: approve\nThe costs are low and nobody would reject that.", approve},
		{`{"vote": "reject", "rationale": "I would approve a smaller budget"}`, reject},
		{`{"stance":"abstain"}`, abstain},
		{"**Decision:** Approved", approve},
		{"My vote is no.", reject},
		{"After weighing it all, I vote against.", reject},
		{"Although (b) is shorter, Output (a) is better.", approve},
		{"Therefore, Output (b) is better.", reject},
		{"Output (b) is better than Output (a).", reject},
		{"Output (a) is worse than Output (b).", reject},
		{"Output (a)", approve},
		{"Output (b)", reject},
		{"Response B is better because it is complete.", reject},
		{"I prefer (a) over (b).", approve},
		{"I cannot select either Output (a) or Output (b).", abstain},
		{"Both outputs are equally good.", abstain},
		{"No", reject},
		{"For", approve},
		{"Vote: for", approve},
		{"Against.", reject},
		{"Nein.", reject},
		{"Oui, bien sûr.", approve},
		{"Vote (approve/reject): reject", reject},
		{`{"approve": false, "why": "too dear"}`, reject},
		{`{"approve": true}`, approve},
		{"<vote>reject</vote>", reject},
		{"Vote: approve.\nWait, I misread the motion.\nVote: reject.", reject},
		{"I was inclined to approve, but I reject it.", reject},
		{"I object to the motion.", reject},
		{"I do not object.", approve},
		{"I recommend approval.", approve},
		{"I'm in favor.", approve},
		{"I'd support the motion.", approve},
		{"I am unable to support the motion.", reject},
		{"I neither approve nor reject it.", abstain},
		{"I can neither support nor oppose the motion.", abstain},
		{"I neither approve of the motion nor support it.", reject},
		{"I do not approve, nor do I support it.", reject},
		{"Neither cost nor risk stands against it, so I approve.", approve},
		{"There is no reason to reject it, so I approve.", approve},
		{"In favor", approve},
		{"In favour.", approve},
		{"In favor of the motion, since it is cheap.", approve},
		{"In favor: it is cheap. Still, I reject.", reject},
		{"In favor of it speaks the price.", ""},
		{"against", reject},
		{`{"decision":"reject","approve_count":3}`, reject},
		{`{"approve_votes": 2, "decision":"reject"}`, reject},
		{`{"approve_motion": true}`, approve},
		{"As an AI I cannot vote.", ""},
		{"", ""},
		{"The weather is fine.", ""},
		{"It goes against my programming rules to promote or support any form of harm.", ""},
	} {
		a := Extract(quorum.VoteKind, nil, &quorum.Reply{Text: r.text})
		if a.Stance.String() != r.stance {
			t.Errorf("%q: stance %q, want %q", r.text, a.Stance, r.stance)
		}
		if want := strings.TrimPrefix(r.stance, abstain); a.Key != want {
			t.Errorf("%q: key %q, want %q", r.text, a.Key, want)
		}
	}
}

func TestVoteStatedStanceWins(t *testing.T) {
	a := Extract(quorum.VoteKind, nil, &quorum.Reply{Text: "I reject it.", Stance: quorum.Approve})
	if a.Stance != quorum.Approve || a.Key != "approve" {
		t.Errorf("got %q, %q", a.Stance, a.Key)
	}
	a = Extract(quorum.VoteKind, nil, &quorum.Reply{Text: "I approve.", Stance: quorum.Abstain})
	if a.Stance != quorum.Abstain || a.Key != "" {
		t.Errorf("got %q, %q", a.Stance, a.Key)
	}
}

func TestAmbiguous(t *testing.T) {
	for _, c := range []struct {
		kind    quorum.Kind
		options []string
		text    string
		want    bool
	}{
		{quorum.Number, nil, `{"answer": "5"} or {"answer": "6"}`, true},
		{quorum.Number, nil, `{"answer": "5"} or rather {"answer": "5.0"}`, false},
		{quorum.Number, nil, `{"answer": "5"} So the final answer is 7.`, true},
		{quorum.Number, nil, "\\boxed{5} and again \\boxed{6}", true},
		{quorum.Number, nil, "The answer is 3 at first sight. The answer is 4.", true},
		{quorum.Number, nil, "3 and 4 make 7. The answer is 7.", false},
		{quorum.Choice, nil, "The answer is (A). No: the answer is (B).", false},
		{quorum.Choice, nil, "The answer is (B). I repeat: the answer is B.", false},
		{quorum.Choice, []string{"red", "green"}, "The answer is (A) green.", true},
		{quorum.Choice, []string{"red", "green"}, "The answer is (B) green.", false},
		{quorum.Number, nil, "The answer is 3 at first sight. Wait, that is wrong. The answer is 4.", false},
		{quorum.Number, nil, "{\"answer\": \"5\"}\nI made a mistake: {\"answer\": \"6\"}", false},
		{quorum.Number, nil, `{"answer": "5", "note": "x", "answer": "6"}`, false},
		{quorum.Number, nil, `{"steps": [{"answer": "3"}, {"answer": "4"}], "answer": "12"}`, false},
		{quorum.Number, nil, "The answer is 5 or 6.", true},
		{quorum.Number, nil, "The answer is 5. Wait, no, it is 6.", false},
		{quorum.Number, nil, "The answer is 5. Wait, that cannot be. " + strings.Repeat("Let us see what else there is. ", 9), true},
		{quorum.Short, nil, "The answer is Paris. Sorry, I cannot say more.", false},
		{quorum.Short, nil, "The answer is Paris. I made a mistake there.", true},
		{quorum.Number, nil, "between 5 and 6", true},
		{quorum.Number, nil, "5-6", true},
		{quorum.Number, nil, "\\boxed{3} \n[...]\n \\boxed{4}", true},
		{quorum.Choice, nil, "The answer is (A) and (E).", true},
		{quorum.Choice, nil, "The answer is both A and B.", true},
		{quorum.Choice, nil, "The answer is (D), I think.", false},
		{quorum.Choice, nil, "(A) and (B) are both right.", true},
		{quorum.Choice, nil, "The answer is (B).\n\nNow I sum it up.\n\nThe answer is (A).", true},
		{quorum.Choice, nil, "The answer is (A).\nThe answer is (B).\nThe answer is (C).", false},
		{quorum.Choice, nil, "The answer is (B). However, that ignores friction. The answer is (C).", false},
		{quorum.Choice, []string{"A", "B", "C"}, "The answer is (C) A social media post.", false},
		{quorum.Choice, []string{"Paris", "Lyon"}, "Paris or Lyon", true},
		{quorum.Choice, []string{"Paris", "Lyon", "Paris or Lyon"}, "Paris or Lyon", false},
		{quorum.Choice, []string{"Paris", "Lyon"}, "It could be Paris or Lyon", true},
		{quorum.Choice, []string{"Paris", "Lyon"}, "I am sure that it could not be Paris. It can only be Lyon", false},
		{quorum.Choice, nil, "The answer is A. Actually, the answer is B.", false},
		{quorum.Choice, nil, "The answer is A. The answer is B.", true},
		{quorum.Choice, nil, "The answer is A. On reflection I change my answer to B.", false},
		{quorum.Number, nil, "The answer to the first question is 4. The final answer is 6.", false},
		{quorum.Number, nil, "One might think the answer is 10, but the answer is 12", false},
		{quorum.Number, nil, "The final answer is 4. The final answer is 6.", true},
		{quorum.Short, nil, "Answer: Paris\nAnswer: Lyon", true},
		{quorum.Short, nil, "either red or blue", true},
		{quorum.Short, nil, "Answer: Paris\nAnswer: paris.", false},
		{quorum.JSON, nil, "{\"a\": 1}\nCorrection:\n{\"a\": 2}", false},
		{quorum.JSON, nil, `{"a": 1} {"a": 2}`, true},
		{quorum.JSON, nil, `{"a": 1} {"a": 1.0}`, false},
		{quorum.VoteKind, nil, "Vote: approve.\nVote: reject.", true},
		{quorum.VoteKind, nil, "Vote: approve.\nVote: approve.", false},
		{quorum.VoteKind, nil, "I approve. I reject.", true},
		{quorum.VoteKind, nil, "I approve. I reject. I oppose it.", true},
		{quorum.VoteKind, nil, "I approve. I do not reject.", false},
		{quorum.VoteKind, nil, "I approve. I approve.", false},
		{quorum.VoteKind, nil, "I approve. Wait, I misread. I reject.", false},
		{quorum.VoteKind, nil, "I approve. I reject. Vote: reject.", false},
		{quorum.VoteKind, nil, `{"decision":"reject","approve_count":3}`, false},
	} {
		if a := Extract(c.kind, c.options, &quorum.Reply{Text: c.text}); a.Ambiguous != c.want {
			t.Errorf("%v, %q: ambiguous %v, want %v (key %q)", c.kind, c.text, a.Ambiguous, c.want, a.Key)
		}
	}
}

func TestOpenKindsHaveNoAnswer(t *testing.T) {
	for _, k := range []quorum.Kind{quorum.Auto, quorum.Text, quorum.Code} {
		if a := Extract(k, nil, &quorum.Reply{Text: "The answer is 5."}); a != (Answer{}) {
			t.Errorf("%v: %+v", k, a)
		}
	}
}

func TestPlain(t *testing.T) {
	options := []string{"red", "green"}
	for _, c := range []struct {
		text    string
		options []string
		kind    quorum.Kind
		ok      bool
	}{
		{"42", nil, quorum.Number, true},
		{"$3.50", nil, quorum.Number, true},
		{"Paris", nil, quorum.Short, true},
		{"Green.", options, quorum.Choice, true},
		{"(B)", options, quorum.Choice, true},
		{"blue", options, quorum.Short, true},
		{"#### 42", nil, quorum.Number, true},
		{"so \\boxed{\\frac{1}{2}} it is, and that is all there is to say about it.", nil, quorum.Number, true},
		{`{"reasoning": "a long chain of thought that has more than forty characters", "answer": "Paris"}`, nil, quorum.Short, true},
		{`{"reasoning": "a long chain of thought that has more than forty characters", "answer": "[1, 2]"}`, nil, quorum.Short, true},
		{"The capital of France has for a long time been the city of Paris.", nil, quorum.Auto, false},
		{"The answer to this question is, as far as I can tell, Paris.", nil, quorum.Auto, false},
		{"The result is 391.", nil, quorum.Auto, false},
		{"It's Paris, I think", nil, quorum.Auto, false},
		{"The answer is 391.", nil, quorum.Number, true},
		{"I don't know.", nil, quorum.Auto, false},
		{"", nil, quorum.Auto, false},
		{"\xff\xfe", nil, quorum.Short, true},
	} {
		kind, ok := Plain(c.text, c.options)
		if kind != c.kind || ok != c.ok {
			t.Errorf("Plain(%q) = %v, %v, want %v, %v", c.text, kind, ok, c.kind, c.ok)
		}
	}
}
