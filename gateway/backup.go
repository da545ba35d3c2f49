package gateway

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/kaizen-os/deliberation/store"
	"github.com/kaizen-os/deliberation/store/ledger"
)

// A backup is a tar stream, or the same files in a folder: ledger/… and vault/…,
// each a Pebble database; ledger.pub; and last, so that a stream that was cut is
// told, backup.json. There is no key in it, and no rollback guard.
const (
	BackupFormat   = 1
	BackupManifest = "backup.json"
	// VaultDir is the vault's folder in the data folder and in a backup; the
	// ledger's is ledger.StoreDir.
	VaultDir = "vault"
)

// A Backup is what backup.json says: what the files are that it comes with.
type Backup struct {
	Format  int          `json:"format"`
	Created string       `json:"created"` // RFC 3339, UTC
	Origin  string       `json:"origin"`  // the ledger's
	Size    uint64       `json:"size"`    // its entries
	Root    string       `json:"root"`    // of their tree, base64
	Files   []BackupFile `json:"files"`   // in the order of the stream
}

// A BackupFile is one of them. Names have slashes.
type BackupFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // hex
}

// ErrBackup is a backup that is not whole, or none.
var ErrBackup = errors.New("not a good backup")

// ParseBackup reads a backup.json. What it accepts names each file once, all of
// them where a backup has files. The error is ErrBackup.
func ParseBackup(text []byte) (*Backup, error) {
	b := new(Backup)
	if err := json.Unmarshal(text, b, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrBackup, BackupManifest, err)
	}
	if b.Format != BackupFormat {
		return nil, fmt.Errorf("%w: %s is of format %d, this program reads format %d", ErrBackup, BackupManifest, b.Format, BackupFormat)
	}
	seen := make(map[string]bool, len(b.Files))
	for _, f := range b.Files {
		sum, err := hex.DecodeString(f.SHA256)
		switch {
		case !BackupName(f.Name):
			return nil, fmt.Errorf("%w: %s names %q, which no backup has", ErrBackup, BackupManifest, f.Name)
		case seen[f.Name]:
			return nil, fmt.Errorf("%w: %s names %s twice", ErrBackup, BackupManifest, f.Name)
		case err != nil || len(sum) != sha256.Size || f.Size < 0:
			return nil, fmt.Errorf("%w: %s has no size or SHA-256 of %s", ErrBackup, BackupManifest, f.Name)
		}
		seen[f.Name] = true
	}
	if !seen[ledger.PubFile] {
		return nil, fmt.Errorf("%w: %s does not name %s", ErrBackup, BackupManifest, ledger.PubFile)
	}
	return b, nil
}

// BackupName reports whether name is one that a file of a backup, other than its
// backup.json, can have: none leads out of its folder.
func BackupName(name string) bool {
	if name == ledger.PubFile {
		return true
	}
	dir, file := path.Split(name)
	if dir != ledger.StoreDir+"/" && dir != VaultDir+"/" || file == "" || file[0] == '.' || len(file) > 128 {
		return false
	}
	return strings.IndexFunc(file, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_')
	}) < 0
}

// WriteBackup writes what is below dir, two stores and ledger.pub, as a backup
// to w. It holds the stores open meanwhile, read only: nothing else may have
// them. Errors: store.ErrLocked, store.ErrCorrupt, fs.ErrNotExist, w's.
func WriteBackup(w io.Writer, dir string, created time.Time) (err error) {
	verifier, err := ledger.ReadVerifier(dir, nil)
	if err != nil {
		return err
	}
	manifest := &Backup{Format: BackupFormat, Created: created.UTC().Format(time.RFC3339), Origin: verifier.Name()}
	for _, sub := range []string{ledger.StoreDir, VaultDir} {
		db, err := store.Open(filepath.Join(dir, sub), store.Options{ReadOnly: true})
		if err != nil {
			return err
		}
		defer db.Close()
		if sub != ledger.StoreDir {
			continue
		}
		signed, closer, err := db.Get(store.AppendCheckpointKey(nil))
		if err != nil {
			return fmt.Errorf("%w: the ledger has no checkpoint: %w", store.ErrCorrupt, err)
		}
		defer closer.Close()
		head, err := ledger.ParseCheckpoint(signed, verifier)
		if err != nil {
			return err
		}
		manifest.Size, manifest.Root = head.Size, base64.StdEncoding.EncodeToString(head.Root[:])
	}
	out := &tarball{w: tar.NewWriter(w), at: created, manifest: manifest}
	for _, sub := range []string{ledger.StoreDir, VaultDir} {
		if err := out.folder(dir, sub); err != nil {
			return err
		}
	}
	if err := out.file(dir, ledger.PubFile); err != nil {
		return err
	}
	text, err := json.Marshal(manifest)
	if err != nil {
		return err
	}
	if err := out.entry(BackupManifest, int64(len(text))); err != nil {
		return err
	}
	if _, err := out.w.Write(text); err != nil {
		return err
	}
	return out.w.Close()
}

