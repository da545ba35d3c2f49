package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/store"
	"github.com/kaizen-os/deliberation/store/vault"
)

func (r *rig) eraseText(id string, headers ...string) *response {
	r.t.Helper()
	return r.send(http.MethodDelete, "/v1/deliberations/"+id+"/text", "", headers...)
}

// erased wants the answer of an erasure, whose record is in the ledger.
func (r *rig) erased(resp *response, id, actor string, cause quorum.ErasureCause) {
	r.t.Helper()
	var got struct {
		ID     string
		Erased bool
		Proof  struct {
			Index    uint64
			LeafHash string
		}
	}
	if err := json.Unmarshal(resp.body, &got); err != nil || resp.status != http.StatusOK || got.ID != id || !got.Erased {
		r.t.Fatalf("erasure: %d %s, %v", resp.status, resp.body, err)
	}
	leaf := must(r.ledger.Entry(got.Proof.Index))(r.t)
	hash := quorum.LeafHash(leaf)
	rec, _, err := quorum.ParseRecord(leaf)
	if x, ok := rec.(*quorum.Erasure); err != nil || !ok || *x != (quorum.Erasure{ID: id, Actor: actor, Cause: cause}) {
		r.t.Errorf("entry %d is %+v, %v", got.Proof.Index, rec, err)
	}
	if got.Proof.LeafHash != base64.StdEncoding.EncodeToString(hash[:]) {
		r.t.Errorf("leaf hash %s of %s", got.Proof.LeafHash, leaf)
	}
}

// textless wants the deliberation to be read by its headers' key with all of its
// ballots and its proof, and without a word.
func (r *rig) textless(was *wire.Deliberation, headers ...string) {
	r.t.Helper()
	resp := r.get("/v1/deliberations/"+was.ID, headers...)
	d := resp.deliberation(http.StatusOK)
	if d.Answer != "" || d.Value != "" || strings.Contains(string(resp.body), canary) || len(d.Ballots) != len(was.Ballots) || d.Proof != was.Proof || d.Status != was.Status {
		r.t.Errorf("read back: %s", resp.body)
	}
}

func TestWhoMayEraseWhat(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("the canary sings"), says("the canary sings")),
		clients: []Client{client("ann", "key-of-ann"), client("bob", "key-of-bob")}})
	ann, bob, steward := []string{"X-Api-Key", "key-of-ann"}, []string{"X-Api-Key", "key-of-bob"}, []string{"Authorization", "Bearer " + stewardKey}
	first, second := r.ask(guideRequest, ann...), r.ask(guideRequest, ann...)

	r.unrecorded(t, func() {
		other := r.eraseText(first.ID, bob...)
		other.failure(http.StatusNotFound, wire.NotFound)
		none := r.eraseText("dlb_01K00000000000000000000000", bob...)
		if string(other.body) != string(none.body) {
			t.Errorf("what is another's is told from what is not there: %s, %s", other.body, none.body)
		}
		r.eraseText("dlb_01K00000000000000000000000", steward...).failure(http.StatusNotFound, wire.NotFound)
		r.eraseText("x", steward...).failure(http.StatusNotFound, wire.NotFound)
		r.eraseText(first.ID, "X-Api-Key", "nobody's").failure(http.StatusUnauthorized, wire.Unauthorized)
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut} {
			r.send(method, "/v1/deliberations/"+first.ID+"/text", "", ann...).failure(http.StatusMethodNotAllowed, wire.MethodNotAllowed)
		}
	})
	if d := r.get("/v1/deliberations/"+first.ID, ann...).deliberation(http.StatusOK); d.Answer != "the canary sings" {
		t.Errorf("it was erased by who may not: %+v", d)
	}

	answer := r.eraseText(first.ID, ann...)
	r.erased(answer, first.ID, quorum.Owner, quorum.ErasureAsked)
	r.erased(r.eraseText(second.ID, steward...), second.ID, quorum.Steward, quorum.ErasureAsked)
	r.unrecorded(t, func() {
		for _, who := range [][]string{ann, steward} {
			if again := r.eraseText(first.ID, who...); again.status != http.StatusOK || string(again.body) != string(answer.body) {
				t.Errorf("again: %d %s, at first %s", again.status, again.body, answer.body)
			}
			if again := r.eraseText(second.ID, who...); again.status != http.StatusOK {
				t.Errorf("again: %d %s", again.status, again.body)
			}
		}
		r.eraseText(first.ID, bob...).failure(http.StatusNotFound, wire.NotFound)
	})
	for _, who := range [][]string{ann, bob, steward} {
		r.textless(first, who...)
		r.textless(second, who...)
	}
	if list := r.get("/v1/deliberations", ann...); strings.Contains(string(list.body), first.ID) {
		t.Errorf("it is listed: %s", list.body)
	}
	if strings.Contains(r.logs.String(), canary) {
		t.Errorf("the log tells text: %s", r.logs)
	}
}

