package wire

import (
	"bytes"
	"errors"
	"math"
	"strconv"
)

// None in a field that may be null ([PPM] and [Hundredths]) is null.
const None = -1

// PPM is a share, weight, severity or confidence in parts per million. In JSON
// it is a decimal with at least one place, "0.81" or "1.0"; below zero, null.
type PPM int64

// Hundredths is a charter score in hundredths of a point: 9750 is 97.5 in JSON,
// 10000 is 100; below zero, null.
type Hundredths int64

// Micros is a time in microseconds; in JSON, milliseconds with at least one
// place: 412.0. It is never null.
type Micros int64

const (
	ppmPlaces, ppmLeast     = 6, 1
	scorePlaces, scoreLeast = 2, 0
	milliPlaces, milliLeast = 3, 1
)

func (p PPM) appendTo(dst []byte) []byte { return appendDecimal(dst, int64(p), ppmPlaces, ppmLeast) }
func (h Hundredths) appendTo(dst []byte) []byte {
	return appendDecimal(dst, int64(h), scorePlaces, scoreLeast)
}
func (m Micros) appendTo(dst []byte) []byte {
	return appendDecimal(dst, max(int64(m), 0), milliPlaces, milliLeast)
}

// String gives the number as it stands in JSON; "null" when there is none.
func (p PPM) String() string        { return string(p.appendTo(nil)) }
func (h Hundredths) String() string { return string(h.appendTo(nil)) }
func (m Micros) String() string     { return string(m.appendTo(nil)) }

// The methods of encoding/json, for clients.

func (p PPM) MarshalJSON() ([]byte, error)        { return p.appendTo(nil), nil }
func (h Hundredths) MarshalJSON() ([]byte, error) { return h.appendTo(nil), nil }
func (m Micros) MarshalJSON() ([]byte, error)     { return m.appendTo(nil), nil }

func (p *PPM) UnmarshalJSON(b []byte) error        { return unmarshalDecimal(p, b, ppmPlaces) }
func (h *Hundredths) UnmarshalJSON(b []byte) error { return unmarshalDecimal(h, b, scorePlaces) }
func (m *Micros) UnmarshalJSON(b []byte) error {
	if err := unmarshalDecimal(m, b, milliPlaces); err != nil {
		return err
	}
	if *m < 0 {
		return errDecimal
	}
	return nil
}

func unmarshalDecimal[T ~int64](to *T, b []byte, places int) error {
	v, err := parseDecimal(b, places)
	*to = T(v)
	return err
}

// appendDecimal appends v·10^-places with no more zeros at the end than make up
// least places, or null when v is below zero.
func appendDecimal(dst []byte, v int64, places, least int) []byte {
	if v < 0 {
		return append(dst, "null"...)
	}
	unit := int64(1)
	for range places {
		unit *= 10
	}
	dst = strconv.AppendInt(dst, v/unit, 10)
	rest := v % unit
	if rest == 0 && least == 0 {
		return dst
	}
	dst = append(dst, '.')
	for n := 1; n <= least || rest > 0; n++ {
		unit /= 10
		dst = append(dst, byte('0'+rest/unit))
		rest %= unit
	}
	return dst
}

var errDecimal = errors.New("want null or a plain decimal number, not below 0, of few enough places")

// parseDecimal is the inverse of appendDecimal. It reads digits, never a float.
func parseDecimal(b []byte, places int) (int64, error) {
	if string(b) == "null" {
		return None, nil
	}
	whole, frac, point := bytes.Cut(b, []byte("."))
	if len(whole) == 0 || point && len(frac) == 0 || len(frac) > places {
		return 0, errDecimal
	}
	var v int64
	digit := func(c byte) bool {
		if c < '0' || c > '9' || v > (math.MaxInt64-9)/10 {
			return false
		}
		v = v*10 + int64(c-'0')
		return true
	}
	for _, c := range whole {
		if !digit(c) {
			return 0, errDecimal
		}
	}
	for i := range places {
		c := byte('0')
		if i < len(frac) {
			c = frac[i]
		}
		if !digit(c) {
			return 0, errDecimal
		}
	}
	return v, nil
}
