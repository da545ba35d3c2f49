package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/kaizen-os/deliberation/quorum"
)

// Config says which companions to start, and where.
type Config struct {
	Companions []Companion
	Host       string // address to listen on; empty is 127.0.0.1
	BasePort   int    // the first companion's port, the next has the next; 0 takes any free ones
	Seed       uint64 // what simulated minds think, and when which is slow
}

// A Sim is a set of running companions.
type Sim struct {
	servers []*server
}

// An Endpoint is a running companion and where it answers.
type Endpoint struct {
	Companion
	URL string // origin, such as http://127.0.0.1:40123
}

// Start starts one HTTP server a companion, and returns when all accept
// connections. On an error none is left running.
func Start(cfg Config) (*Sim, error) {
	if len(cfg.Companions) == 0 {
		return nil, errors.New("sim: no companions")
	}
	host := cfg.Host
	if host == "" {
		host = "127.0.0.1"
	}
	s := &Sim{}
	for i, c := range cfg.Companions {
		port := 0
		if cfg.BasePort > 0 {
			port = cfg.BasePort + i
		}
		started, err := startServer(c, net.JoinHostPort(host, strconv.Itoa(port)), cfg.Seed)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("sim: start %s: %w", c.ID, err), s.Close())
		}
		s.servers = append(s.servers, started)
	}
	return s, nil
}

// Endpoints lists the companions in the order of Config.Companions.
func (s *Sim) Endpoints() []Endpoint {
	endpoints := make([]Endpoint, len(s.servers))
	for i, running := range s.servers {
		endpoints[i] = Endpoint{running.companion, "http://" + running.listener.Addr().String()}
	}
	return endpoints
}

// SetFault makes companion id misbehave from its next request on; NoFault heals
// it. It reports whether there is such a companion.
func (s *Sim) SetFault(id quorum.CompanionID, f Fault) bool {
	for _, running := range s.servers {
		if running.companion.ID == id {
			running.fault.Store(int32(f))
			return true
		}
	}
	return false
}

// Asked says how many requests for a reply companion id has had, misbehaviour
// included; -1 if there is none.
func (s *Sim) Asked(id quorum.CompanionID) int64 {
	for _, running := range s.servers {
		if running.companion.ID == id {
			return running.asked.Load()
		}
	}
	return -1
}

// Close ends all companions, cutting off what they were at.
func (s *Sim) Close() error {
	var group sync.WaitGroup
	failed := make([]error, len(s.servers))
	for i, running := range s.servers {
		group.Go(func() { failed[i] = running.close() })
	}
	group.Wait()
	return errors.Join(failed...)
}

// server is one companion's HTTP server.
type server struct {
	companion Companion
	voice     Voice
	constant  *constant // instead of voice, for Fixed
	seed      uint64    // of latencies
	asked     atomic.Int64
	fault     atomic.Int32

	http     fasthttp.Server
	listener net.Listener
	ended    chan error         // what Serve returned
	alive    context.Context    // done at close
	stop     context.CancelFunc // ends alive
	timers   sync.Pool          // of *time.Timer: a benchmark waits thousands of times a second
}

func startServer(c Companion, address string, seed uint64) (*server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	s := &server{
		companion: c, voice: c.Voice, listener: listener,
		seed: hash(seed, "latency", string(c.ID)), ended: make(chan error, 1),
	}
	if s.voice == nil {
		s.voice = &mind{companion: &s.companion, seed: seed}
	}
	handler := s.handle
	if c.Fixed > 0 {
		s.constant = newConstant(&s.companion)
		handler = s.handleConstant
	}
	s.alive, s.stop = context.WithCancel(context.Background())
	s.http = fasthttp.Server{
		Handler: handler,
		// A companion is a stand-in: it logs nothing, and it says no more about
		// itself than the protocol asks, which also keeps it cheap.
		Logger:                log.New(io.Discard, "", 0),
		NoDefaultServerHeader: true, NoDefaultDate: true, NoDefaultContentType: true,
		MaxRequestBodySize: 8 << 20,
	}
	go func() { s.ended <- s.http.Serve(listener) }()
	return s, nil
}

func (s *server) close() error {
	s.stop()
	err := s.http.Shutdown()
	// Shutdown overlooks a listener that Serve has not yet taken up.
	s.listener.Close()
	return errors.Join(err, ignoreClosed(<-s.ended))
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// pause waits for d, less when the server closes, which it reports as false.
func (s *server) pause(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer, _ := s.timers.Get().(*time.Timer)
	if timer == nil {
		timer = time.NewTimer(d)
	} else {
		timer.Reset(d)
	}
	defer s.timers.Put(timer)
	select {
	case <-timer.C:
		return true
	case <-s.alive.Done():
		timer.Stop()
		return false
	}
}

// latency of the nth request: not the prompt's, since a benchmark repeats those.
func (s *server) latency(n int64) time.Duration {
	return s.companion.Latency.Draw(mix(s.seed + uint64(n)*0x9e3779b97f4a7c15))
}