func TestErasuresOfTheSameAtTheSameTimeAreOne(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"))})
	d := r.ask(guideRequest)
	var wg sync.WaitGroup
	bodies := make([]string, 8)
	for i := range bodies {
		wg.Go(func() { bodies[i] = string(r.eraseText(d.ID).body) })
	}
	wg.Wait()
	for _, body := range bodies {
		if body != bodies[0] || !strings.Contains(body, d.ID) {
			t.Errorf("%s, and %s", body, bodies[0])
		}
	}
	if n := len(of[*quorum.Erasure](r.journal)); n != 1 {
		t.Errorf("%d records", n)
	}
}

func TestAnErasedAnswerIsNotGivenFromTheCache(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"))})
	first := r.askCached(cacheable)
	if d := r.askCached(cacheable); !d.Cached {
		t.Fatal("it is not cached: the test shows nothing")
	}
	r.erased(r.eraseText(first.ID), first.ID, quorum.Owner, quorum.ErasureAsked)
	if d := r.askCached(cacheable); d.Cached || d.ID == first.ID {
		t.Errorf("the erased answer is given: %+v", d)
	}
	if d := r.askCached(cacheable); !d.Cached {
		t.Error("the new one is not cached")
	}
}

func TestTheCacheForgetsWhatIsErased(t *testing.T) {
	one, two := finishedAs("dlb_1", quorum.Carried), finishedAs("dlb_2", quorum.Carried)
	holds := func(c *cache) bool {
		c.finished.Wait()
		key := cacheKey{1}
		_, held := c.finished.Get(string(key[:]))
		return held
	}
	made := func(out *outcome) func() (*outcome, error) { return func() (*outcome, error) { return out, nil } }

	t.Run("before it is put there", func(t *testing.T) {
		inBubble(t, func(t *testing.T, c *cache) {
			c.erase("dlb_1")
			// Who asked for it gets it: it was under way.
			if out, cached, err := c.get(cacheKey{1}, time.Hour, made(one)); out != one || cached || err != nil || holds(c) {
				t.Errorf("%v, %v, %v, held %v", out, cached, err, holds(c))
			}
			if out, cached, _ := c.get(cacheKey{1}, time.Hour, made(two)); out != two || cached {
				t.Errorf("%s is given, cached %v", out.proof.ID, cached)
			}
		})
	})
	t.Run("while it is there", func(t *testing.T) {
		inBubble(t, func(t *testing.T, c *cache) {
			c.get(cacheKey{1}, time.Hour, made(one))
			if !holds(c) {
				t.Fatal("it is not held")
			}
			c.erase("dlb_1")
			if holds(c) || len(c.held) != 0 {
				t.Errorf("it is held: %v", c.held)
			}
			if out, cached, _ := c.get(cacheKey{1}, time.Hour, made(two)); out != two || cached {
				t.Errorf("%s is given, cached %v", out.proof.ID, cached)
			}
		})
	})
	t.Run("though it comes there afterwards", func(t *testing.T) {
		inBubble(t, func(t *testing.T, c *cache) {
			c.erase("dlb_1")
			key := cacheKey{1}
			c.finished.Set(string(key[:]), &finished{key, one, time.Now()}, 1) // a Set that took its time
			c.finished.Wait()
			if out, cached, _ := c.get(key, time.Hour, made(two)); out != two || cached {
				t.Errorf("%s is given, cached %v", out.proof.ID, cached)
			}
			if len(c.takeHits()) != 0 {
				t.Error("a hit is counted")
			}
		})
	})
	t.Run("while others wait for it", func(t *testing.T) {
		inBubble(t, func(t *testing.T, c *cache) {
			release := make(chan struct{})
			var calls atomic.Int64
			deliberate := func() (*outcome, error) {
				if calls.Add(1) > 1 {
					return two, nil
				}
				<-release
				c.erase("dlb_1") // its proof was durable, and its owner quick
				return one, nil
			}
			var mine, shared atomic.Int64
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() {
					switch out, cached, err := c.get(cacheKey{1}, time.Hour, deliberate); {
					case err != nil:
						t.Error(err)
					case out == one && !cached:
						mine.Add(1)
					case out == two:
						shared.Add(1)
					}
				})
			}
			synctest.Wait()
			close(release)
			wg.Wait()
			if mine.Load() != 1 || shared.Load() != 2 {
				t.Errorf("%d were given what was erased, %d another", mine.Load(), shared.Load())
			}
		})
	})
	t.Run("and forgets that it was, when nobody can ask for it", func(t *testing.T) {
		inBubble(t, func(t *testing.T, c *cache) {
			c.erase("dlb_1")
			<-time.After(3 * wire.MaxCacheAge * time.Second)
			c.erase("dlb_2")
			if len(c.erased) != 1 {
				t.Errorf("%v", c.erased)
			}
		})
	})
	t.Run("and nothing of what has left it", func(t *testing.T) {
		inBubble(t, func(t *testing.T, c *cache) {
			for i := range 2000 {
				out := finishedAs(fmt.Sprint("dlb_", i), quorum.Carried)
				out.texts.prompt = strings.Repeat("x", 100_000)
				c.get(cacheKey{1, byte(i), byte(i >> 8)}, time.Hour, made(out))
				c.finished.Wait()
			}
			if n := len(c.held); n > cacheBytes/100_000 {
				t.Errorf("%d are remembered as held", n)
			}
		})
	})
}

