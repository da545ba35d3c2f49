package ledger

import (
	"errors"
	"math"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/kaizen-os/deliberation/store/merkle"
)

func TestTilePaths(t *testing.T) {
	for _, tt := range []struct {
		path string
		want TilePath
	}{
		{"tile/0/000", TilePath{Width: 256}},
		{"tile/0/255.p/1", TilePath{N: 255, Width: 1}},
		{"tile/2/x001/x234/067", TilePath{Level: 2, N: 1_234_067, Width: 256}},
		{"tile/63/x001/000.p/255", TilePath{Level: 63, N: 1000, Width: 255}},
		{"tile/entries/x001/x234/067.p/112", TilePath{Entries: true, N: 1_234_067, Width: 112}},
		{"tile/0/x009/x223/x372/x036/x854/x775/807", TilePath{N: math.MaxInt64, Width: 256}},
	} {
		got, err := ParseTilePath([]byte(tt.path))
		if err != nil || got != tt.want {
			t.Errorf("ParseTilePath(%q) = %+v, %v, want %+v", tt.path, got, err, tt.want)
		}
		if s := tt.want.String(); s != tt.path {
			t.Errorf("%+v is %q, want %q", tt.want, s, tt.path)
		}
	}
}

func TestTilePathsRefused(t *testing.T) {
	for name, path := range map[string]string{
		"nothing":                         "",
		"another folder":                  "data/0/000",
		"a leading slash":                 "/tile/0/000",
		"no number":                       "tile/0",
		"an empty number":                 "tile/0/",
		"level 64":                        "tile/64/000",
		"a level with a leading zero":     "tile/00/000",
		"a signed level":                  "tile/+1/000",
		"no level":                        "tile//000",
		"two digits":                      "tile/0/00",
		"four digits":                     "tile/0/0000",
		"a letter":                        "tile/0/0a0",
		"x on the last element":           "tile/0/x000",
		"no x on the first of two":        "tile/0/001/000",
		"a group too many":                "tile/0/x000/001",
		"width 0":                         "tile/0/000.p/0",
		"width 256, which is a full tile": "tile/0/000.p/256",
		"a width with a leading zero":     "tile/0/000.p/01",
		"no width":                        "tile/0/000.p/",
		"no width at all":                 "tile/0/000.p",
		"a trailing slash":                "tile/0/000/",
		"a width twice":                   "tile/0/000.p/1.p/1",
		"a step up":                       "tile/0/../0/000",
		"a number past 63 bits":           "tile/0/x009/x223/x372/x036/x854/x775/808",
		"a number past 64 bits":           "tile/entries/x018/x446/x744/x073/x709/x551/616",
	} {
		if p, err := ParseTilePath([]byte(path)); !errors.Is(err, ErrTilePath) {
			t.Errorf("%s: ParseTilePath(%q) = %+v, %v, want ErrTilePath", name, path, p, err)
		}
	}
}

func TestReadOfWhatTheLedgerHasNot(t *testing.T) {
	l := open(t, config(vfs.NewMem()))
	addMany(t, l, 300)
	for _, p := range []TilePath{
		{N: 1, Width: 45}, {N: 1, Width: 256}, {N: 2, Width: 1}, {Level: 1, Width: 2}, {Level: 2, Width: 1}, {Level: 63, Width: 1},
		{Entries: true, N: 1, Width: 45}, {Entries: true, N: 2, Width: 1}, {Entries: true, N: math.MaxInt64, Width: 256},
	} {
		if _, err := l.Read(p); !errors.Is(err, ErrNotFound) {
			t.Errorf("Read(%s) = %v, want ErrNotFound", p, err)
		}
	}
	for _, p := range []TilePath{{Width: 256}, {Width: 7}, {N: 1, Width: 44}, {Level: 1, Width: 1}} {
		if data, err := l.Read(p); err != nil || len(data) != 32*p.Width {
			t.Errorf("Read(%s) = %d bytes, %v", p, len(data), err)
		}
	}
}

// Whatever is taken is a path that another's parser reads the same, and the
// other way around.
func FuzzParseTilePath(f *testing.F) {
	for _, seed := range []string{"tile/0/000", "tile/5/x001/x234/067.p/9", "tile/entries/000.p/255", "tile/0/x000/001", "tile/0/x999/999.p/256"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		p, err := ParseTilePath([]byte(path))
		if err != nil {
			return
		}
		if s := p.String(); s != path {
			t.Fatalf("%q is read as %+v, which is %q", path, p, s)
		}
		if p.Entries || p.Level > 62 {
			return
		}
		theirs := tlog.Tile{H: merkle.TileHeight, L: p.Level, N: int64(p.N), W: p.Width}.Path()
		if want := "tile/8/" + path[len("tile/"):]; theirs != want {
			t.Fatalf("tlog writes %+v as %q, want %q", p, theirs, want)
		}
	})
}
