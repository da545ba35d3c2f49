package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kaizen-os/deliberation/gateway"
	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/store/ledger"
)

// withAdmin is anyPort with an admin listener.
const withAdmin = "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\n"

func adminURL(s *server) string {
	return s.says(&s.out, regexp.MustCompile(`metrics and profiles: (http://[^)\s]+)`))[1]
}

// nobody is a URL where nobody listens.
func nobody(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return "http://" + ln.Addr().String()
}

// steady is a configuration whose companions are the same at each start.
func steady(t *testing.T) string {
	t.Helper()
	_, companions := startSim(t, instant(4)...)
	config := withAdmin + "companions:\n"
	for _, e := range companions {
		config += companionLine(e, "kaizen", "")
	}
	return config
}

// bring copies files from one data folder to another.
func bring(t *testing.T, from, to string, names ...string) {
	t.Helper()
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		putFile(t, filepath.Join(to, name), string(text))
	}
}

func restored(t *testing.T, from, data string) (out string) {
	t.Helper()
	out, errOut, code := runProgram(t, "", nil, "restore", from, data)
	if code != 0 || errOut != "" {
		t.Fatalf("kaizen restore: exit code %d, %s%s", code, out, errOut)
	}
	return out
}

func backedUp(t *testing.T, s *server, dir string) {
	t.Helper()
	out, errOut, code := runProgram(t, "", nil, "backup", dir, "--url", adminURL(s), "--data", s.data())
	if code != 0 || errOut != "" || !strings.Contains(out, "no key is in it") {
		t.Fatalf("kaizen backup: exit code %d, %s%s", code, out, errOut)
	}
}

// readBack wants v to be read as it was answered, with its text.
func readBack(t *testing.T, s *server, v *wire.Deliberation) {
	t.Helper()
	var again wire.Deliberation
	if err := again.Decode(s.get("/v1/deliberations/"+v.ID, "", http.StatusOK)); err != nil || again.Proof != v.Proof || again.Answer != v.Answer || again.Answer == "" {
		t.Errorf("%s is read back as %+v %q, %v, want %+v %q", v.ID, again.Proof, again.Answer, err, v.Proof, v.Answer)
	}
}