func TestAnErasureWhoseRecordFailsIsRepeated(t *testing.T) {
	t.Parallel()
	disk := &smallDisk{FS: vfs.NewMem()}
	disk.free.Store(1 << 40)
	var uptime atomic.Int64
	later := func() { uptime.Add(int64(time.Minute)) }
	r := start(t, setup{panel: panelOf(t, says("the canary sings"), says("the canary sings")), ledgerFS: disk, uptime: func() time.Duration { return time.Duration(uptime.Load()) }})
	d := r.ask(guideRequest)
	disk.free.Store(100 << 20)
	later()
	resp := r.eraseText(d.ID)
	if e := resp.failure(http.StatusServiceUnavailable, wire.LedgerUnavailable); e.DeliberationID != d.ID || resp.header.Get("Retry-After") == "" || !strings.Contains(e.Message, "erased") {
		t.Errorf("%+v", e)
	}
	r.textless(d)
	disk.free.Store(1 << 40)
	later()
	// A steward repeats it, and the record names who it was that had it erased.
	r.erased(r.eraseText(d.ID, "Authorization", "Bearer "+stewardKey), d.ID, quorum.Owner, quorum.ErasureAsked)
	r.erased(r.eraseText(d.ID), d.ID, quorum.Owner, quorum.ErasureAsked)
}

func TestAnErasureThatTheVaultFailsIsNotSaid(t *testing.T) {
	t.Parallel()
	disk := new(failingSync)
	r := start(t, setup{panel: panelOf(t, says("42"), says("42")), vaultFS: errorfs.Wrap(vfs.NewMem(), disk), fatal: func(error) {}})
	d := r.ask(guideRequest)
	disk.armed.Store(true)
	r.unrecorded(t, func() { r.eraseText(d.ID).failure(http.StatusServiceUnavailable, wire.LedgerUnavailable) })
}

// What comes of a deliberation after its texts were erased brings none back.
func TestACompletionBringsNoTextBack(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: []*companion{member(t, "AUREA", says("the canary sings")), member(t, "ATLAS", says("the canary sings")), member(t, "ZENITH", held)}})
	d := r.ask(`{"prompt":"What does the canary do?","kind":"text","wait":"all",` + shortDeadline + `}`)
	r.erased(r.eraseText(d.ID), d.ID, quorum.Owner, quorum.ErasureAsked)
	r.panel[2].next(t).says("the canary sings, late")
	c := r.completion(d.ID)
	r.textless(d)
	if _, _, err := r.vault.Get(d.ID); !errors.Is(err, vault.ErrNotFound) {
		t.Errorf("the vault has it again: %v", err)
	}
	if leaf, _ := c.AppendLeaf(nil); strings.Contains(string(leaf), canary) {
		t.Errorf("the completion tells text: %s", leaf)
	}
}

