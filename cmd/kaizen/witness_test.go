package main

import (
	"bytes"
	"crypto/rand"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/kaizen-os/deliberation/store/ledger"
	"github.com/kaizen-os/deliberation/store/witness"
)

// A vouching is a "kaizen witness" that has said where it is.
type vouching struct {
	*program
	config string // for the gateway's configuration, as it prints it
	key    witness.Verifier
}

func startWitness(t *testing.T, args ...string) *vouching {
	t.Helper()
	w := &vouching{program: start(t, nil, append([]string{"witness", "--listen", "127.0.0.1:0"}, args...)...)}
	said := w.says(&w.out, regexp.MustCompile(`(?s)kaizen witness at (http://\S+)\n  key (\S+)\n.*?(ledger:\n.*?url: "(\S+)"}\n)`))
	if said[1] != said[4] || !strings.Contains(said[3], said[2]) {
		t.Errorf("it says\n%s", said[0])
	}
	var err error
	if w.key, err = witness.NewVerifier(said[2]); err != nil {
		t.Fatal(err)
	}
	w.config = said[3]
	return w
}

// cosigned waits until s publishes a checkpoint of at least size, and gives it and
// whether w has cosigned it. Every signature on it must be the ledger's or w's.
func (s *server) cosigned(w *vouching, size uint64, enough func(ledger.Checkpoint, bool) bool) (c ledger.Checkpoint, by bool) {
	s.t.Helper()
	verifier, err := ledger.ReadVerifier(s.data(), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); ; {
		text := s.get("/ledger/checkpoint", "", http.StatusOK)
		n, err := note.Open(text, note.VerifierList(verifier, w.key))
		if err != nil || len(n.UnverifiedSigs) > 0 {
			s.t.Fatalf("published is\n%s\n%v", text, err)
		}
		if c, err = ledger.ParseCheckpoint(text, verifier); err != nil {
			s.t.Fatal(err)
		}
		by = len(n.Sigs) == 2
		if c.Size >= size && enough(c, by) {
			return c, by
		}
		select {
		case <-tick.C:
		case <-late:
			s.t.Fatalf("no such checkpoint of size %d comes; the last was\n%s\nstderr:\n%s", size, text, &s.errOut)
		}
	}
}

