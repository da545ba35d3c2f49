//go:build unix

package gateway

import (
	"net"
	"syscall"
	"testing"
)

// Events are not held back for more: the gateway's connections send at once.
func TestStreamSendsAtOnce(t *testing.T) {
	r := start(t, setup{panel: panelOf(t, says("391"), says("391"))})
	r.hear("/v1/deliberate", `{"prompt":"x"}`).rest()
	r.door.mu.Lock()
	conn := r.door.last
	r.door.mu.Unlock()
	raw := must(conn.(*net.TCPConn).SyscallConn())(t)
	var value int
	var err error
	if e := raw.Control(func(fd uintptr) {
		value, err = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_NODELAY)
	}); e != nil || err != nil || value == 0 {
		t.Errorf("TCP_NODELAY is %d: %v, %v", value, e, err)
	}
}