// crashed is r's gateway anew, on what of its stores had been synced.
func (r *rig) crashed(t *testing.T, ledgerFS, vaultFS *vfs.MemFS) *rig {
	t.Helper()
	return start(t, setup{panel: panelOf(t, says("42"), says("42")), clients: r.settings.Clients,
		ledgerFS: ledgerFS.CrashClone(vfs.CrashCloneCfg{}), vaultFS: vaultFS.CrashClone(vfs.CrashCloneCfg{})})
}

func (r *rig) reconciles(t *testing.T, now time.Time, want int) {
	t.Helper()
	if n, err := r.Reconcile(t.Context(), now, vault.Retention); n != want || err != nil {
		t.Errorf("Reconcile() = %d, %v, want %d", n, err, want)
	}
}

func TestAnErasureThatACrashCutShortIsRecordedAtTheNextStart(t *testing.T) {
	t.Parallel()
	ledgerFS, vaultFS := vfs.NewCrashableMem(), vfs.NewCrashableMem()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42")), clients: []Client{client("ann", "key-of-ann")}, ledgerFS: ledgerFS, vaultFS: vaultFS})
	ann := []string{"X-Api-Key", "key-of-ann"}
	d, kept := r.ask(guideRequest, ann...), r.ask(guideRequest, ann...)
	if err := r.vault.Erase(t.Context(), quorum.Owner, d.ID); err != nil { // and the process dies
		t.Fatal(err)
	}
	t.Run("by the start", func(t *testing.T) {
		r := r.crashed(t, ledgerFS, vaultFS)
		r.reconciles(t, time.Now(), 1)
		r.reconciles(t, time.Now(), 0)
		r.erased(r.eraseText(d.ID, ann...), d.ID, quorum.Owner, quorum.ErasureAsked)
		if d := r.get("/v1/deliberations/"+kept.ID, ann...).deliberation(http.StatusOK); d.Answer == "" {
			t.Error("another was erased, too")
		}
	})
	t.Run("or by its owner, asking again", func(t *testing.T) {
		r := r.crashed(t, ledgerFS, vaultFS)
		r.erased(r.eraseText(d.ID, ann...), d.ID, quorum.Owner, quorum.ErasureAsked)
		r.reconciles(t, time.Now(), 0)
	})
}

// The vault's sync fails and the ledger's does not: the caller hears that nothing
// was decided, the proof is there, and what was said is lost. The next start
// records that.
func TestTextsThatWereLostAreRecordedAtTheNextStart(t *testing.T) {
	t.Parallel()
	disk, ledgerFS, vaultFS := new(failingSync), vfs.NewCrashableMem(), vfs.NewCrashableMem()
	fatal := make(chan error, 2)
	r := start(t, setup{panel: panelOf(t, says("42"), says("42")), ledgerFS: ledgerFS, vaultFS: errorfs.Wrap(vaultFS, disk), fatal: func(err error) { fatal <- err }})
	kept, erased := r.ask(guideRequest), r.ask(guideRequest)
	r.eraseText(erased.ID)
	// The vault's sync fails, and takes longer than the ledger's.
	size := r.ledger.Size()
	disk.before = func() {
		for waited := time.Now(); r.ledger.Size() == size && time.Since(waited) < patience; {
			runtime.Gosched()
		}
	}
	disk.armed.Store(true)
	lost := r.post(guideRequest).failure(http.StatusServiceUnavailable, wire.LedgerUnavailable).DeliberationID
	within(t, "word of the failure", fatal)
	if _, ok, err := r.ledger.Lookup(lost); !ok || err != nil {
		t.Fatalf("the proof is not in the ledger: the test shows nothing (%v)", err)
	}

	again := r.crashed(t, ledgerFS, vaultFS)
	if _, _, err := again.vault.Get(lost); !errors.Is(err, vault.ErrNotFound) {
		t.Fatalf("the texts are not lost: the test shows nothing (%v)", err)
	}
	again.reconciles(t, time.Now().Add(vault.Retention), 0) // by then it may have been swept
	again.reconciles(t, time.Now(), 1)
	again.reconciles(t, time.Now(), 0)
	if got := of[*quorum.Erasure](again.journal); len(got) == 0 || *got[len(got)-1] != (quorum.Erasure{ID: lost, Actor: quorum.Gateway, Cause: quorum.ErasureLost}) {
		t.Errorf("recorded: %+v", got)
	}
	again.erased(again.eraseText(lost, "Authorization", "Bearer "+stewardKey), lost, quorum.Gateway, quorum.ErasureLost)
	if d := again.get("/v1/deliberations/" + lost).deliberation(http.StatusOK); d.Answer != "" || len(d.Ballots) != 2 {
		t.Errorf("what was lost is read back as %+v", d)
	}
	if d := again.get("/v1/deliberations/" + kept.ID).deliberation(http.StatusOK); d.Answer == "" {
		t.Error("what was kept is not")
	}
}

