package socket_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/proxy/socket"
)

// pair is a wrapped connection and the other end of it, which is not.
func pair(t *testing.T) (wrapped, other net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			close(accepted)
			return
		}
		accepted <- conn
	}()
	raw, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	other, ok := <-accepted
	if !ok {
		t.Fatal("nothing was accepted")
	}
	t.Cleanup(func() { other.Close() })
	return socket.Wrap(raw), other
}

func TestBytesArriveAsTheyWereSentInCallsOfEverySize(t *testing.T) {
	t.Parallel()
	wrapped, other := pair(t)
	var sent []byte
	for size := 1; size < 100_000; size = size*3/2 + 1 {
		sent = append(sent, bytes.Repeat([]byte{byte(size)}, size)...)
	}
	go func() {
		_, _ = io.Copy(other, other)
		other.Close()
	}()
	go func() {
		rest := sent
		for size := 1; len(rest) > 0; size = size*3/2 + 1 {
			n := min(size, len(rest))
			if n, err := wrapped.Write(rest[:n]); err != nil {
				t.Error(n, err)
				return
			}
			rest = rest[n:]
		}
		_ = wrapped.(interface{ CloseWrite() error }).CloseWrite()
	}()
	var got []byte
	for buffer := make([]byte, 50_000); ; {
		n, err := wrapped.Read(buffer[:1+len(got)*7%len(buffer)])
		got = append(got, buffer[:n]...)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got, sent) {
		t.Errorf("%d bytes came back of %d, or others", len(got), len(sent))
	}
}

func TestAWriteWaitsForAPeerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	wrapped, other := pair(t)
	const chunks = 2000
	chunk := bytes.Repeat([]byte("x"), 8<<10)
	var written sync.WaitGroup
	written.Go(func() {
		for range chunks {
			if n, err := wrapped.Write(chunk); n != len(chunk) || err != nil {
				t.Error(n, err)
				return
			}
		}
	})
	if n, err := io.CopyN(io.Discard, other, chunks*int64(len(chunk))); err != nil {
		t.Error(n, err)
	}
	written.Wait()
}

func TestADeadlineEndsACallThatWaits(t *testing.T) {
	t.Parallel()
	wrapped, _ := pair(t)
	time.AfterFunc(10*time.Millisecond, func() { _ = wrapped.SetDeadline(time.Unix(1, 0)) })
	if n, err := wrapped.Read(make([]byte, 10)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(n, err)
	}
	if n, err := wrapped.Write(make([]byte, 10)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(n, err)
	}
}

func TestClosingEndsACallThatWaits(t *testing.T) {
	t.Parallel()
	wrapped, _ := pair(t)
	time.AfterFunc(10*time.Millisecond, func() { _ = wrapped.Close() })
	if n, err := wrapped.Read(make([]byte, 10)); n != 0 || !errors.Is(err, net.ErrClosed) {
		t.Error(n, err)
	}
}

func TestAPeerThatIsGoneIsToldApart(t *testing.T) {
	t.Parallel()
	wrapped, other := pair(t)
	if err := errors.Join(other.(*net.TCPConn).SetLinger(0), other.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := wrapped.Read(make([]byte, 10)); !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
	if _, err := wrapped.Write(make([]byte, 10)); !errors.Is(err, syscall.EPIPE) {
		t.Error(err)
	}
}

func TestWritesOfSeveralGoroutinesStayWhole(t *testing.T) {
	t.Parallel()
	wrapped, other := pair(t)
	const writers, lines, width = 4, 500, 1000
	var writing sync.WaitGroup
	for i := range writers {
		writing.Go(func() {
			line := append(bytes.Repeat([]byte{'a' + byte(i)}, width-1), '\n')
			for range lines {
				if _, err := wrapped.Write(line); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	line := make([]byte, width)
	for range writers * lines {
		if _, err := io.ReadFull(other, line); err != nil {
			t.Fatal(err)
		}
		if bytes.Count(line[:width-1], line[:1]) != width-1 || line[width-1] != '\n' {
			t.Fatalf("a line of several writers: %q", line)
		}
	}
	writing.Wait()
}

func TestShortCallsMakeNoGarbage(t *testing.T) {
	wrapped, other := pair(t)
	message := make([]byte, 100)
	exchange := func() {
		if _, err := other.Write(message); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(wrapped, message); err != nil {
			t.Fatal(err)
		}
		if _, err := wrapped.Write(message); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(other, message); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(100, exchange); n > 0 {
		t.Errorf("%v allocations an exchange", n)
	}
}

func TestWhatIsNoTCPConnectionStaysAsItIs(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	if socket.Wrap(near) != near {
		t.Error("a pipe was wrapped")
	}
}
