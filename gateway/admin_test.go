package gateway

import (
	"crypto/sha256"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/kaizen-os/deliberation/gateway/wire"
)

// What scrapes the metrics has a key that opens nothing else.
func TestAMonitorsKeyReadsTheMetricsAndNothingElse(t *testing.T) {
	t.Parallel()
	monitor := Client{Name: "prometheus", Role: RoleMonitor, Key: sha256.Sum256([]byte("key-of-a-monitor"))}
	r := start(t, setup{panel: panelOf(t, says("42"), says("42")), clients: []Client{client("ann", "key-of-ann"), monitor}})
	admin := r.Admin(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "metrics") }))
	for _, tt := range []struct {
		name, from, path, key string
		want                  int
	}{
		{"the metrics, from elsewhere, with a monitor's key", "192.0.2.1:1", "/metrics", "key-of-a-monitor", http.StatusOK},
		{"with the steward's", "192.0.2.1:1", "/metrics", stewardKey, http.StatusOK},
		{"with a client's", "192.0.2.1:1", "/metrics", "key-of-ann", http.StatusForbidden},
		{"with a key that nobody has", "192.0.2.1:1", "/metrics", "key-of-nobody", http.StatusForbidden},
		{"without a key", "192.0.2.1:1", "/metrics", "", http.StatusForbidden},
		{"without a key, from this machine", "127.0.0.1:1", "/metrics", "", http.StatusOK},
		{"profiles, with a monitor's key", "192.0.2.1:1", "/debug/pprof/cmdline", "key-of-a-monitor", http.StatusForbidden},
		{"profiles, with a monitor's key, from this machine", "127.0.0.1:1", "/debug/pprof/cmdline", "key-of-a-monitor", http.StatusForbidden},
		{"a backup, with a monitor's key", "192.0.2.1:1", "/backup", "key-of-a-monitor", http.StatusForbidden},
		{"profiles, with the steward's", "192.0.2.1:1", "/debug/pprof/cmdline", stewardKey, http.StatusOK},
	} {
		req := httptest.NewRequest(http.MethodGet, "http://127.0.0.1"+tt.path, nil)
		req.RemoteAddr = tt.from
		if tt.key != "" {
			req.Header.Set("Authorization", "Bearer "+tt.key)
		}
		resp := httptest.NewRecorder()
		admin.ServeHTTP(resp, req)
		if resp.Code != tt.want {
			t.Errorf("%s: %d, want %d: %s", tt.name, resp.Code, tt.want, resp.Body)
		}
	}
	r.unrecorded(t, func() {
		for _, tt := range []struct{ method, path, body string }{
			{"POST", "/v1/deliberate", guideRequest}, {"GET", "/v1/deliberations", ""}, {"GET", "/api/companions", ""}, {"GET", "/v1/deliberations/dlb_x/receipt", ""},
		} {
			r.send(tt.method, tt.path, tt.body, "Authorization", "Bearer key-of-a-monitor").failure(http.StatusForbidden, wire.Forbidden)
		}
	})
}
