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
// backups, to the steward's key only. A monitor's key reads the metrics: what
// scrapes them from another machine is given no more than it needs. It is net/http,
// which pprof and the metrics handler are written for; nothing of it is on a
// request's path.
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
		if !g.mayAdminister(r) && !g.mayMonitor(r) {
			http.Error(w, "the admin listener answers to this machine, or to the steward's key; of metrics, to a monitor's", http.StatusForbidden)
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

// mayMonitor reports whether r asks for the metrics with a key that is for that.
func (g *Gateway) mayMonitor(r *http.Request) bool {
	key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	view := g.view.Load()
	if !ok || view == nil || r.URL.Path != "/metrics" {
		return false
	}
	digest := sha256.Sum256([]byte(key))
	k := view.callers.byKey[digest]
	return k != nil && k.Role == RoleMonitor && subtle.ConstantTimeCompare(k.Key[:], digest[:]) == 1
}

func (g *Gateway) hasStewardKey(r *http.Request) bool {
	key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	digest := sha256.Sum256([]byte(key))
	return ok && subtle.ConstantTimeCompare(digest[:], g.steward[:]) == 1
}
