package ssh

import (
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// The payloads of channels and requests, as RFC 4254 and OpenSSH's PROTOCOL have them.
type (
	// ptyRequest, section 6.2.
	ptyRequest struct {
		Term                         string
		Columns, Rows, Width, Height uint32
		Modes                        string
	}
	// windowChange, section 6.7.
	windowChange struct{ Columns, Rows, Width, Height uint32 }
	// envRequest, section 6.4.
	envRequest struct{ Name, Value string }
	// execRequest and subsystemRequest, section 6.5; signalRequest, section 6.9.
	execRequest      struct{ Command string }
	subsystemRequest struct{ Name string }
	signalRequest    struct{ Signal string }
	// x11Request, section 6.3.1.
	x11Request struct {
		Single           bool
		Protocol, Cookie string
		Screen           uint32
	}
	// exitStatus and exitSignal, section 6.10.
	exitStatus struct{ Status uint32 }
	exitSignal struct {
		Signal            string
		Core              bool
		Message, Language string
	}
	// forwardRequest is of tcpip-forward and cancel-tcpip-forward, section 7.1.
	forwardRequest struct {
		Host string
		Port uint32
	}
	// forwardedPort answers a tcpip-forward of port 0.
	forwardedPort struct{ Port uint32 }
	// tcpipChannel is of direct-tcpip and forwarded-tcpip, section 7.2.
	tcpipChannel struct {
		Host       string
		Port       uint32
		Origin     string
		OriginPort uint32
	}
	// socketRequest is of streamlocal-forward@openssh.com and its cancelling.
	socketRequest struct{ Path string }
	// socketChannel is of direct-streamlocal@openssh.com.
	socketChannel struct {
		Path, Reserved string
		ReservedToo    uint32
	}
	// forwardedSocket is of forwarded-streamlocal@openssh.com.
	forwardedSocket struct{ Path, Reserved string }
	// x11Channel, section 6.3.2.
	x11Channel struct {
		Origin     string
		OriginPort uint32
	}
)

// maxPayload bounds a request's payload, in bytes: no command line is longer on Linux,
// in one word.
const maxPayload = 128 << 10

// read reads a payload whole, without a byte left over.
func read(payload []byte, into any) error {
	if len(payload) > maxPayload {
		return fmt.Errorf("it has %d bytes, and at most %d are taken", len(payload), maxPayload)
	}
	if err := ssh.Unmarshal(payload, into); err != nil {
		return errors.New("it is malformed")
	}
	return nil
}
