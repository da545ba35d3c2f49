package main

import (
	"testing"

	"github.com/kaizen-os/deliberation/gateway/wire"
)

func TestOnlyAllIsAHundredPercent(t *testing.T) {
	for p, want := range map[wire.PPM]string{-1: "-", 0: "0 %", 4_999: "0 %", 5_000: "1 %", 985_000: "99 %", 996_000: "99 %", 999_999: "99 %", 1_000_000: "100 %"} {
		if got := percent(p); got != want {
			t.Errorf("percent(%d) = %q, want %q", p, got, want)
		}
	}
}
