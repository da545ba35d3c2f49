package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/store"
	"github.com/kaizen-os/deliberation/store/merkle"
)

// A disk is all files of a ledger, which tests then damage.
type disk struct {
	files  map[string][]byte
	hashes []merkle.Hash // of its entries
	names  map[string]uint64
}

// newDisk has entries in tables of two levels and in the log, and was killed, or
// closed.
func newDisk(t *testing.T, killed bool) *disk {
	t.Helper()
	fs := vfs.NewCrashableMem()
	l := open(t, config(fs))
	d := &disk{names: map[string]uint64{}}
	for i := range 620 {
		name := ""
		if i%3 == 0 {
			name = fmt.Sprint("n", i*7919%1000)
		}
		r := add(t, l, name, fmt.Sprintf("text %d %s", i, strings.Repeat("x", i*37%400)))
		d.hashes = append(d.hashes, r.LeafHash)
		if name != "" {
			d.names[name] = r.Index
		}
		switch i {
		case 200, 300:
			must(t, l.db.Compact(t.Context(), []byte{0}, []byte{0xff}, false))
		case 400, 500:
			must(t, l.db.Flush())
		}
	}
	if !killed {
		must(t, l.Close())
	}
	// All files as of one moment: Pebble's own work goes on.
	d.files = readFiles(t, fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 2))}), "")
	delete(d.files, "data/ledger/LOCK")
	d.files["data/ledger.guard"] = l.Checkpoint()
	return d
}

func readFiles(t *testing.T, fs vfs.FS, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	names, err := fs.List(dir)
	must(t, err)
	for _, name := range names {
		path := fs.PathJoin(dir, name)
		info, err := fs.Stat(path)
		must(t, err)
		if info.IsDir() {
			maps.Copy(files, readFiles(t, fs, path))
		} else {
			files[path] = copyFile(t, fs, path)
		}
	}
	return files
}

// with is d with the file at path damaged, or gone if data is nil.
func (d *disk) with(t *testing.T, path string, data []byte) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewMem()
	must(t, fs.MkdirAll("data/ledger", 0o700))
	for p, content := range d.files {
		if p == path {
			content = data
		}
		if content == nil {
			continue
		}
		f, err := fs.Create(p, vfs.WriteCategoryUnspecified)
		must(t, err)
		_, err = f.Write(bytes.Clone(content))
		must(t, errors.Join(err, f.Close()))
	}
	return fs
}

// What came of a damage.
type outcome struct {
	refused error // by Open
	found   error // by Verify
	lost    int   // entries that are no longer in the ledger
	behind  bool  // which the guard showed
	wrong   []string
	errors  int // reads that say that the store is damaged
}

// examine verifies, opens and reads all of what is on fs.
func (d *disk) examine(fs *vfs.MemFS) (o outcome) {
	defer func() {
		if r := recover(); r != nil {
			o.wrong = append(o.wrong, fmt.Sprint("panic: ", r))
		}
	}()
	bad := func(format string, args ...any) { o.wrong = append(o.wrong, fmt.Sprintf(format, args...)) }
	key, err := parseKey(testKey())
	if err != nil {
		bad("%v", err)
		return o
	}
	var c Checkpoint
	c, o.found = Verify("data", fs, key.verifier, func(index uint64, _ int64, leaf []byte) error {
		if merkle.Hash(quorum.LeafHash(leaf)) != d.hashes[index] {
			bad("Verify gives another entry %d", index)
		}
		return nil
	})
	var l *Ledger
	if l, o.refused = Open(config(fs)); o.refused != nil {
		return o
	}
	defer l.Close()
	size := l.Size()
	o.lost, o.behind = len(d.hashes)-int(size), errors.Is(l.Err(), ErrRolledBack)
	if o.found == nil && c.Size != size {
		bad("Verify finds %d entries, Open %d", c.Size, size)
	}
	failed := func(err error) bool {
		if err != nil && !errors.Is(err, store.ErrCorrupt) {
			bad("%v is not ErrCorrupt", err)
		}
		if err != nil {
			o.errors++
		}
		return err != nil
	}
	for index := range size {
		leaf, err := l.Entry(index)
		if !failed(err) && merkle.Hash(quorum.LeafHash(leaf)) != d.hashes[index] {
			bad("entry %d is another", index)
		}
		if index%7 != 0 {
			continue
		}
		if text, err := l.Proof(index); !failed(err) {
			p, err := ParseProof(text)
			if err == nil {
				_, err = p.VerifyHash(d.hashes[index], key.verifier)
			}
			if err != nil {
				bad("the proof of entry %d: %v", index, err)
			}
		}
	}
	for name, index := range d.names {
		if got, ok, err := l.Lookup(name); !failed(err) && index < size && (!ok || got != index) {
			bad("%q is looked up as %d, %v", name, got, ok)
		}
	}
	return o
}

