package transcript

import (
	"encoding/hex"
	"unicode/utf8"

	"github.com/sallyport/sallyport/internal/record"
)

// value is a row's value as a text to be read. A nil value is NULL, which isNull says.
func value(columns []record.Column, i int, raw []byte) (text string, isNull bool) {
	switch {
	case raw == nil:
		return "", true
	case i < len(columns) && columns[i].Binary:
		return `\x` + hex.EncodeToString(raw), false
	}
	return string(raw), false
}

// clip cuts a text to so many bytes, between characters, and says whether it did.
func clip(text string, most int) (string, bool) {
	if len(text) <= most {
		return text, false
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most], true
}