// A backup of a gateway under load, restored elsewhere with the keys, is a
// gateway that has all that was answered before it, and goes on.
func TestBackupUnderLoadAndRestore(t *testing.T) {
	config := steady(t)
	s := startServer(t, t.TempDir(), config)
	var before []*wire.Deliberation
	for range 20 {
		before = append(before, s.mustAsk("", anyRequest))
	}
	ctx, end := context.WithCancel(t.Context())
	var load sync.WaitGroup
	for range 4 {
		load.Go(func() {
			for ctx.Err() == nil {
				if _, err := s.ask(ctx, "", anyRequest); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
	}
	kept := filepath.Join(t.TempDir(), "kept")
	backedUp(t, s, kept)
	end()
	load.Wait()
	s.stop()
	if out, _ := filepath.Glob(filepath.Join(s.data(), "backup*")); len(out) > 0 {
		t.Errorf("left in the data folder: %v", out)
	}
	for _, key := range []string{ledger.KeyFile, "vault.key", "steward.key"} {
		secret, err := os.ReadFile(filepath.Join(s.data(), key))
		if err != nil {
			t.Fatal(err)
		}
		err = filepath.WalkDir(kept, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			if bytes.Contains(text, bytes.TrimSpace(secret)) {
				t.Errorf("%s is in %s", key, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}

	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	out := restored(t, kept, data)
	for _, want := range []string{"verified", filepath.Join(data, ledger.KeyFile), filepath.Join(data, "vault.key")} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q: %s", want, out)
		}
	}
	bring(t, s.data(), data, ledger.KeyFile, "vault.key")
	again := startServer(t, dir, config)
	for _, v := range before {
		readBack(t, again, v)
	}
	v := again.mustAsk("", anyRequest)
	if v.Proof.Index < before[len(before)-1].Proof.Index {
		t.Errorf("it goes on at %d", v.Proof.Index)
	}
	again.stop()
	checkLedger(t, again, append(before, v))
}

// The same of a data folder that nobody has open; one that somebody has open is
// not copied behind its back.
func TestBackupOfAStoppedGateway(t *testing.T) {
	config := steady(t)
	s := startServer(t, t.TempDir(), config)
	v := s.mustAsk("", anyRequest)
	kept := filepath.Join(t.TempDir(), "kept")
	out, errOut, code := runProgram(t, "", nil, "backup", kept, "--url", nobody(t), "--data", s.data())
	if code != exitFailed || out != "" || !strings.Contains(errOut, "--url") || !strings.Contains(errOut, "has "+s.data()+" open") {
		t.Errorf("of a folder in use: exit code %d, %s%s", code, out, errOut)
	}
	kill(t, s.program)
	if out, errOut, code = runProgram(t, "", nil, "backup", kept, "--url", nobody(t), "--data", s.data()); code != 0 || !strings.Contains(errOut, "copying") {
		t.Fatalf("of one that was killed: exit code %d, %s%s", code, out, errOut)
	}
	dir := t.TempDir()
	restored(t, kept, filepath.Join(dir, "data"))
	bring(t, s.data(), filepath.Join(dir, "data"), ledger.KeyFile, "vault.key")
	again := startServer(t, dir, config)
	readBack(t, again, v)
	again.stop()
}

// A backup from before the last signatures, beside the guard that knows of them:
// reads are served, nothing is signed, and the way out is said.
func TestAnOldBackupBesideANewerGuard(t *testing.T) {
	config := steady(t)
	s := startServer(t, t.TempDir(), config)
	v := s.mustAsk("", anyRequest)
	kept := filepath.Join(t.TempDir(), "kept")
	backedUp(t, s, kept)
	for range 5 {
		s.mustAsk("", anyRequest)
	}
	s.stop()

	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	bring(t, s.data(), data, ledger.KeyFile, "vault.key", ledger.GuardFile)
	out := restored(t, kept, data)
	for _, want := range []string{"warning", "serve reads and refuse to sign", "Removing", ledger.GuardFile} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q: %s", want, out)
		}
	}
	again := startServer(t, dir, config)
	readBack(t, again, v)
	status, answer, err := again.do(t.Context(), http.MethodPost, "/v1/deliberate", "", anyRequest)
	if e, derr := wire.DecodeError(answer); err != nil || derr != nil || status != http.StatusServiceUnavailable || e.Code != wire.LedgerUnavailable {
		t.Errorf("a deliberation: %d %s, %v", status, answer, err)
	}
	if status, answer, err := again.do(t.Context(), http.MethodDelete, "/v1/deliberations/"+v.ID+"/text", "", ""); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("an erasure: %d %s, %v", status, answer, err)
	}
	for _, want := range []string{"ledger is read-only", "Removing", "restore a copy"} {
		again.says(&again.errOut, regexp.MustCompile(want)) // in the log
	}
	again.stop()
}

// madeBackup is a small backup, and the folder of the gateway it is of.
func madeBackup(t *testing.T) (kept string, s *server) {
	t.Helper()
	s = startServer(t, t.TempDir(), anyPort)
	s.mustAsk("", anyRequest)
	s.stop()
	kept = filepath.Join(t.TempDir(), "kept")
	if _, errOut, code := runProgram(t, "", nil, "backup", kept, "--url", nobody(t), "--data", s.data()); code != 0 {
		t.Fatal(errOut)
	}
	return kept, s
}

func TestRestoreRefuses(t *testing.T) {
	good, s := madeBackup(t)
	manifest := func(change func(b *gateway.Backup)) func(t *testing.T, kept, data string) {
		return func(t *testing.T, kept, _ string) {
			path := filepath.Join(kept, gateway.BackupManifest)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b, err := gateway.ParseBackup(text)
			if err != nil {
				t.Fatal(err)
			}
			change(b)
			if text, err = json.Marshal(b); err != nil {
				t.Fatal(err)
			}
			putFile(t, path, string(text))
		}
	}
	for _, tt := range []struct {
		name  string
		spoil func(t *testing.T, kept, data string)
		want  []string
	}{
		{"a flipped byte in the ledger", func(t *testing.T, kept, _ string) { flipByte(t, oneFile(t, kept, "ledger", "*.log"), 0.01) }, []string{"ledger/", ".log was changed"}},
		{"a flipped byte in the vault", func(t *testing.T, kept, _ string) { flipByte(t, oneFile(t, kept, "vault", "*.log"), 0.9) }, []string{"vault/", ".log was changed"}},
		{"a missing file", func(t *testing.T, kept, _ string) { remove(t, oneFile(t, kept, "vault", "MANIFEST-*")) }, []string{"vault/MANIFEST-", "is missing"}},
		{"a file cut short", func(t *testing.T, kept, _ string) {
			if err := os.Truncate(oneFile(t, kept, "ledger", "MANIFEST-*"), 20); err != nil {
				t.Fatal(err)
			}
		}, []string{"ledger/MANIFEST-", "has 20 bytes"}},
		{"a file more", func(t *testing.T, kept, _ string) { putFile(t, filepath.Join(kept, "vault", "000999.sst"), "x") }, []string{"vault/000999.sst"}},
		{"a key among the files", func(t *testing.T, kept, _ string) { putFile(t, filepath.Join(kept, "vault.key"), "x") }, []string{"vault.key"}},
		{"a link for a file", func(t *testing.T, kept, _ string) {
			name := oneFile(t, kept, "ledger", "*.log")
			remove(t, name)
			if err := os.Symlink(filepath.Join(s.data(), "steward.key"), name); err != nil {
				t.Fatal(err)
			}
		}, []string{"ledger/", "is nothing that a backup has"}},
		{"no manifest", func(t *testing.T, kept, _ string) { remove(t, filepath.Join(kept, gateway.BackupManifest)) }, []string{"is no backup", gateway.BackupManifest}},
		{"a manifest that leads out", manifest(func(b *gateway.Backup) { b.Files[0].Name = "ledger/../../x" }), []string{`"ledger/../../x"`}},
		{"a manifest of another size", manifest(func(b *gateway.Backup) { b.Size++ }), []string{gateway.BackupManifest, "says otherwise"}},
		{"a manifest of a later format", manifest(func(b *gateway.Backup) { b.Format++ }), []string{"format 2", "format 1"}},
		{"a data folder in use", func(t *testing.T, _, data string) {
			if err := os.MkdirAll(filepath.Join(data, "ledger"), 0o700); err != nil {
				t.Fatal(err)
			}
		}, []string{"is there already", "another folder"}},
		{"a data folder with half of it", func(t *testing.T, _, data string) {
			if err := os.MkdirAll(filepath.Join(data, "vault"), 0o700); err != nil {
				t.Fatal(err)
			}
		}, []string{"vault is there already", "another folder"}},
		{"a data folder of another ledger", func(t *testing.T, _, data string) {
			if err := os.MkdirAll(data, 0o700); err != nil {
				t.Fatal(err)
			}
			putFile(t, filepath.Join(data, ledger.PubFile), "another")
		}, []string{ledger.PubFile, "of another ledger"}},
		{"the guard of another ledger", func(t *testing.T, _, data string) {
			if err := os.MkdirAll(data, 0o700); err != nil {
				t.Fatal(err)
			}
			putFile(t, filepath.Join(data, ledger.GuardFile), "another")
		}, []string{ledger.GuardFile, "of another ledger"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			kept, data := filepath.Join(dir, "kept"), filepath.Join(dir, "data")
			if err := os.CopyFS(kept, os.DirFS(good)); err != nil {
				t.Fatal(err)
			}
			tt.spoil(t, kept, data)
			var out bytes.Buffer
			err := restore(&out, kept, data, nil)
			if err == nil || out.Len() > 0 || strings.Contains(err.Error(), "\n") {
				t.Fatalf("restore() = %v, %s", err, &out)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			for _, path := range []string{stageDir, "ledger/MANIFEST-000001", "vault/MANIFEST-000001"} {
				if _, err := os.Lstat(filepath.Join(data, path)); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s is left: %v", path, err)
				}
			}
		})
	}
	if _, errOut, code := runProgram(t, "", nil, "restore", good, t.TempDir(), "--key", "x+y"); code != exitUsage {
		t.Errorf("a key that is none: exit code %d, %s", code, errOut)
	}
	if _, _, code := runProgram(t, "", nil, "restore", good); code != exitUsage {
		t.Errorf("without a data folder: exit code %d", code)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// tarOf is a stream of those entries: name, content, name, content.
func tarOf(t *testing.T, entries ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(entries); i += 2 {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: entries[i], Size: int64(len(entries[i+1])), Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, entries[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A gateway's stream that is not whole, or not a backup, leaves no folder.
func TestBackupRefusesAStream(t *testing.T) {
	kept, s := madeBackup(t)
	var whole bytes.Buffer
	if err := gateway.WriteBackup(&whole, s.data(), time.Now()); err != nil {
		t.Fatal(err)
	}
	manifest, err := os.ReadFile(filepath.Join(kept, gateway.BackupManifest))
	if err != nil {
		t.Fatal(err)
	}
	link := func() []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		if err := errors.Join(w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "ledger/x", Linkname: "/etc/passwd"}), w.Close()); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	flipped := bytes.Clone(whole.Bytes())
	flipped[512+100] ^= 1 // in the first file
	for _, tt := range []struct {
		name   string
		stream []byte
		want   []string
	}{
		{"nothing", nil, []string{"cut short", gateway.BackupManifest}},
		{"cut in a file", whole.Bytes()[:700], []string{"cut short at ledger/"}},
		{"cut between files", whole.Bytes()[:bytes.Index(whole.Bytes(), []byte("vault/"))], []string{"cut short"}},
		{"cut before its end", whole.Bytes()[:whole.Len()-1024], nil}, // the manifest is there and right: it is whole
		{"a flipped byte", flipped, []string{"ledger/", "was changed"}},
		{"a name that leads out", tarOf(t, "ledger/../../x", "y"), []string{`"ledger/../../x"`}},
		{"an absolute name", tarOf(t, "/etc/x", "y"), []string{`"/etc/x"`}},
		{"a link", link(), []string{`"ledger/x"`, "no plain file"}},
		{"a file twice", tarOf(t, "ledger/x", "y", "ledger/x", "y"), []string{"ledger/x comes twice"}},
		{"a file more", tarOf(t, "vault/x", "y", gateway.BackupManifest, string(manifest)), []string{"vault/x is not in its"}},
		{"a file less", tarOf(t, gateway.BackupManifest, string(manifest)), []string{"ledger/", "is missing"}},
		{"a manifest that is none", tarOf(t, gateway.BackupManifest, "{}"), []string{gateway.BackupManifest}},
		{"something after the manifest", append(whole.Bytes()[:whole.Len()-1024:whole.Len()-1024], tarOf(t, "vault/x", "y")...), []string{`"vault/x" comes after`}},
		{"no tar", []byte(strings.Repeat("no tar at all ", 100)), []string{"tar"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			admin := http.NewServeMux()
			admin.HandleFunc("GET /backup", func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/x-tar")
				w.Write(tt.stream)
			})
			dir := filepath.Join(t.TempDir(), "kept")
			_, err := backup(t.Context(), dir, &backupOptions{url: serveHTTP(t, admin), data: s.data()}, io.Discard)
			if len(tt.want) == 0 {
				if err != nil {
					t.Errorf("backup() = %v", err)
				}
				return
			}
			if err == nil || strings.Contains(err.Error(), "\n") {
				t.Fatalf("backup() = %v", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if list, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(list) > 0 {
				t.Errorf("it leaves %v, %v", list, err)
			}
		})
	}
}

func serveHTTP(t *testing.T, h http.Handler) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.Serve(ln)
	}()
	t.Cleanup(func() {
		srv.Close()
		<-done
	})
	return "http://" + ln.Addr().String()
}

func TestBackupRefusesAFolder(t *testing.T) {
	s := startServer(t, t.TempDir(), withAdmin)
	url := adminURL(s)
	dir := t.TempDir()
	full, part, empty := filepath.Join(dir, "full"), filepath.Join(dir, "part"), filepath.Join(dir, "empty")
	for _, path := range []string{full + "/x", part + partSuffix, empty} {
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	putFile(t, filepath.Join(dir, "wrong.key"), "kzs_wrong\n")
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"one that is full", []string{full}, exitFailed, "is not empty"},
		{"one with a part beside it", []string{part}, exitFailed, part + partSuffix},
		{"none", nil, exitUsage, "give one folder"},
		{"with another's key", []string{filepath.Join(dir, "a"), "--key", "file:" + filepath.Join(dir, "wrong.key")}, exitFailed, "steward's key"},
		{"without a key", []string{filepath.Join(dir, "a"), "--data", dir}, exitFailed, "--key"},
		{"from the gateway itself", []string{filepath.Join(dir, "a"), "--url", s.url}, exitFailed, "admin listener"},
		{"from nobody", []string{filepath.Join(dir, "a"), "--url", nobody(t), "--data", dir}, exitFailed, "--data"},
	} {
		args := append([]string{"backup", "--url", url, "--data", s.data()}, tt.args...)
		out, errOut, code := runProgram(t, "", nil, args...)
		if code != tt.code || out != "" || !strings.Contains(errOut, tt.want) || strings.Count(errOut, "\n") != 1 {
			t.Errorf("%s: exit code %d, %q, %q, want %q", tt.name, code, out, errOut, tt.want)
		}
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 4 {
		t.Errorf("left are %v, %v", list, err)
	}
	backedUp(t, s, empty)
	s.stop()
}
