package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A tool is somebody else's code that judges a log. remembered are checkpoints
// that were seen of it before.
type tool struct {
	name  string
	check func(ctx context.Context, s *served, remembered [][]byte) error
	reads string // which resources it reads: of "checkpoint", "tile" and "entries"
}

const (
	checkpoints = "checkpoint"
	tiles       = "tile"
	entries     = "entries"
)

var tools = []tool{
	{"tessera fsck", checkFsck, checkpoints + tiles + entries},
	{"tessera client: entries and proofs", checkClient, checkpoints + tiles + entries},
	{"tessera client: log state tracker", checkTracker, checkpoints + tiles},
	{"x/mod sumdb: note and tlog", checkTlog, checkpoints + tiles + entries},
	{"merkle: compact ranges over the entries", checkCompact, checkpoints + entries},
}

// leafHashes hashes the entries of a bundle as the default of Tessera's logs are.
func leafHashes(bundle []byte) ([][]byte, error) {
	var b api.EntryBundle
	if err := b.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	hashes := make([][]byte, len(b.Entries))
	for i, e := range b.Entries {
		hashes[i] = rfc6962.DefaultHasher.HashLeaf(e)
	}
	return hashes, nil
}

func (s *served) checkpoint(ctx context.Context) (*log.Checkpoint, []byte, error) {
	c, raw, _, err := client.FetchCheckpoint(ctx, s.ReadCheckpoint, s.verifier, s.verifier.Name())
	return c, raw, err
}

// checkFsck re-derives every tile and the root from the entries. One that ends
// early on a bad tile leaves the others unread and waits for room for good, so
// it is given room for all that a small log has.
func checkFsck(ctx context.Context, s *served, _ [][]byte) error {
	return fsck.New(s.verifier.Name(), s.verifier, s, leafHashes, fsck.Opts{N: 16}).Check(ctx)
}

// places are the indexes worth looking at in a log of size entries: ends, and
// both sides of where tiles and subtrees meet.
func places(size uint64) (list []uint64) {
	for _, at := range []uint64{0, 1, 127, 128, 254, 255, 256, 257, 511, 512, 65_534, 65_535, 65_536, size / 2, size - 2, size - 1} {
		if at < size { // size-2 of a log of one is beyond it too
			list = append(list, at)
		}
	}
	return list
}

// checkClient reads entries through Tessera's client, has it build their proofs,
// and verifies these against the signed root; then that what was remembered is
// the beginning of the log.
func checkClient(ctx context.Context, s *served, remembered [][]byte) error {
	c, _, err := s.checkpoint(ctx)
	if err != nil {
		return err
	}
	if c.Size == 0 {
		return nil
	}
	builder, err := client.NewProofBuilder(ctx, c.Size, s.ReadTile)
	if err != nil {
		return err
	}
	for _, index := range places(c.Size) {
		bundle, err := client.GetEntryBundle(ctx, s.ReadEntryBundle, index/256, c.Size)
		if err != nil {
			return err
		}
		if int(index%256) >= len(bundle.Entries) {
			return fmt.Errorf("entry %d is not in its bundle of %d", index, len(bundle.Entries))
		}
		path, err := builder.InclusionProof(ctx, index)
		if err != nil {
			return err
		}
		leaf := rfc6962.DefaultHasher.HashLeaf(bundle.Entries[index%256])
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, index, c.Size, leaf, path, c.Hash); err != nil {
			return fmt.Errorf("entry %d: %w", index, err)
		}
	}
	for _, raw := range remembered {
		old, _, _, err := log.ParseCheckpoint(raw, s.verifier.Name(), s.verifier)
		if err != nil {
			return err
		}
		if old.Size == 0 || old.Size > c.Size {
			continue
		}
		path, err := builder.ConsistencyProof(ctx, old.Size, c.Size)
		if err != nil {
			return err
		}
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, old.Size, c.Size, path, old.Hash, c.Hash); err != nil {
			return fmt.Errorf("from %d entries: %w", old.Size, err)
		}
	}
	return nil
}

// checkTracker lets Tessera's tracker go from the first checkpoint remembered to
// the one served, and says how far it got.
func checkTracker(ctx context.Context, s *served, remembered [][]byte) error {
	var first []byte
	for _, raw := range remembered {
		if c, _, _, err := log.ParseCheckpoint(raw, s.verifier.Name(), s.verifier); err != nil {
			return err
		} else if c.Size > 0 {
			first = raw
			break
		}
	}
	tracker, err := client.NewLogStateTracker(ctx, s.ReadTile, first, s.verifier, s.verifier.Name(), client.UnilateralConsensus(s.ReadCheckpoint))
	if err != nil {
		return err
	}
	if _, _, _, err := tracker.Update(ctx); err != nil {
		return err
	}
	now, _, err := s.checkpoint(ctx)
	if err != nil {
		return err
	}
	if got := tracker.Latest(); got.Size != now.Size || !bytes.Equal(got.Hash, now.Hash) {
		return fmt.Errorf("the tracker is at %d entries, the log at %d", got.Size, now.Size)
	}
	return nil
}

