package load

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestParseProc(t *testing.T) {
	stat := "42 (a ) (b) R 1 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 8 0 100 1000 100"
	if d, err := parseStat([]byte(stat)); err != nil || d != 3*time.Second {
		t.Errorf("parseStat = %v, %v, want 3 s", d, err)
	}
	for _, bad := range []string{"", "42 (x) R 1", strings.Replace(stat, "250", "x", 1), strings.Replace(stat, "250", "-1", 1)} {
		if _, err := parseStat([]byte(bad)); !errors.Is(err, errProc) {
			t.Errorf("parseStat(%q): %v", bad, err)
		}
	}
	rss, peak, err := parseStatus([]byte("Name:\tx\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\nThreads:\t1\n"))
	if err != nil || rss != 1<<20 || peak != 2<<20 {
		t.Errorf("parseStatus = %d, %d, %v", rss, peak, err)
	}
	for _, bad := range []string{"", "VmRSS: 1 kB\n", "VmRSS: 1 MB\nVmHWM: 1 kB\n", "VmRSS: x kB\nVmHWM: 1 kB\n"} {
		if _, _, err := parseStatus([]byte(bad)); !errors.Is(err, errProc) {
			t.Errorf("parseStatus(%q): %v", bad, err)
		}
	}
}

func TestParseMetrics(t *testing.T) {
	a, err := parseMetrics([]byte("# HELP x\ngo_memstats_mallocs_total 1.5e+06\ngo_memstats_alloc_bytes_total 2048\nother{a=\"b\"} 1\n"))
	if err != nil || a.objects != 1.5e6 || a.bytes != 2048 {
		t.Errorf("parseMetrics = %+v, %v", a, err)
	}
	for _, bad := range []string{"", "go_memstats_mallocs_total 1\n", "go_memstats_mallocs_total x\n"} {
		if _, err := parseMetrics([]byte(bad)); err == nil {
			t.Errorf("parseMetrics(%q) found something", bad)
		}
	}
}

func FuzzParseProc(f *testing.F) {
	f.Add([]byte("42 (a) R 1 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0"))
	f.Add([]byte("VmHWM:\t2048 kB\nVmRSS:\t1024 kB\n"))
	f.Add([]byte("go_memstats_mallocs_total 1\ngo_memstats_alloc_bytes_total 2\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := parseStat(text); err != nil && !errors.Is(err, errProc) {
			t.Error(err)
		}
		if rss, peak, err := parseStatus(text); err == nil && (rss <= 0 || peak <= 0) {
			t.Errorf("memory %d, %d", rss, peak)
		}
		_, _ = parseMetrics(text) // only that it returns
	})
}

func TestRawPebble(t *testing.T) {
	dir := t.TempDir()
	q, err := SyncedSets(t.Context(), dir, 1000, 50*time.Millisecond)
	if err != nil || q.N == 0 || q.P50 <= 0 || q.P99 < q.P50 {
		t.Errorf("SyncedSets = %+v, %v", q, err)
	}
	perSecond, err := SyncedBatches(t.Context(), dir, 1000, 16, 50*time.Millisecond)
	if err != nil || perSecond <= 0 {
		t.Errorf("SyncedBatches = %v, %v", perSecond, err)
	}
	if left, err := entries(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := SyncedSets(ctx, dir, 1000, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("SyncedSets when cancelled: %v", err)
	}
	if _, err := SyncedBatches(ctx, dir, 1000, 4, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("SyncedBatches when cancelled: %v", err)
	}
	if _, err := SyncedSets(t.Context(), dir+"/none", 1000, time.Second); err == nil {
		t.Error("a missing folder was accepted")
	}
}
