package dialect

import (
	"fmt"
	"strings"
)

// Lacks is a set of settings that a model does not take, and that are left out of
// its requests: many a provider refuses a whole request for one of them.
type Lacks uint16

const (
	NoTemperature Lacks = 1 << iota
	NoTopP
	NoStop // replies are cut here instead
	NoSeed
	NoJSONObject // the model is told so in words instead
	NoJSONSchema // so here
	NoToolChoice
	NoParallelToolCalls
	NoStreamOptions
)

// The names that the configuration gives them, in the constants' order.
var lackNames = [...]string{"temperature", "topP", "stop", "seed", "jsonObject", "jsonSchema", "toolChoice", "parallelToolCalls", "streamOptions"}

// Has reports whether any of other is in l.
func (l Lacks) Has(other Lacks) bool { return l&other != 0 }

// ParseLacks reads names of settings.
func ParseLacks(names []string) (Lacks, error) {
	var l Lacks
next:
	for _, name := range names {
		for i, n := range lackNames {
			if n == name {
				l |= 1 << i
				continue next
			}
		}
		return 0, fmt.Errorf("unknown %q; want some of %s", name, strings.Join(lackNames[:], ", "))
	}
	return l, nil
}
