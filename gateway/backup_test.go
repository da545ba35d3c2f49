package gateway

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/go-json-experiment/json"

	"github.com/kaizen-os/deliberation/quorum/commit"
	"github.com/kaizen-os/deliberation/store/ledger"
	"github.com/kaizen-os/deliberation/store/vault"
)

// onDisk is a rig whose stores are in an own folder, which is the process's, with
// an admin listener that serves backups.
func onDisk(t *testing.T) (*rig, *httptest.Server) {
	t.Helper()
	t.Chdir(t.TempDir())
	r := start(t, setup{panel: panelOf(t, says("42"), says("42")), ledgerFS: vfs.Default, vaultFS: vfs.Default})
	r.backups.dir = "backup.tmp"
	admin := httptest.NewServer(r.Admin(http.NotFoundHandler()))
	t.Cleanup(admin.Close)
	return r, admin
}

// asked is the answer to GET /backup with a key, unless it is "".
func asked(t *testing.T, admin *httptest.Server, key string) *http.Response {
	t.Helper()
	req := must(http.NewRequest(http.MethodGet, admin.URL+"/backup", nil))(t)
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp := must(admin.Client().Do(req))(t)
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func gone(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is there: %v", path, err)
	}
}

func TestABackupHoldsTheStoresAndNoKey(t *testing.T) {
	r, admin := onDisk(t)
	d := r.ask(guideRequest)
	resp := asked(t, admin, stewardKey)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/x-tar" {
		t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	sums := map[string]string{}
	var last string
	var manifest *Backup
	in := tar.NewReader(resp.Body)
	for {
		head, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data := must(io.ReadAll(in))(t)
		if bytes.Contains(data, []byte("PRIVATE+KEY")) || bytes.Contains(data, []byte(stewardKey)) {
			t.Errorf("a key is in %s", head.Name)
		}
		if last = head.Name; last == BackupManifest {
			manifest = must(ParseBackup(data))(t)
			continue
		}
		if !BackupName(head.Name) {
			t.Errorf("%s is in it", head.Name)
		}
		sum := sha256.Sum256(data)
		sums[head.Name] = hex.EncodeToString(sum[:])
	}
	if last != BackupManifest || manifest.Size != r.ledger.Size() || manifest.Origin != origin || d.Proof.Index >= manifest.Size {
		t.Fatalf("it ends with %s: %+v", last, manifest)
	}
	for _, f := range manifest.Files {
		if sums[f.Name] != f.SHA256 {
			t.Errorf("%s: SHA-256 %s, the manifest says %s", f.Name, sums[f.Name], f.SHA256)
		}
		delete(sums, f.Name)
	}
	if len(sums) > 0 {
		t.Errorf("not in the manifest: %v", sums)
	}
	gone(t, "backup.tmp")
}

func TestWhoGetsABackup(t *testing.T) {
	r, admin := onDisk(t)
	for _, key := range []string{"", "kzs_another", stewardKey + "x"} {
		if resp := asked(t, admin, key); resp.StatusCode != http.StatusForbidden {
			t.Errorf("with the key %q: %s", key, resp.Status)
		}
	}
	gone(t, "backup.tmp")
	r.backups.turn.Lock()
	if resp := asked(t, admin, stewardKey); resp.StatusCode != http.StatusConflict {
		t.Errorf("a second at once: %s", resp.Status)
	}
	r.backups.turn.Unlock()
	r.backups.dir = ""
	if resp := asked(t, admin, stewardKey); resp.StatusCode != http.StatusNotFound {
		t.Errorf("where none are made: %s", resp.Status)
	}
}

// A client that goes, or one that takes nothing while the gateway ends, leaves
// nothing on the disk, and holds nothing up.
func TestABackupThatIsNotTaken(t *testing.T) {
	r, admin := onDisk(t)
	noise := make([]byte, 32<<20) // more than the connection takes in
	chance := rand.NewChaCha8([32]byte{1})
	chance.Read(noise)
	w := must(r.vault.Put("dlb_big", &vault.Contents{Owner: "local", Seed: commit.Seed{1}, Fields: []vault.Field{{Name: "prompt", Data: noise}}}))(t)
	if err := w.Wait(); err != nil {
		t.Fatal(err)
	}
	first := asked(t, admin, stewardKey)
	if first.StatusCode != http.StatusOK {
		t.Fatal(first.Status)
	}
	first.Body.Close()
	second := asked(t, admin, stewardKey)
	again, late := time.NewTicker(10*time.Millisecond), time.After(patience)
	defer again.Stop()
	for second.StatusCode == http.StatusConflict { // until the first has noticed
		select {
		case <-again.C:
			second = asked(t, admin, stewardKey)
		case <-late:
			t.Fatal("the first does not notice that its client has gone")
		}
	}
	if second.StatusCode != http.StatusOK {
		t.Fatal(second.Status)
	}
	r.drain()
	gone(t, "backup.tmp")
	if n, err := io.Copy(io.Discard, second.Body); err == nil {
		t.Errorf("a backup that was cut ends well, after %d bytes", n)
	}
	if resp := asked(t, admin, stewardKey); resp.StatusCode == http.StatusOK {
		t.Error("a backup is begun after the end")
	}
}

