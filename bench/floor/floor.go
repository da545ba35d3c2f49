package floor

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/url"
	"sync"

	"github.com/valyala/fasthttp"
)

// Config says whom a floor asks.
type Config struct {
	Listen     string   // address; empty is any free port of 127.0.0.1
	Companions []string // origins, such as http://127.0.0.1:40123; http only
	ReplyBytes int      // size of every answer; 0 is 1536, about the gateway's with a panel of five
	MaxConns   int      // connections to each companion; 0 is 1024
}

// dial is used in place of fasthttp's dialer, whose address cache is a
// goroutine without end.
func dial(address string) (net.Conn, error) { return net.Dial("tcp", address) }

// A Server is a running floor.
type Server struct {
	http       fasthttp.Server
	listener   net.Listener
	companions []*companion
	reply      []byte
	ended      chan error
	fans       sync.Pool // of *fan
}

// companion is where one is reached. Its request is the same but for the body.
type companion struct {
	client fasthttp.HostClient
	uri    string
}

// Start starts a floor; it accepts connections when Start returns.
func Start(cfg Config) (*Server, error) {
	if len(cfg.Companions) == 0 {
		return nil, errors.New("floor: no companions")
	}
	if cfg.ReplyBytes == 0 {
		cfg.ReplyBytes = 1536
	}
	if cfg.MaxConns == 0 {
		cfg.MaxConns = 1024
	}
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	s := &Server{reply: constantReply(cfg.ReplyBytes), ended: make(chan error, 1)}
	for _, origin := range cfg.Companions {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "http" || u.Host == "" {
			return nil, fmt.Errorf("floor: companion %q: want an http origin", origin)
		}
		s.companions = append(s.companions, &companion{
			uri: "http://" + u.Host + "/v1/deliberate",
			client: fasthttp.HostClient{
				Addr: u.Host, MaxConns: cfg.MaxConns, Dial: dial,
				NoDefaultUserAgentHeader: true, DisableHeaderNamesNormalizing: true, DisablePathNormalizing: true,
			},
		})
	}
	var err error
	if s.listener, err = net.Listen("tcp", cfg.Listen); err != nil {
		return nil, fmt.Errorf("floor: %w", err)
	}
	s.fans.New = func() any { return newFan(s.companions) }
	s.http = fasthttp.Server{
		Handler: s.handle, Logger: log.New(io.Discard, "", 0),
		NoDefaultServerHeader: true, NoDefaultDate: true, NoDefaultContentType: true, DisableHeaderNamesNormalizing: true,
	}
	go func() { s.ended <- s.http.Serve(s.listener) }()
	return s, nil
}

// URL is the origin that the floor answers at.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Close ends the floor when the requests it is at are answered.
func (s *Server) Close() error {
	err := s.http.Shutdown()
	s.listener.Close() // Shutdown overlooks one that Serve has not yet taken up
	if served := <-s.ended; !errors.Is(served, net.ErrClosed) {
		err = errors.Join(err, served)
	}
	for _, c := range s.companions {
		c.client.CloseIdleConnections()
	}
	return err
}

// constantReply is a JSON string of size bytes in all.
func constantReply(size int) []byte {
	size = max(size, len(`{"answer":""}`))
	return append(append([]byte(`{"answer":"`), bytes.Repeat([]byte{'x'}, size-len(`{"answer":""}`))...), `"}`...)
}

func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	f := s.fans.Get().(*fan)
	ok := f.ask(ctx.PostBody())
	s.fans.Put(f)
	if !ok {
		ctx.SetStatusCode(fasthttp.StatusBadGateway)
		return
	}
	ctx.SetContentType("application/json")
	ctx.Response.SetBodyRaw(s.reply)
}

// fan is one request's calls. It is pooled with its requests and responses,
// headers already set: what of a fan-out's cost is not system calls is mostly
// building those.
type fan struct {
	calls []call
	group sync.WaitGroup
}

type call struct {
	companion *companion
	request   fasthttp.Request
	response  fasthttp.Response
	ok        bool
}

func newFan(companions []*companion) *fan {
	f := &fan{calls: make([]call, len(companions))}
	for i, c := range companions {
		f.calls[i].companion = c
		request := &f.calls[i].request
		request.SetRequestURI(c.uri)
		request.Header.SetMethod(fasthttp.MethodPost)
		request.Header.SetContentType("application/json")
	}
	return f
}

// ask sends body to all, the last from this goroutine, and reports whether all
// answered 200. body is not kept.
func (f *fan) ask(body []byte) bool {
	last := len(f.calls) - 1
	f.group.Add(last)
	for i := range last {
		go f.callOne(&f.calls[i], body)
	}
	f.calls[last].do(body)
	f.group.Wait()
	ok := true
	for i := range f.calls {
		ok = ok && f.calls[i].ok
	}
	return ok
}

func (f *fan) callOne(c *call, body []byte) {
	c.do(body)
	f.group.Done()
}

func (c *call) do(body []byte) {
	c.request.SetBodyRaw(body)
	err := c.companion.client.Do(&c.request, &c.response)
	c.ok = err == nil && c.response.StatusCode() == fasthttp.StatusOK
	c.request.SetBodyRaw(nil)
}