// tlogTiles reads tiles for the code behind the Go checksum database, whose own
// paths have the tile's height in them.
type tlogTiles struct {
	ctx context.Context
	s   *served
}

func (tlogTiles) Height() int { return 8 }

func (r tlogTiles) ReadTiles(want []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(want))
	for i, t := range want {
		path := t.Path()
		var err error
		if data[i], err = r.s.get(r.ctx, "tile/"+path[len("tile/8/"):]); err != nil {
			return nil, err
		}
	}
	return data, nil
}

func (tlogTiles) SaveTiles([]tlog.Tile, [][]byte) {}

// checkTlog is what the go command does with the checksum database: open the
// note, read hashes through tiles checked against its root, and prove records
// and trees with them.
func checkTlog(ctx context.Context, s *served, remembered [][]byte) error {
	raw, err := s.get(ctx, "checkpoint")
	if err != nil {
		return err
	}
	tree, err := parseTree(raw, s.verifier)
	if err != nil || tree.N == 0 {
		return err
	}
	reader := tlog.TileHashReader(tree, tlogTiles{ctx, s})
	if root, err := tlog.TreeHash(tree.N, reader); err != nil || root != tree.Hash {
		return fmt.Errorf("root %v, signed is %v: %w", root, tree.Hash, err)
	}
	for _, index := range places(uint64(tree.N)) {
		bundle, err := client.GetEntryBundle(ctx, s.ReadEntryBundle, index/256, uint64(tree.N))
		if err != nil {
			return err
		}
		if int(index%256) >= len(bundle.Entries) {
			return fmt.Errorf("entry %d is not in its bundle of %d", index, len(bundle.Entries))
		}
		path, err := tlog.ProveRecord(tree.N, int64(index), reader)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(path, tree.N, tree.Hash, int64(index), tlog.RecordHash(bundle.Entries[index%256])); err != nil {
			return fmt.Errorf("entry %d: %w", index, err)
		}
	}
	for _, raw := range remembered {
		old, err := parseTree(raw, s.verifier)
		if err != nil {
			return err
		}
		if old.N == 0 || old.N > tree.N {
			continue
		}
		path, err := tlog.ProveTree(tree.N, old.N, reader)
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(path, tree.N, tree.Hash, old.N, old.Hash); err != nil {
			return fmt.Errorf("from %d entries: %w", old.N, err)
		}
	}
	return nil
}

// parseTree opens a checkpoint with x/mod's note. Its text is not of the form
// that tlog.ParseTree takes, which wants the origin of the checksum database, so
// the two lines are read by formats.
func parseTree(raw []byte, v note.Verifier) (tlog.Tree, error) {
	n, err := note.Open(raw, note.VerifierList(v))
	if err != nil {
		return tlog.Tree{}, err
	}
	var c log.Checkpoint
	rest, err := c.Unmarshal([]byte(n.Text))
	switch {
	case err != nil:
		return tlog.Tree{}, err
	case len(rest) > 0 || len(c.Hash) != tlog.HashSize:
		return tlog.Tree{}, errors.New("the checkpoint has more than three lines, or another hash")
	}
	return tlog.Tree{N: int64(c.Size), Hash: tlog.Hash(c.Hash)}, nil
}

// checkCompact rebuilds the root from the entries alone.
func checkCompact(ctx context.Context, s *served, _ [][]byte) error {
	c, _, err := s.checkpoint(ctx)
	if err != nil {
		return err
	}
	ranges := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	tree := ranges.NewEmptyRange(0)
	for tree.End() < c.Size {
		bundle, err := client.GetEntryBundle(ctx, s.ReadEntryBundle, tree.End()/256, c.Size)
		if err != nil {
			return err
		}
		if len(bundle.Entries) == 0 {
			return fmt.Errorf("no entry %d", tree.End())
		}
		for _, e := range bundle.Entries {
			if err := tree.Append(rfc6962.DefaultHasher.HashLeaf(e), nil); err != nil {
				return err
			}
		}
	}
	root := rfc6962.DefaultHasher.EmptyRoot()
	if c.Size > 0 {
		if root, err = tree.GetRootHash(nil); err != nil {
			return err
		}
	}
	if tree.End() != c.Size || !bytes.Equal(root, c.Hash) {
		return fmt.Errorf("%d entries give the root %x, signed are %d and %x", tree.End(), root, c.Size, c.Hash)
	}
	return nil
}
