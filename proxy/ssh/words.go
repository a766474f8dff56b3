package ssh

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/sallyport/sallyport/proxy/session"
)

// maxWords bounds what a client is told at once, in bytes.
const maxWords = 1024

// line is something that a client is told.
func line(message string) string { return "sallyport: " + clean(message) + "\n" }

// clean is text that a terminal may show: neither a target nor a client puts control
// sequences on another's screen.
func clean(text string) string {
	if len(text) > maxWords {
		text = text[:maxWords] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == utf8.RuneError {
			return '?'
		}
		return r
	}, text)
}

// usable is what a client is told of an operation that does not run, where its session
// goes on; false is an error that ends the session.
func usable(err error) (words string, ok bool) {
	var refusal *session.Refusal
	switch {
	case errors.As(err, &refusal):
		words = refusal.Error()
		if refusal.Request != "" {
			words += "; request " + refusal.Request
		}
		return words, true
	case errors.Is(err, session.ErrWithdrawn):
		return session.ErrWithdrawn.Error(), true
	case errors.Is(err, errChanged):
		return errChanged.Error(), true
	}
	return "", false
}
