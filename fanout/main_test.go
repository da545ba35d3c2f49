package fanout_test

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"
)

// The benchmarks' companions are a process of their own, so that its CPU is not
// counted as the fan's: this test binary, started again with this set.
const companionProcess = "FANOUT_TEST_COMPANIONS"

func TestMain(m *testing.M) {
	if os.Getenv(companionProcess) != "" {
		serveCompanions()
		return
	}
	flag.Parse()
	if flag.Lookup("test.bench").Value.String() != "" {
		os.Exit(m.Run()) // the floor's client leaves goroutines behind
	}
	goleak.VerifyTestMain(m)
}

// answer is a companion's reply of 600 bytes.
var answer = fmt.Sprintf(`{"response":"%s","stance":"","confidence":0.9,"rationale":"It follows from the question.","model":"sim-1","usage":{"inputTokens":31,"outputTokens":120}}`,
	strings.Repeat("The answer is forty-two. ", 18)+"So 42.")

const benchCompanions = 5

func serveCompanions() {
	for range benchCompanions {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		server := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
			ctx.SetContentType("application/json")
			ctx.SetBodyString(answer)
		}}
		go server.Serve(ln)
		fmt.Println(ln.Addr())
	}
	io.Copy(io.Discard, os.Stdin) // until the parent closes it
}

// startCompanions returns the addresses of companions in a process that ends
// with the benchmark.
func startCompanions(b *testing.B) []string {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), companionProcess+"=1")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		stdin.Close()
		cmd.Wait()
	})
	var addrs []string
	for lines := bufio.NewScanner(stdout); len(addrs) < benchCompanions && lines.Scan(); {
		addrs = append(addrs, lines.Text())
	}
	if len(addrs) != benchCompanions {
		b.Fatal("the companions' process ended early")
	}
	return addrs
}
