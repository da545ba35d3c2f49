package mirror

import (
	"compress/gzip"
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/kaizen-os/deliberation/store/ledger"
)

// serving is a web source whose server answers as said.
func serving(t *testing.T, handle http.HandlerFunc) *Web {
	t.Helper()
	server := httptest.NewServer(handle)
	web, err := NewWeb(server.URL+"/ledger/", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		web.Close()
		server.Close()
	})
	return web
}

func TestWebAsksForTilePaths(t *testing.T) {
	var asked atomic.Value
	web := serving(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.URL.Path)
		if r.Header.Get("Accept-Encoding") != "gzip" {
			t.Errorf("it accepts %q", r.Header.Get("Accept-Encoding"))
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		z.Write([]byte("content"))
	})
	data, err := web.Read(t.Context(), ledger.TilePath{Entries: true, N: 1_234_067, Width: 9})
	if err != nil || string(data) != "content" || asked.Load() != "/ledger/tile/entries/x001/x234/067.p/9" {
		t.Errorf("Read() = %q, %v, from %v", data, err, asked.Load())
	}
}

func TestWebTriesAgain(t *testing.T) {
	var requests atomic.Int64
	web := serving(t, func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) < tries {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Write([]byte("at last"))
	})
	if data, err := web.Checkpoint(t.Context()); err != nil || string(data) != "at last" || requests.Load() != tries {
		t.Errorf("Checkpoint() = %q, %v, after %d requests", data, err, requests.Load())
	}
}

func TestWebGivesUp(t *testing.T) {
	for _, tt := range []struct {
		name     string
		handle   http.HandlerFunc
		requests int64
		is       error
		says     string
	}{
		{"not there", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, 1, fs.ErrNotExist, "answers 404 Not Found"},
		{"forbidden", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, 1, nil, "answers 403 Forbidden"},
		{"in trouble for good", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, tries, nil, "answers 502 Bad Gateway"},
		{"too long", func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 8193)) }, 1, errTooLong, "over 8192 bytes"},
		{"too long once it is unzipped", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			defer z.Close()
			z.Write(make([]byte, 1<<20))
		}, 1, errTooLong, "over 8192 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var requests atomic.Int64
			web := serving(t, func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				tt.handle(w, r)
			})
			_, err := web.Read(t.Context(), ledger.TilePath{Width: 256})
			if err == nil || !strings.Contains(err.Error(), tt.says) || tt.is != nil && !errors.Is(err, tt.is) || tt.is == nil && errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Read() = %v, want %q", err, tt.says)
			}
			if requests.Load() != tt.requests {
				t.Errorf("it asked %d times, want %d", requests.Load(), tt.requests)
			}
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		web := serving(t, func(w http.ResponseWriter, _ *http.Request) {
			cancel()
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		if _, err := web.Checkpoint(ctx); err == nil {
			t.Error("Checkpoint() gives something")
		}
	})
}

func TestWebURLs(t *testing.T) {
	for _, bad := range []string{"", "kaizen.example.org/ledger", "ftp://kaizen.example.org/", "http://", "http://h/l?x=1", "http://h/l#x", "http://h:port/l"} {
		if _, err := NewWeb(bad, nil); err == nil {
			t.Errorf("NewWeb(%q) is taken", bad)
		}
	}
}
