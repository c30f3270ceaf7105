// Hello World on gnet, an event loop for Go that knows connections and bytes, but no HTTP.
//
// The HTTP is ours and the least that is honest, so this server is of class "stripped": it looks for the blank line
// that ends a request and sends the same answer to each; methods and paths are not read. All else is as HTTP demands
// it: one answer for each request, in order, connections kept or closed as the client asks.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/panjf2000/gnet/v2"
)

const (
	longestHead = 8192
	tick        = 50 * time.Millisecond
)

var blank = []byte("\r\n\r\n")

// answers are what is sent, ready made for this second.
type answers struct {
	second     int64
	kept, last []byte
}

type server struct {
	gnet.BuiltinEventEngine
	now     atomic.Pointer[answers]
	leaving sync.Map // Connections whose last answer the kernel has not taken yet.
}

func compose(date, connection string) []byte {
	return []byte("HTTP/1.1 200 OK\r\nServer: gnet\r\nDate: " + date + "\r\nContent-Type: text/plain\r\n" +
		"Content-Length: 11\r\n" + connection + "\r\nHello World")
}

// renew composes the answers if the second is over.
func (s *server) renew() {
	now := time.Now()
	if before := s.now.Load(); before != nil && before.second == now.Unix() {
		return
	}
	date := now.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")
	s.now.Store(&answers{now.Unix(), compose(date, ""), compose(date, "Connection: close\r\n")})
}

// OnTick renews the date, and looks after those who leave: gnet tells nobody when all has been sent.
func (s *server) OnTick() (time.Duration, gnet.Action) {
	s.renew()
	s.leaving.Range(func(c, _ any) bool {
		c.(gnet.Conn).Wake(nil) // Its own loop then looks at it, in OnTraffic.
		return true
	})
	return tick, gnet.None
}

// OnClose forgets a connection.
func (s *server) OnClose(c gnet.Conn, _ error) gnet.Action {
	s.leaving.Delete(c)
	return gnet.None
}

// OnTraffic answers all whole requests that have come.
func (s *server) OnTraffic(c gnet.Conn) gnet.Action {
	if _, leaving := c.Context().(bool); leaving {
		c.Discard(-1)
		return s.leave(c)
	}
	input, _ := c.Peek(-1)
	output, used, last, plain := s.answer(input)
	rest := len(input) - used
	if used > 0 { // To discard nothing would mean to discard all.
		c.Discard(used)
		c.Write(output)
	}
	switch {
	case !plain, rest > longestHead:
		return gnet.Close
	case last:
		c.SetContext(true)
		return s.leave(c)
	}
	return gnet.None
}

// leave closes as soon as the kernel has taken everything: gnet itself would throw away what it has not.
func (s *server) leave(c gnet.Conn) gnet.Action {
	if c.OutboundBuffered() == 0 {
		return gnet.Close
	}
	s.leaving.Store(c, true)
	return gnet.None
}

// answer returns the answers to the whole requests in the input and how many bytes those took; whether the last one
// was the connection's last; and whether all were requests without a body, which alone can be skipped here.
func (s *server) answer(input []byte) (output []byte, used int, last, plain bool) {
	now := s.now.Load()
	for !last {
		end := bytes.Index(input[used:], blank)
		if end < 0 {
			break
		}
		head := input[used : used+end+2]
		if plain, last = read(head); !plain {
			return output, used, true, false
		}
		used += end + len(blank)
		if last {
			output = append(output, now.last...)
		} else {
			output = append(output, now.kept...)
		}
	}
	return output, used, last, true
}

// read tells whether a head is one of a request without a body, and whether it asks for the end of the connection.
func read(head []byte) (plain, last bool) {
	line, rest, _ := bytes.Cut(head, []byte("\r\n"))
	if bytes.Count(line, []byte(" ")) != 2 || line[0] < 'A' || line[0] > 'Z' {
		return false, false
	}
	switch version := line[bytes.LastIndexByte(line, ' ')+1:]; string(version) {
	case "HTTP/1.1":
	case "HTTP/1.0":
		last = true
	default:
		return false, false
	}
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("content-length")), bytes.EqualFold(name, []byte("transfer-encoding")):
			return false, false
		case bytes.EqualFold(name, []byte("connection")):
			last = last || bytes.Contains(bytes.ToLower(value), []byte("close"))
		}
	}
	return true, last
}

func main() {
	host := flag.String("host", "127.0.0.1", "address to listen on")
	port := flag.Int("port", 8080, "port to listen on")
	flag.Parse()

	address := net.JoinHostPort(*host, strconv.Itoa(*port))
	// With SO_REUSEPORT a forgotten server would quietly take a share of the load, so ask without it first.
	listener, err := net.Listen("tcp", address)
	if err != nil {
		fail(address, err)
	}
	listener.Close()
	s := new(server)
	s.renew()
	threads := runtime.GOMAXPROCS(0) // How many threads there are is for the environment to say.
	fail(address, gnet.Run(s, "tcp4://"+address,
		gnet.WithNumEventLoop(threads),
		gnet.WithReusePort(threads > 1), // A listening socket for each loop.
		gnet.WithTCPNoDelay(gnet.TCPNoDelay),
		gnet.WithReuseAddr(true), // Else it could not start on a port that was used a minute ago.
		gnet.WithTicker(true),
		gnet.WithLogger(silent{})))
}

// silent keeps gnet from printing what it does and who hangs up.
type silent struct{}

func (silent) Debugf(string, ...any) {}
func (silent) Infof(string, ...any)  {}
func (silent) Warnf(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(string, ...any) {}

func fail(address string, err error) {
	reason := fmt.Sprint(err)
	if errors.Is(err, syscall.EADDRINUSE) {
		reason = "Address already in use" // As the other servers write it.
	}
	fmt.Fprintf(os.Stderr, "gnet: cannot listen on %s: %s\n", address, reason)
	os.Exit(1)
}