// count reads a number of entries.
func count(t *testing.T, digits string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func cosignedByIt(_ ledger.Checkpoint, by bool) bool { return by }

// A gateway and its witness, as their operators meet them: the checkpoint that is
// served comes to carry the cosignature, so do receipts, over restarts of either; and
// a gateway on an older copy of its folder is told by the witness what it has lost.
func TestGatewayAndItsWitness(t *testing.T) {
	_, companions := startSim(t, instant(3)...)
	config := anyPort + "companions:\n"
	for _, e := range companions {
		config += companionLine(e, "kaizen", "")
	}
	dir, witnessDir := t.TempDir(), filepath.Join(t.TempDir(), "new", "witness")
	s := startServer(t, dir, config) // makes the ledger's key
	s.mustAsk("", anyRequest)
	s.stop()

	public := filepath.Join(s.data(), ledger.PubFile)
	vkey, err := os.ReadFile(public)
	if err != nil {
		t.Fatal(err)
	}
	w := startWitness(t, "--data", witnessDir, "--name", "witness.test/w1", "--log", public)
	if w.key.Name() != "witness.test/w1" {
		t.Errorf("it is called %s", w.key.Name())
	}
	config += w.config
	s = startServer(t, dir, config)
	first, _ := s.cosigned(w, 1, cosignedByIt) // of what was there before
	v := s.mustAsk("", anyRequest)
	s.cosigned(w, max(v.Proof.Index, first.Size)+1, cosignedByIt)
	receipt := string(s.get(v.Proof.Receipt, "", http.StatusOK))
	if !strings.Contains(receipt, "\n— witness.test/w1 ") {
		t.Errorf("the receipt is\n%s", receipt)
	}
	saved := filepath.Join(dir, "receipt.txt")
	putFile(t, saved, receipt)
	if out, errOut, code := runProgram(t, "", nil, "verify", saved, "--key", public); code != 0 {
		t.Errorf("kaizen verify of the receipt: exit code %d, %s%s", code, out, errOut)
	}

	// A reload takes note of what the next start is for.
	s.reload(strings.Replace(config, "witness.test/w1+", "witness.test/w1 +", 1), keptAsWas)
	s.reload(anyPort+config[len(anyPort):strings.Index(config, "ledger:\n")], reloaded)
	if !strings.Contains(s.errOut.String(), `"keys":["ledger"]`) {
		t.Errorf("the log does not say that the ledger section waits for the next start:\n%s", &s.errOut)
	}
	s.stop()
	older := filepath.Join(t.TempDir(), "older")
	copyFolder(t, s.data(), older)

	// Both again: what was published is still, and the witness knows where it was.
	w.send(syscall.SIGTERM)
	if code := w.wait(); code != 0 || !strings.Contains(w.errOut.String(), `"msg":"draining"`) {
		t.Errorf("witness: exit code %d, %s", code, &w.errOut)
	}
	before, err := os.ReadFile(filepath.Join(s.data(), ledger.CosignedFile))
	if err != nil {
		t.Fatal(err)
	}
	s = startServer(t, dir, config) // its witness is down
	if got := s.get("/ledger/checkpoint", "", http.StatusOK); !bytes.Equal(got, before) {
		t.Errorf("published is\n%s\nbefore the restart it was\n%s", got, before)
	}
	v = s.mustAsk("", anyRequest)
	c, by := s.cosigned(w, v.Proof.Index+1, func(ledger.Checkpoint, bool) bool { return true })
	if by {
		t.Errorf("a checkpoint of %d entries is cosigned by a witness that is down", c.Size)
	}
	s.says(&s.errOut, regexp.MustCompile(`"msg":"no cosignature from a witness","witness":"witness.test/w1","class":"unreachable"`))
	s.stop()
	w = startWitness(t, "--data", witnessDir, "--log", strings.TrimSpace(string(vkey)))
	if !regexp.MustCompile(`log kaizen-os.civic.ai/ledger: cosigned up to [1-9]\d* entries`).MatchString(w.out.String()) {
		t.Errorf("it says\n%s", &w.out)
	}
	config = config[:strings.Index(config, "ledger:\n")] + w.config
	s = startServer(t, dir, config)
	latest, _ := s.cosigned(w, c.Size, cosignedByIt)
	s.stop()

	// The older folder in the place of the newer one.
	if err := os.RemoveAll(s.data()); err != nil {
		t.Fatal(err)
	}
	copyFolder(t, older, s.data())
	s = startServer(t, dir, config)
	told := s.says(&s.errOut, regexp.MustCompile(`"level":"ERROR","msg":"a witness contradicts this ledger","witness":"witness.test/w1","class":"rolled_back",.*has cosigned (\d+) entries of this ledger, which has (\d+): the ledger was rolled back`))
	// How many entries either has depends on which checkpoints a slow machine came
	// to cosign; that the witness has the newest, and the copy fewer, does not.
	if had, has := count(t, told[1]), count(t, told[2]); had < latest.Size || has >= had {
		t.Errorf("%s; it had cosigned %d", told[0], latest.Size)
	}
	v = s.mustAsk("", anyRequest)
	if c, by := s.cosigned(w, v.Proof.Index+1, func(ledger.Checkpoint, bool) bool { return true }); by {
		t.Errorf("a ledger that was rolled back is cosigned at %d", c.Size)
	}
	s.stop()
}

func TestWitnessSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	key, public, err := note.GenerateKey(rand.Reader, "log.test")
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "log.pub")
	putFile(t, log, public+"\n\n"+public+"\n")
	empty := filepath.Join(dir, "empty.pub")
	putFile(t, empty, "\n")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	data := filepath.Join(dir, "data")
	w := startWitness(t, "--data", data, "--name", "w.test", "--log", log)
	damaged := filepath.Join(dir, "damaged")
	copyWitness(t, data, damaged)
	putFile(t, filepath.Join(damaged, witness.StateFile("log.test")), "nonsense\n")
	open := filepath.Join(dir, "open")
	copyWitness(t, data, open)
	if err := os.Chmod(filepath.Join(open, witnessKeyFile), 0o644); err != nil {
		t.Fatal(err)
	}
	notKey := filepath.Join(dir, "notkey")
	copyWitness(t, data, notKey)
	putFile(t, filepath.Join(notKey, witnessKeyFile), "nonsense\n")

	fresh := filepath.Join(dir, "fresh")
	const port = "127.0.0.1:0"
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"the log's private key", []string{"--log", key}, exitUsage, "--log: want a log's public key in note form"},
		{"a file without a key", []string{"--log", empty}, exitUsage, "empty.pub: there is no key in it"},
		{"a witness's key for a log's", []string{"--log", w.key.String()}, exitUsage, "--log: want a log's public key"},
		{"no name for a new key", []string{"--log", log, "--listen", port, "--data", fresh}, exitUsage, "fresh yet: give --name to make one"},
		{"a name that cannot be", []string{"--log", log, "--listen", port, "--data", fresh, "--name", "a b"}, exitUsage, `--name: the name "a b"`},
		{"another name than the key's", []string{"--log", log, "--listen", port, "--data", data, "--name", "v.test"}, exitUsage, "is called w.test"},
		{"a folder that another holds", []string{"--log", log, "--listen", port, "--data", data}, 1, "is in use by another witness"},
		{"a port in use", []string{"--log", log, "--listen", ln.Addr().String(), "--data", fresh, "--name", "w"}, 1, "the port is in use"},
		{"no port", []string{"--log", log, "--listen", "nowhere", "--data", fresh, "--name", "w"}, 1, "listen on nowhere"},
		{"a key that others may read", []string{"--log", log, "--listen", port, "--data", open}, 1, "others may read it"},
		{"a key that is none", []string{"--log", log, "--listen", port, "--data", notKey}, 1, "not a witness's key in note form"},
	} {
		out, errOut, code := runProgram(t, "", nil, append([]string{"witness"}, tt.args...)...)
		if code != tt.code || out != "" || strings.Count(errOut, "\n") != 1 || !strings.Contains(errOut, tt.want) || strings.Contains(errOut, key) {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q; want %d and one line with %q", tt.name, code, out, errOut, tt.code, tt.want)
		}
	}
	if _, err := os.Stat(fresh); err == nil {
		t.Error("something was written before the command line was found to be wrong")
	}

	d := startWitness(t, "--data", damaged, "--log", public)
	d.says(&d.out, regexp.MustCompile("log log.test: refused"))
	d.says(&d.errOut, regexp.MustCompile("a log is refused"))
	for _, p := range []*vouching{d, w} {
		p.send(os.Interrupt)
		if code := p.wait(); code != 0 {
			t.Errorf("exit code %d after an interrupt; stderr:\n%s", code, &p.errOut)
		}
	}
	if mode := fileMode(t, filepath.Join(data, witnessKeyFile)); mode != 0o600 {
		t.Errorf("the key's mode is %04o", mode)
	}
}

// copyWitness copies a witness's folder.
func copyWitness(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(to, witnessKeyFile), 0o600); err != nil { // CopyFS does not keep it
		t.Fatal(err)
	}
}

func fileMode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}
