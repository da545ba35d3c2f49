package ledger

import (
	"bytes"
	"fmt"
	"math"
	"strconv"

	"github.com/kaizen-os/deliberation/store/merkle"
)

// A TilePath names one resource of a log as C2SP tlog-tiles does: a hash tile,
// "tile/1/x001/234.p/56", or an entry bundle, "tile/entries/007".
type TilePath struct {
	Entries bool // an entry bundle; Level is then 0
	Level   int
	N       uint64
	Width   int // 1 to 255 for a partial tile, 256 for a full one
}

const (
	tileDir    = "tile/"
	entriesDir = "entries/"
	maxLevel   = 63
	// pathGroup is how many tile numbers one path element tells apart.
	pathGroup = 1000
)

// AppendTo appends p as a path without a leading slash.
func (p TilePath) AppendTo(dst []byte) []byte {
	dst = append(dst, tileDir...)
	if p.Entries {
		dst = append(dst, entriesDir...)
	} else {
		dst = append(strconv.AppendInt(dst, int64(p.Level), 10), '/')
	}
	unit := uint64(1)
	for p.N/unit >= pathGroup {
		unit *= pathGroup
	}
	for ; unit > 1; unit /= pathGroup {
		dst = append(dst, 'x')
		dst = append(appendGroup(dst, p.N/unit%pathGroup), '/')
	}
	dst = appendGroup(dst, p.N%pathGroup)
	if p.Width < merkle.TileWidth {
		dst = strconv.AppendInt(append(dst, ".p/"...), int64(p.Width), 10)
	}
	return dst
}

func appendGroup(dst []byte, n uint64) []byte {
	return append(dst, byte('0'+n/100), byte('0'+n/10%10), byte('0'+n%10))
}

// String is the path without a leading slash.
func (p TilePath) String() string { return string(p.AppendTo(nil)) }

// ParseTilePath reads a path, without a leading slash, in its one form. It says
// nothing of whether a log has the tile. The error is ErrTilePath.
func ParseTilePath(path []byte) (TilePath, error) {
	bad := func(want string) (TilePath, error) {
		return TilePath{}, fmt.Errorf("%w: %s", ErrTilePath, want)
	}
	rest, ok := bytes.CutPrefix(path, []byte(tileDir))
	if !ok {
		return bad("want tile/LEVEL/N or tile/entries/N")
	}
	p := TilePath{Width: merkle.TileWidth}
	if after, ok := bytes.CutPrefix(rest, []byte(entriesDir)); ok {
		p.Entries, rest = true, after
	} else {
		level, after, ok := bytes.Cut(rest, []byte("/"))
		n, err := parseDecimal(level)
		if !ok || err != nil || n > maxLevel {
			return bad("want a level from 0 to 63")
		}
		p.Level, rest = int(n), after
	}
	number, width, partial := bytes.Cut(rest, []byte(".p/"))
	if partial {
		n, err := parseDecimal(width)
		if err != nil || n < 1 || n >= merkle.TileWidth {
			return bad("want a width from 1 to 255")
		}
		p.Width = int(n)
	}
	for first := true; ; first = false {
		group, after, more := bytes.Cut(number, []byte("/"))
		if more {
			if group, ok = bytes.CutPrefix(group, []byte("x")); !ok {
				return bad("want every element but the last to begin with x")
			}
		}
		if len(group) != 3 || !digits(group) {
			return bad("want elements of three digits")
		}
		value := uint64(group[0]-'0')*100 + uint64(group[1]-'0')*10 + uint64(group[2]-'0')
		if first && more && value == 0 {
			return bad("want no leading x000")
		}
		if p.N > (math.MaxInt64-value)/pathGroup {
			return bad("want a smaller number")
		}
		p.N = p.N*pathGroup + value
		if !more {
			return p, nil
		}
		number = after
	}
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
