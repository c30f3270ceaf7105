// Hello World on fasthttp, as its own README shows it.
//
// How many threads run Go code at once is for the environment to say (GOMAXPROCS), so there is no
// flag for it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"

	"github.com/valyala/fasthttp"
)

const (
	body        = "Hello World"
	contentType = "text/plain"
)

func hello(ctx *fasthttp.RequestCtx) {
	ctx.SetContentType(contentType)
	if string(ctx.Path()) != "/" { // Comparing does not copy.
		ctx.SetStatusCode(fasthttp.StatusNotFound)
		ctx.SetBodyString("Not Found")
		return
	}
	// Date, Content-Length, Connection and the empty body of HEAD are fasthttp's work.
	ctx.SetBodyString(body)
}

func main() {
	host := flag.String("host", "127.0.0.1", "address to listen on")
	port := flag.Int("port", 8080, "port to listen on")
	flag.Parse()

	address := net.JoinHostPort(*host, strconv.Itoa(*port))
	listener, err := net.Listen("tcp", address) // The backlog is the kernel's limit.
	if err != nil {
		fail(address, err)
	}
	server := fasthttp.Server{Handler: hello, Name: "fasthttp", Logger: silent{}}
	fail(address, server.Serve(listener))
}

// silent keeps fasthttp from printing a line for each client that talks nonsense or hangs up.
type silent struct{}

func (silent) Printf(string, ...any) {}

func fail(address string, err error) {
	reason := err.Error()
	if errors.Is(err, syscall.EADDRINUSE) {
		reason = "Address already in use" // As the other servers write it.
	}
	fmt.Fprintf(os.Stderr, "fasthttp: cannot listen on %s: %s\n", address, reason)
	os.Exit(1)
}
