package load

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

// allocations is how much a Go program has allocated since it began.
type allocations struct{ objects, bytes float64 }

// scrape reads them from a Prometheus endpoint of the program.
func scrape(url string) (allocations, error) {
	status, body, err := get(url, 5*time.Second)
	if err != nil {
		return allocations{}, fmt.Errorf("load: metrics: %w", err)
	}
	if status != fasthttp.StatusOK {
		return allocations{}, fmt.Errorf("load: metrics: status %d", status)
	}
	return parseMetrics(body)
}

// get fetches url over a connection that it closes.
func get(url string, timeout time.Duration) (status int, body []byte, err error) {
	var request fasthttp.Request
	var response fasthttp.Response
	request.SetRequestURI(url)
	request.SetConnectionClose()
	client := fasthttp.Client{MaxResponseBodySize: 16 << 20, Dial: dial}
	if err := client.DoTimeout(&request, &response, timeout); err != nil {
		return 0, nil, err
	}
	return response.StatusCode(), response.Body(), nil
}

// dial is used in place of fasthttp's dialer, whose address cache is a
// goroutine without end.
func dial(address string) (net.Conn, error) { return net.Dial("tcp", address) }

func parseMetrics(text []byte) (a allocations, err error) {
	found := 0
	for line := range bytes.Lines(text) {
		name, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
		var into *float64
		switch string(name) {
		case "go_memstats_mallocs_total":
			into = &a.objects
		case "go_memstats_alloc_bytes_total":
			into = &a.bytes
		default:
			continue
		}
		if *into, err = strconv.ParseFloat(string(value), 64); err != nil {
			return allocations{}, fmt.Errorf("load: metrics: %s is no number", name)
		}
		found++
	}
	if found < 2 {
		return allocations{}, errors.New("load: metrics: no go_memstats")
	}
	return a, nil
}
