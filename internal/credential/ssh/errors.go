package ssh

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/credential"
	"github.com/sallyport/sallyport/internal/hostkey"
)

// failure is an error of a target, fit for a condition: bounded, in one line, without
// control characters. What the package ssh returned is dropped: a server's words are in it.
type failure struct {
	text  string
	about error
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.about }

// ownAddress is our side of a connection in the net package's words. Its port is another
// each time, and an error that is the same should read the same.
var ownAddress = regexp.MustCompile(`[0-9a-fA-F.:\[\]]+:[0-9]+->`)

// classify says what an error of a connection is about. One of credential's errors
// stays what it is.
func classify(target credential.Target, err error) error {
	for _, already := range []error{credential.ErrAdministrator, credential.ErrUnsupported, credential.ErrGrant} {
		if errors.Is(err, already) {
			return err
		}
	}
	f := &failure{about: credential.ErrUnreachable, text: "connect to AccessTarget " + target.Name + ": " +
		oneLine(strings.TrimPrefix(ownAddress.ReplaceAllString(err.Error(), ""), "ssh: handshake failed: "), 512)}
	if errors.Is(err, context.Canceled) {
		f.about = context.Canceled
	}
	if mismatch, ok := errors.AsType[*hostkey.Mismatch](err); ok {
		f.text = fmt.Sprintf("AccessTarget %s: %s: it is another server, or its keys were changed; "+
			"if that was meant, make an AccessTarget anew with its keys", target.Name, oneLine(mismatch.Error(), 2048))
	}
	if none, ok := errors.AsType[*ssh.AlgorithmNegotiationError](err); ok {
		f.about = credential.ErrUnsupported
		f.text = fmt.Sprintf("AccessTarget %s: no algorithm in common, or no host key of a pinned type: %s", target.Name, oneLine(none.Error(), 512))
	}
	return f
}

// oneLine makes what a target said fit for a terminal and a condition.
func oneLine(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return text
}
