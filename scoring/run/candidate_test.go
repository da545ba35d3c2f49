package run

import (
	"strings"
	"testing"
)

func TestCandidate(t *testing.T) {
	for _, tt := range []struct{ name, reply, want string }{
		{"the whole reply where nothing is fenced", "print(42)\n", "print(42)\n"},
		{"the only block", "Here it is:\n\n```python\nprint(42)\n```\nIt prints 42.", "print(42)\n"},
		{"the last block", "First\n```\na\n```\nbetter\n```\nb\n```\n", "b\n"},
		{"the last that holds anything", "```\na\n```\n```\n\n```\n", "a\n"},
		{"a block that nothing closes", "```py\nprint(42)\n", "print(42)\n"},
		{"a block of tildes, with backticks in it", "~~~\n```\nx\n```\n~~~\n", "```\nx\n```\n"},
		{"a longer fence around a shorter", "````md\n```\nx\n```\n````\n", "```\nx\n```\n"},
		{"a fence with words is none that closes", "```\na\n``` not yet\nb\n```\n", "a\n``` not yet\nb\n"},
		{"an indented fence", "1. Do\n   ```js\n   x\n   ```\n", "   x\n"},
		{"four blanks are code, not a fence", "    ```\nx", "    ```\nx"},
		{"backticks within a line", "```x = 1```\n", "```x = 1```\n"},
		{"carriage returns", "```py\r\nprint(42)\r\n```\r\n", "print(42)\r\n"},
		{"an empty block", "```\n```\n", ""},
		{"a fence and nothing more", "```", ""},
		{"nothing", "", ""},
		{"white space", " \n\t", ""},
	} {
		if got := Candidate(tt.reply); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func FuzzCandidate(f *testing.F) {
	for _, s := range []string{"```\na\n```", "~~~~\n```\n~~~", "print(1)", "```a`\n", "  ```\n\xff\n```", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, reply string) {
		got := Candidate(reply)
		if !strings.Contains(reply, got) || got != "" && strings.TrimSpace(got) == "" {
			t.Errorf("%q of %q", got, reply)
		}
		if strings.TrimSpace(reply) == "" || strings.ContainsAny(reply, "`~") {
			return
		}
		if got != reply {
			t.Errorf("%q of %q, which has no fence", got, reply)
		}
	})
}
