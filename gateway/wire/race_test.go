//go:build race

package wire

// raceEnabled: under the race detector sync.Pool drops values at random, so
// allocations are not counted.
const raceEnabled = true