// damages are ways to damage data: one bit of each byte if it is short, or of some,
// and an end at each length or at some.
func damages(data []byte, some int, rng *rand.Rand) map[string][]byte {
	all := map[string][]byte{}
	positions := func() (at []int) {
		if len(data) <= some {
			for i := range len(data) {
				at = append(at, i)
			}
			return at
		}
		at = append(at, 0)    // no file is read whose first byte is another
		for i := range some { // spread, and more of them near the end
			if i%4 == 0 {
				at = append(at, len(data)-1-rng.IntN(min(len(data), 500)))
			} else {
				at = append(at, rng.IntN(len(data)))
			}
		}
		return at
	}
	for _, at := range positions() {
		flipped := bytes.Clone(data)
		bit := rng.IntN(8)
		flipped[at] ^= 1 << bit
		all[fmt.Sprintf("bit %d at %d of %d", bit, at, len(data))] = flipped
	}
	for _, at := range positions() {
		if at%3 == 0 {
			all[fmt.Sprintf("cut off at %d of %d", at, len(data))] = bytes.Clone(data[:at:at])
		}
	}
	return all
}

// kindOf is a file's kind: what damage to it comes to is the same for all of one.
func kindOf(path string) string {
	return stepOf(errorfs.Op{Kind: errorfs.OpFileSync, Path: path})[len("sync "):]
}

// Whatever bit of whatever file flips, and wherever a file ends early: Open refuses
// and names the file, or what is read is right or says that the store is damaged,
// and what is no longer there is missed by the guard. Verify finds it all.
func TestDamagedFilesNeverGiveAWrongProof(t *testing.T) {
	some := crashTrials(t, 12)
	rng := rand.New(rand.NewPCG(5, 6))
	for _, killed := range []bool{false, true} {
		d := newDisk(t, killed)
		came := map[string]int{}
		for _, path := range slices.Sorted(maps.Keys(d.files)) {
			kind, name := kindOf(path), filepath.Base(path)
			for how, data := range damages(d.files[path], some, rng) {
				o := d.examine(d.with(t, path, data))
				bad := func(format string, args ...any) {
					t.Errorf("%s, %s (killed: %v): %s", path, how, killed, fmt.Sprintf(format, args...))
				}
				for _, w := range o.wrong {
					bad("%s", w)
				}
				switch {
				case o.refused != nil:
					came[kind+" refused"]++
					// A manifest that was cut off is that of an older store, whose tables or
					// entries are not there.
					if !strings.Contains(o.refused.Error(), name) && !(kind == "MANIFEST" && strings.HasPrefix(how, "cut")) {
						bad("Open() does not name it: %v", o.refused)
					}
					if !errors.Is(o.refused, store.ErrCorrupt) || strings.Contains(o.refused.Error(), "\n") {
						bad("Open() = %q, want ErrCorrupt in one line", o.refused)
					}
					if o.found == nil && kind != "guard" { // which is read by who calls Verify
						bad("Verify() finds nothing, and Open() = %v", o.refused)
					}
				case o.lost > 0 && o.behind:
					came[kind+" missed by the guard"]++
				case o.lost > 0:
					bad("%d entries are gone, and nobody noticed", o.lost)
				case o.errors > 0:
					came[kind+" errors"]++
					if o.found == nil {
						bad("Verify() finds nothing, and %d reads fail", o.errors)
					}
				default: // such as in a log whose entries are in tables
					came[kind+" unharmed"]++
				}
			}
		}
		for _, kind := range []string{"guard refused", "log refused", "MANIFEST refused", "OPTIONS refused", "sst refused"} {
			if came[kind] == 0 {
				t.Errorf("of %v there is no %q: the damages are too few", came, kind)
			}
		}
		t.Log(came)
	}
}

