package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"

	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/gateway"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/scoring"
	"github.com/kaizen-os/deliberation/store/ledger"
	"github.com/kaizen-os/deliberation/store/vault"
)

// patience is how long a test waits for what must come.
const patience = 60 * time.Second

const origin = "kaizen.test/ledger"

// A fact is an entry, small, so that there can be many.
type fact uint64

func (fact) Type() quorum.RecordType { return "fact" }

func (f fact) AppendLeaf(dst []byte) ([]byte, int) {
	dst = append(dst, `{"at":"`...)
	stamp := len(dst)
	dst = append(dst, `0000000000000","fact":`...)
	return append(strconv.AppendUint(dst, uint64(f), 10), '}'), stamp
}

// openLedger opens a new ledger on the disk, with a key of its own.
func openLedger(t testing.TB) *ledger.Ledger { return openLedgerOf(t, newKey(t)) }

// openLedgerOf opens a new ledger that signs with key.
func openLedgerOf(t testing.TB, key string) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(ledger.Config{Dir: t.TempDir(), SigningKey: key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// grow brings l to exactly size entries, many in a batch when there are many.
func grow(t testing.TB, l *ledger.Ledger, size uint64) {
	t.Helper()
	todo := make(chan uint64, 1024)
	var writers sync.WaitGroup
	for range 256 {
		writers.Go(func() {
			for i := range todo {
				if _, err := l.Append(t.Context(), fmt.Sprintf("fact-%d", i), fact(i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := l.Size(); i < size; i++ {
		todo <- i
	}
	close(todo)
	writers.Wait()
	if l.Size() != size {
		t.Fatalf("the ledger has %d entries, want %d", l.Size(), size)
	}
}

// serve puts l behind the product's own gateway, on a loopback port, and gives
// the log's URL.
func serve(t testing.TB, l *ledger.Ledger) string {
	t.Helper()
	v, err := vault.Open(vault.Config{Dir: filepath.Join(t.TempDir(), "vault"), MasterKey: bytes.Repeat([]byte{7}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	fan, err := fanout.New(fanout.Config{})
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.New(gateway.Config{Book: gateway.NewBook(), Ledger: l, Vault: v, Fan: fan, Scorer: scoring.New()})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- g.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := errors.Join(g.Shutdown(ctx), <-served, v.Close()); err != nil {
			t.Error(err)
		}
	})
	return "http://" + ln.Addr().String() + "/ledger/"
}

// A served is a log as a stranger has it: where it is, and whose it should be.
type served struct {
	fsck.Fetcher // Tessera's, over HTTP or in a folder
	get          func(ctx context.Context, path string) ([]byte, error)
	verifier     note.Verifier
}

// at is the log at a URL, through a transport that tests may put themselves into.
func at(t testing.TB, address, vkey string, through http.RoundTripper) *served {
	t.Helper()
	if through == nil {
		through = newTransport(t)
	}
	c := &http.Client{Transport: through, Timeout: patience}
	root, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	fetcher, err := client.NewHTTPFetcher(root, c)
	if err != nil {
		t.Fatal(err)
	}
	return &served{Fetcher: fetcher, verifier: verifierOf(t, vkey), get: func(ctx context.Context, path string) ([]byte, error) {
		return get(ctx, c, address+path)
	}}
}

// in is the log in a folder.
func in(t testing.TB, folder, vkey string) *served {
	t.Helper()
	return &served{Fetcher: client.FileFetcher{Root: folder}, verifier: verifierOf(t, vkey), get: func(_ context.Context, path string) ([]byte, error) {
		return os.ReadFile(filepath.Join(folder, path))
	}}
}

func newTransport(t testing.TB) *http.Transport {
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

func get(ctx context.Context, c *http.Client, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %d: %s", address, resp.StatusCode, body)
	}
	return body, nil
}

func verifierOf(t testing.TB, vkey string) note.Verifier {
	t.Helper()
	v, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