func TestReconcileOfALedgerThatTakesNothing(t *testing.T) {
	t.Parallel()
	disk := &smallDisk{FS: vfs.NewMem()}
	disk.free.Store(1 << 40)
	var uptime atomic.Int64
	r := start(t, setup{panel: panelOf(t, says("42"), says("42")), ledgerFS: disk, uptime: func() time.Duration { return time.Duration(uptime.Load()) }})
	d := r.ask(guideRequest)
	if err := r.vault.Erase(t.Context(), quorum.Owner, d.ID); err != nil {
		t.Fatal(err)
	}
	disk.free.Store(0)
	uptime.Add(int64(time.Minute))
	if n, err := r.Reconcile(t.Context(), time.Now(), vault.Retention); n != 0 || err == nil || !strings.Contains(err.Error(), d.ID) {
		t.Errorf("Reconcile() = %d, %v", n, err)
	}
}

// The canary, end to end on the real disk: after DELETE nothing of what was said,
// nor what opens it, is in any file of ledger and vault, nor in a backup.
func TestAnErasedTextIsInNoFileAndNoBackup(t *testing.T) {
	for _, leftOut := range []bool{false, true} {
		t.Run(fmt.Sprintf("erasing left out %t", leftOut), func(t *testing.T) {
			t.Chdir(t.TempDir()) // where "data" and "vault" are then
			r := start(t, setup{panel: panelOf(t, says("the canary sings at dawn"), says("the canary sings at dawn")), ledgerFS: vfs.Default, vaultFS: vfs.Default})
			for range 5 {
				r.ask(guideRequest)
			}
			d := r.ask(`{"prompt":"What does the canary do at dawn?","include":["replies"]}`)
			for range 5 {
				r.ask(guideRequest)
			}
			secrets := secretsOf(t, r, d.ID)
			search := func(dirs ...string) (found string) {
				for _, dir := range dirs {
					all := diskFiles(t, dir)
					for what, secret := range secrets {
						if bytes.Contains(all, []byte(secret)) {
							found = what + " in " + dir
						}
					}
				}
				return found
			}
			if search("vault") == "" {
				t.Fatal("the search does not find what is there")
			}
			if !leftOut {
				r.erased(r.eraseText(d.ID), d.ID, quorum.Owner, quorum.ErasureAsked)
			}
			if err := errors.Join(r.ledger.Backup("backup-ledger"), r.vault.Backup("backup-vault")); err != nil {
				t.Fatal(err)
			}
			if found := search("data", "vault", "backup-ledger", "backup-vault"); (found != "") != leftOut {
				t.Errorf("found: %q", found)
			}
		})
	}
}

// diskFiles is what all files below dir hold. Should Pebble just then remove one,
// whose content may be in another by now, they are read again.
func diskFiles(t *testing.T, dir string) []byte {
	t.Helper()
	for {
		var all []byte
		err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			all = append(all, data...)
			return err
		})
		if err == nil {
			return all
		}
		if !errors.Is(err, os.ErrNotExist) || len(all) == 0 {
			t.Fatal(err)
		}
	}
}

// secretsOf is what must be gone with the texts of id: the sealed record, read
// from a copy of the vault, the seed, every salt, and the texts themselves.
func secretsOf(t *testing.T, r *rig, id string) map[string]string {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "copy")
	if err := r.vault.Backup(copied); err != nil {
		t.Fatal(err)
	}
	db := must(store.Open(copied, store.Options{ReadOnly: true}))(t)
	defer db.Close()
	sealed, closer, err := db.Get(store.AppendRecordKey(nil, id))
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	c, _, err := r.vault.Get(id)
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{"the seed": string(c.Seed[:])}
	sealed = bytes.Clone(sealed[1+8+store.OwnerLen:]) // the header is that of the note, too
	for at := 0; at+16 <= len(sealed); at += 16 {
		secrets[fmt.Sprint("the sealed record at ", at)] = string(sealed[at : at+16])
	}
	for _, f := range c.Fields {
		salt := c.Seed.Salt(f.Name)
		secrets["the salt of "+f.Name] = string(salt[:])
		if len(f.Data) >= 8 {
			secrets["the text of "+f.Name] = string(f.Data)
		}
	}
	return secrets
}