// A tarball writes files and notes them in the manifest.
type tarball struct {
	w        *tar.Writer
	at       time.Time
	manifest *Backup
}

func (t *tarball) entry(name string, size int64) error {
	return t.w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: t.at})
}

func (t *tarball) file(dir, name string) error {
	f, err := os.Open(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := t.entry(name, info.Size()); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(t.w, sum), f, info.Size()); err != nil {
		return fmt.Errorf("copy %s: %w", name, err)
	}
	t.manifest.Files = append(t.manifest.Files, BackupFile{name, info.Size(), hex.EncodeToString(sum.Sum(nil))})
	return nil
}

func (t *tarball) folder(dir, sub string) error {
	list, err := os.ReadDir(filepath.Join(dir, sub))
	if err != nil {
		return err
	}
	for _, entry := range list {
		if entry.Name() == lockFile {
			continue
		}
		name := sub + "/" + entry.Name()
		if !entry.Type().IsRegular() || !BackupName(name) {
			return fmt.Errorf("%s in %s is no file of a store", name, dir)
		}
		if err := t.file(dir, name); err != nil {
			return err
		}
	}
	return nil
}

// lockFile is in every store that was opened, and is empty.
const lockFile = "LOCK"

// backups lets one be made at a time.
type backups struct {
	dir  string     // where a copy lies while it is sent; "" makes none
	turn sync.Mutex // held while one is made, and for good by Shutdown
}

// backupPause is how long a client may take to accept a part of a backup. Its
// copy keeps files on the disk that the stores have done with.
const backupPause = time.Minute

// getBackup serves GET /backup on the admin listener, to the steward's key only:
// a copy of both stores as of now, as a tar stream. The gateway serves on
// meanwhile; what is being recorded waits for the milliseconds that a copy takes.
// An erasure in the meantime does not reach the copy: it is a backup from before.
func (g *Gateway) getBackup(w http.ResponseWriter, r *http.Request) {
	b := &g.backups
	switch {
	case !g.hasStewardKey(r):
		http.Error(w, "a backup needs the steward's key: send it as Authorization: Bearer KEY", http.StatusForbidden)
		return
	case b.dir == "":
		http.NotFound(w, r)
		return
	case !b.turn.TryLock():
		http.Error(w, "a backup is being made, or the gateway ends; try again later", http.StatusConflict)
		return
	}
	defer b.turn.Unlock()
	defer func() {
		if err := os.RemoveAll(b.dir); err != nil {
			g.log.Error("the copy of a backup is not removed", "folder", b.dir, "error", err)
		}
	}()
	began := time.Now()
	if err := g.copyStores(); err != nil {
		g.log.Error("backup failed", "error", err)
		http.Error(w, "the stores could not be copied; the gateway's log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-tar")
	w.Header().Set("Connection", "close") // its deadlines are the backup's
	out := &backupWriter{w: w, conn: http.NewResponseController(w), stop: g.stop}
	sent := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() { // a Write that is under way when the gateway ends is not waited for
		select {
		case <-g.stop:
			out.conn.SetWriteDeadline(time.Unix(1, 0))
		case <-sent:
		}
	})
	err := WriteBackup(out, b.dir, began)
	close(sent)
	watch.Wait()
	if err != nil {
		g.log.Warn("backup was cut short", "bytes", out.bytes, "error", err)
		panic(http.ErrAbortHandler) // so that the client sees that it was
	}
	g.log.Info("backup made", "bytes", out.bytes, "seconds", time.Since(began).Seconds())
}

// copyStores copies both stores into the backups' folder. The ledger goes first:
// every proof in the copy whose texts were kept then has them there. A text whose
// proof is not there is an orphan, as after a crash.
func (g *Gateway) copyStores() error {
	dir := g.backups.dir
	err := os.RemoveAll(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = g.ledger.Backup(filepath.Join(dir, ledger.StoreDir))
	}
	if err == nil {
		err = g.vault.Backup(filepath.Join(dir, VaultDir))
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, ledger.PubFile), []byte(g.ledger.VerifierKey()+"\n"), 0o600)
	}
	return err
}

// A backupWriter gives each part of a backup its time, and none when the gateway
// ends.
type backupWriter struct {
	w     io.Writer
	conn  *http.ResponseController
	stop  <-chan struct{}
	bytes int64
}

func (b *backupWriter) Write(p []byte) (int, error) {
	if err := b.conn.SetWriteDeadline(time.Now().Add(backupPause)); err != nil {
		return 0, err
	}
	select {
	case <-b.stop:
		return 0, errors.New("the gateway ends")
	default:
	}
	n, err := b.w.Write(p)
	b.bytes += int64(n)
	return n, err
}
