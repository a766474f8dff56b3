package ssh

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"
)

// again reads a payload, and what goes on of it.
func again[T any](payload []byte) (understood bool, first, second any, err error) {
	var a, b T
	if read(payload, &a) != nil {
		return false, nil, nil, nil
	}
	err = read(ssh.Marshal(&a), &b)
	return true, a, b, err
}

// FuzzChannelRequest: what is understood of a request's payload means the same after it
// was made anew, for that is what the target gets.
func FuzzChannelRequest(f *testing.F) {
	f.Add(ssh.Marshal(&ptyRequest{"xterm", 80, 24, 0, 0, "\x00"}))
	f.Add(ssh.Marshal(&windowChange{80, 24, 0, 0}))
	f.Add(ssh.Marshal(&envRequest{"LANG", "C"}))
	f.Add(ssh.Marshal(&execRequest{"true"}))
	f.Add(ssh.Marshal(&x11Request{true, "MIT-MAGIC-COOKIE-1", "00", 0}))
	f.Add(ssh.Marshal(&exitSignal{"TERM", false, "", ""}))
	f.Add(ssh.Marshal(&exitStatus{7}))
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, kind := range []func([]byte) (bool, any, any, error){
			again[ptyRequest], again[windowChange], again[envRequest], again[execRequest], again[subsystemRequest],
			again[signalRequest], again[x11Request], again[exitStatus], again[exitSignal],
		} {
			if understood, first, second, err := kind(payload); understood && (err != nil || !cmp.Equal(first, second)) {
				t.Errorf("%#v became %#v: %v", first, second, err)
			}
		}
		isInterrupt(payload)
	})
}

// FuzzChannelOpen: a forwarding that is judged is the one that the target is asked for.
func FuzzChannelOpen(f *testing.F) {
	f.Add(ssh.Marshal(&tcpipChannel{"db.internal", 5432, "127.0.0.1", 5}))
	f.Add(ssh.Marshal(&socketChannel{Path: "/run/docker.sock"}))
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, kind := range []string{"direct-tcpip", "direct-streamlocal@openssh.com"} {
			action, text, out := readForward(kind, payload)
			if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
				t.Errorf("%q would not show", text)
			}
			if action.Unknown != "" {
				continue
			}
			action2, text2, out2 := readForward(kind, out)
			if text != text2 || !slices.Equal(out, out2) || !cmp.Equal(action, action2) {
				t.Errorf("%+v became %+v", action, action2)
			}
			if action.SSH.Socket == "" && (action.SSH.Port < 0 || action.SSH.Port > 65535) {
				t.Errorf("port %d", action.SSH.Port)
			}
		}
	})
}

// FuzzGlobalRequest: the same, for what the target is to listen on.
func FuzzGlobalRequest(f *testing.F) {
	f.Add(ssh.Marshal(&forwardRequest{"localhost", 0}))
	f.Add(ssh.Marshal(&socketRequest{"/tmp/s"}))
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, kind := range []string{"tcpip-forward", "streamlocal-forward@openssh.com"} {
			at, action, text, out := readListen(&ssh.Request{Type: kind, Payload: payload})
			if action.Unknown != "" {
				continue
			}
			at2, action2, text2, out2 := readListen(&ssh.Request{Type: kind, Payload: out})
			if at != at2 || text != text2 || !slices.Equal(out, out2) || !cmp.Equal(action, action2) {
				t.Errorf("%+v became %+v", action, action2)
			}
		}
	})
}