func TestWhatAKilledProcessLeftOfABackupIsRemoved(t *testing.T) {
	dir := t.TempDir()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"))})
	left := dir + "/backup.tmp"
	if err := os.MkdirAll(left+"/vault", 0o700); err != nil {
		t.Fatal(err)
	}
	g := must(New(Config{Book: r.book, Ledger: r.ledger, Vault: r.vault, Fan: r.fan, Scorer: scorer(), BackupDir: left}))(t)
	gone(t, left)
	if err := g.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestBackupName(t *testing.T) {
	for name, want := range map[string]bool{
		"ledger/000123.sst": true, "vault/MANIFEST-000001": true, "ledger/marker.format-version.000007.020": true, ledger.PubFile: true,
		"": false, "ledger": false, "ledger/": false, "ledger/..": false, "ledger/../x": false, "../ledger/x": false, "/etc/passwd": false, "ledger//x": false,
		"ledger/x/y": false, "ledger.key": false, "vault.key": false, "steward.key": false, "ledger.guard": false, BackupManifest: false, `ledger\x`: false, `ledger/x\y`: false,
		"ledger/.x": false, "ledger/a b": false, "ledger/a\x00": false, "ledger/ä": false, "Ledger/x": false, "ledger/" + strings.Repeat("x", 129): false,
	} {
		if BackupName(name) != want {
			t.Errorf("BackupName(%q) = %v", name, !want)
		}
	}
}

func goodBackup() *Backup {
	sum := strings.Repeat("0a", 32)
	return &Backup{Format: BackupFormat, Created: "2026-01-02T03:04:05Z", Origin: origin, Size: 7, Root: "x",
		Files: []BackupFile{{"ledger/000001.log", 5, sum}, {"vault/000001.log", 0, sum}, {ledger.PubFile, 9, sum}}}
}

func TestParseBackupRefuses(t *testing.T) {
	for rule, spoil := range map[string]func(*Backup){
		"another format":         func(b *Backup) { b.Format = 2 },
		"a name that leads out":  func(b *Backup) { b.Files[0].Name = "ledger/../../x" },
		"an absolute name":       func(b *Backup) { b.Files[0].Name = "/x" },
		"a file named twice":     func(b *Backup) { b.Files[1] = b.Files[0] },
		"a hash that is none":    func(b *Backup) { b.Files[0].SHA256 = "0a" },
		"a negative size":        func(b *Backup) { b.Files[0].Size = -1 },
		"no public key":          func(b *Backup) { b.Files = slices.Delete(b.Files, 2, 3) },
		"a key that is no one's": func(b *Backup) { b.Files[0].Name = ledger.KeyFile },
	} {
		b := goodBackup()
		spoil(b)
		if _, err := ParseBackup(must(json.Marshal(b))(t)); !errors.Is(err, ErrBackup) {
			t.Errorf("%s: %v", rule, err)
		}
	}
	for _, text := range []string{"", "{}", "[]", `{"format":1,"x":1}`, string(must(json.Marshal(goodBackup()))(t)) + "x"} {
		if _, err := ParseBackup([]byte(text)); !errors.Is(err, ErrBackup) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzParseBackup(f *testing.F) {
	text, err := json.Marshal(goodBackup())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := ParseBackup(text)
		if err != nil {
			if !errors.Is(err, ErrBackup) {
				t.Errorf("%v is not ErrBackup", err)
			}
			return
		}
		for _, file := range b.Files {
			if !BackupName(file.Name) || !fs.ValidPath(file.Name) {
				t.Errorf("it names %q", file.Name)
			}
		}
		if _, err := ParseBackup(must(json.Marshal(b))(t)); err != nil {
			t.Errorf("it does not read back: %v", err)
		}
	})
}