// A manifest that was cut off lists an older store, whose logs are gone: what was in
// them is missing, wherever it was cut.
func TestCutManifestIsRefusedOrUnharmed(t *testing.T) {
	d := newDisk(t, true)
	path := ""
	for p := range d.files {
		if kindOf(p) == "MANIFEST" {
			path = p
		}
	}
	refused := 0
	for at := 0; at < len(d.files[path]); at += 7 {
		o := d.examine(d.with(t, path, d.files[path][:at:at]))
		switch {
		case len(o.wrong) > 0 || o.errors > 0:
			t.Errorf("cut off at %d of %d: %d reads fail, %v", at, len(d.files[path]), o.errors, o.wrong)
		case o.refused == nil && o.lost > 0 && !o.behind:
			t.Errorf("cut off at %d of %d: %d entries are gone, and nobody noticed", at, len(d.files[path]), o.lost)
		case o.refused != nil:
			refused++
		}
	}
	if refused == 0 {
		t.Error("none was refused: the test shows nothing")
	}
}

// What nothing in the store can tell from a write that was torn, as a log that was
// cut off, is told by the guard alone; it is up to guardEvery behind. So much may
// go unnoticed, and no more; and of flipped bits nothing.
func TestOnlyWhatTheGuardIsBehindCanGoUnnoticed(t *testing.T) {
	some := crashTrials(t, 20)
	rng := rand.New(rand.NewPCG(7, 8))
	d := newDisk(t, true)
	old := d.files["data/ledger.guard"]
	l := open(t, config(d.with(t, "", nil)))
	for i := range 30 { // the last ones, that the guard does not know of
		d.hashes = append(d.hashes, add(t, l, "", fmt.Sprint("more ", i)).LeafHash)
	}
	d.files = readFiles(t, l.fs, "") // killed
	delete(d.files, "data/ledger/LOCK")
	d.files["data/ledger.guard"] = old
	guarded, unnoticed := len(d.hashes)-30, 0
	log := ""
	for path := range d.files {
		if strings.HasSuffix(path, ".log") {
			log = max(log, path)
		}
	}
	for how, data := range damages(d.files[log], some, rng) {
		o := d.examine(d.with(t, log, data))
		left := len(d.hashes) - o.lost
		switch {
		case len(o.wrong) > 0:
			t.Errorf("%s: %v", how, o.wrong)
		case o.refused != nil, o.lost == 0:
		case strings.HasPrefix(how, "bit"):
			t.Errorf("%s: %d entries are gone, and nobody noticed", how, o.lost)
		case left >= guarded:
			unnoticed++
		case !o.behind:
			t.Errorf("%s: %d entries are left, the guard says %d, and nobody noticed", how, left, guarded)
		}
	}
	if unnoticed == 0 {
		t.Error("nothing went unnoticed: the guard's comment, and doc.go, say too little")
	}
}

// The key files are refused, damaged in whatever way, or do not mind.
func TestDamagedKeyFiles(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	dir := t.TempDir()
	cfg := Config{Dir: dir, Origin: origin, MinFreeDisk: 1}
	l := open(t, cfg)
	add(t, l, "", "x")
	vkey := l.VerifierKey()
	must(t, l.Close())
	secretAt := len("PRIVATE+KEY+" + origin + "+00000000+")
	for _, name := range []string{KeyFile, PubFile} {
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
		must(t, err)
		for how, damaged := range damages(data, len(data), rng) {
			must(t, os.WriteFile(path, damaged, 0o600))
			l, err := Open(cfg)
			switch {
			case err == nil && l.VerifierKey() != vkey:
				t.Errorf("%s, %s: it is opened with another key", name, how)
			case err == nil && strings.TrimSpace(string(damaged)) != strings.TrimSpace(string(data)):
				t.Errorf("%s, %s: it is opened", name, how)
			case err != nil && (!strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "\n")):
				t.Errorf("%s, %s: Open() = %v, want the file named", name, how, err)
			case err != nil && name == KeyFile && tells(err.Error(), damaged[min(secretAt, len(damaged)):]):
				t.Errorf("%s, %s: the error gives the key away", name, how)
			}
			if err == nil {
				must(t, l.Close())
			}
		}
		must(t, os.WriteFile(path, data, 0o600))
	}
}

// tells is whether text holds any piece of secret that is too long to be there by
// chance, as two characters may be in a path.
func tells(text string, secret []byte) bool {
	const piece = 8
	for i := 0; i+piece <= len(secret); i++ {
		if strings.Contains(text, string(secret[i:i+piece])) {
			return true
		}
	}
	return false
}
