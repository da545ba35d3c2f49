package sim

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// ErrLatency is a latency model that cannot be read.
var ErrLatency = errors.New("sim: not a latency model")

// maxLatency caps every draw: a lognormal has no largest value of its own.
const maxLatency = time.Minute

// A Latency is how long a companion takes to answer. The zero value answers at
// once.
type Latency struct {
	model    latencyModel
	low, top time.Duration // uniform: least and most; lognormal: median and 99th percentile
}

type latencyModel uint8

const (
	fixed latencyModel = iota
	uniform
	lognormal
)

// Fixed takes d every time.
func Fixed(d time.Duration) Latency { return Latency{fixed, d, d} }

// Uniform takes between low and high, all equally likely.
func Uniform(low, high time.Duration) Latency { return Latency{uniform, low, high} }

// Lognormal takes median or less half of the time and p99 or less 99 times in a
// hundred; the logarithm of it is normal, as of real model servers. Never over
// a minute.
func Lognormal(median, p99 time.Duration) Latency { return Latency{lognormal, median, p99} }

// ParseLatency reads what String writes: "20ms", "uniform:10ms-50ms",
// "lognormal:60ms,1s" (median, 99th percentile). "" and "0" answer at once.
func ParseLatency(s string) (Latency, error) {
	name, args, found := strings.Cut(s, ":")
	if !found {
		if s == "" {
			return Latency{}, nil
		}
		d, err := time.ParseDuration(s)
		if err != nil {
			return Latency{}, fmt.Errorf("%w: %q: want 20ms, uniform:10ms-50ms or lognormal:60ms,1s", ErrLatency, s)
		}
		return check(s, Fixed(d))
	}
	var l Latency
	var separator string
	switch name {
	case "uniform":
		l.model, separator = uniform, "-"
	case "lognormal":
		l.model, separator = lognormal, ","
	default:
		return Latency{}, fmt.Errorf("%w: %q: unknown model %q: want uniform or lognormal", ErrLatency, s, name)
	}
	low, top, found := strings.Cut(args, separator)
	var errLow, errTop error
	l.low, errLow = time.ParseDuration(low)
	l.top, errTop = time.ParseDuration(top)
	if !found || errLow != nil || errTop != nil {
		return Latency{}, fmt.Errorf("%w: %q: want two durations with %q between", ErrLatency, s, separator)
	}
	return check(s, l)
}

func check(s string, l Latency) (Latency, error) {
	switch {
	case l.low < 0 || l.top < l.low || l.top > maxLatency:
		return Latency{}, fmt.Errorf("%w: %q: want 0 to %v, the smaller first", ErrLatency, s, maxLatency)
	case l.model == lognormal && l.low == 0:
		return Latency{}, fmt.Errorf("%w: %q: a lognormal median is over 0", ErrLatency, s)
	}
	return l, nil
}

func (l Latency) String() string {
	switch l.model {
	case uniform:
		return fmt.Sprintf("uniform:%v-%v", l.low, l.top)
	case lognormal:
		return fmt.Sprintf("lognormal:%v,%v", l.low, l.top)
	default:
		return l.low.String()
	}
}

// MarshalText and UnmarshalText let a Latency stand as its text in JSON, YAML
// and flags.
func (l Latency) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

func (l *Latency) UnmarshalText(b []byte) (err error) {
	*l, err = ParseLatency(string(b))
	return err
}

// z99 is the 99th percentile of the standard normal distribution.
const z99 = 2.3263478740408408

// Draw gives the latency for 64 random bits.
func (l Latency) Draw(bits uint64) time.Duration {
	if l.model == fixed {
		return l.low
	}
	u := (float64(bits>>11) + 0.5) / (1 << 53) // strictly between 0 and 1
	if l.model == uniform {
		return l.low + time.Duration(u*float64(l.top-l.low))
	}
	sigma := math.Log(float64(l.top)/float64(l.low)) / z99
	z := math.Sqrt2 * math.Erfinv(2*u-1)
	// Capped before it is an integer, which the far tail would overflow.
	return time.Duration(min(float64(l.low)*math.Exp(sigma*z), float64(maxLatency)))
}
