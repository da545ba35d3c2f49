package gateway

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strings"
)

// Admin serves metrics and profiles, to this machine or to the steward's key, and
// backups, to the steward's key only. It is net/http, which pprof and the metrics
// handler are written for; nothing of it is on a request's path.
func (g *Gateway) Admin(metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /backup", g.getBackup)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !g.mayAdminister(r) {
			http.Error(w, "the admin listener answers to this machine, or to the steward's key", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (g *Gateway) mayAdminister(r *http.Request) bool {
	if _, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return g.hasStewardKey(r)
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback() && loopbackHost(r.Host)
}

func (g *Gateway) hasStewardKey(r *http.Request) bool {
	key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	digest := sha256.Sum256([]byte(key))
	return ok && subtle.ConstantTimeCompare(digest[:], g.steward[:]) == 1
}
