// Hello World on Go's own net/http, as a user of it would write it.
//
// How many threads run Go code at once is for the environment to say (GOMAXPROCS), so there is no
// flag for it.
package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
)

const body = "Hello World"

func hello(w http.ResponseWriter, r *http.Request) {
	// The pattern "/" matches all paths, so that the others are sorted out here.
	if r.URL.Path != "/" {
		http.NotFound(w, r)
		return
	}
	// net/http reads the rest of a body by itself, but gives up on one of more than 256 KiB.
	if r.ContentLength != 0 {
		io.Copy(io.Discard, r.Body)
	}
	header := w.Header()
	header.Set("Server", "go")
	header.Set("Content-Type", "text/plain") // Else it is guessed from the body each time.
	header.Set("Content-Length", strconv.Itoa(len(body)))
	io.WriteString(w, body) // Date, and Connection where it is needed, are net/http's work.
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
	fail(address, http.Serve(listener, http.HandlerFunc(hello)))
}

func fail(address string, err error) {
	// net wraps the kernel's reason in what it was doing, which the message says already.
	if inner, ok := err.(*net.OpError); ok {
		err = inner.Err
	}
	if inner, ok := err.(*os.SyscallError); ok {
		err = inner.Err
	}
	reason := err.Error()
	if err == syscall.EADDRINUSE {
		reason = "Address already in use" // As the other servers write it.
	}
	fmt.Fprintf(os.Stderr, "go: cannot listen on %s: %s\n", address, reason)
	os.Exit(1)
}
