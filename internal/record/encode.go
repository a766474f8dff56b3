package record

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// encoder writes events as lines of JSON, by hand where a session has many of them:
// reflection over an operation costs more than all the rest of recording it.
type encoder struct {
	line []byte
	// stamp is the second of the newest event, as it is written.
	second int64
	stamp  []byte
	names  []string
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// begin opens the line of an event.
func (e *encoder) begin(sequence int64, at time.Time, kind EventType) {
	e.line = append(e.line[:0], `{"seq":`...)
	e.line = strconv.AppendInt(e.line, sequence, 10)
	e.line = append(e.line, `,"time":"`...)
	e.time(at)
	e.line = append(e.line, `","type":"`...)
	e.line = append(e.line, kind...)
	e.line = append(e.line, '"')
}

// time is RFC 3339 in UTC with six digits of the second, which change most.
func (e *encoder) time(at time.Time) {
	if second := at.Unix(); second != e.second || len(e.stamp) == 0 {
		e.second, e.stamp = second, at.UTC().AppendFormat(e.stamp[:0], "2006-01-02T15:04:05.")
	}
	e.line = append(e.line, e.stamp...)
	micros := at.Nanosecond() / 1000
	for unit := 100_000; unit > 0; unit /= 10 {
		e.line = append(e.line, byte('0'+micros/unit%10))
	}
	e.line = append(e.line, 'Z')
}

func (e *encoder) end() { e.line = append(e.line, '}', '\n') }

func (e *encoder) operation(o *Operation) {
	e.number(`,"operation":{"id":`, o.ID)
	e.text(`,"kind":`, o.Kind, maxAttribute)
	e.bytes(`,"text":`, o.Text)
	for i, value := range o.Values {
		prefix := `,`
		if i == 0 {
			prefix = `,"values":[`
		}
		e.bytes(prefix, value)
	}
	if len(o.Values) > 0 {
		e.line = append(e.line, ']')
	}
	e.list(`,"reads":[`, o.Reads)
	e.list(`,"writes":[`, o.Writes)
	if o.More {
		e.line = append(e.line, `,"more":true`...)
	}
	e.line = append(e.line, '}')
}

func (e *encoder) list(prefix string, names []string) {
	if len(names) == 0 {
		return
	}
	for _, name := range names[:min(len(names), maxNames)] {
		e.text(prefix, name, maxAttribute)
		prefix = ","
	}
	e.line = append(e.line, ']')
}

func (e *encoder) verdict(v *Verdict) {
	e.number(`,"verdict":{"operation":`, v.Operation)
	e.text(`,"effect":`, v.Effect, maxAttribute)
	e.text(`,"policy":`, v.Policy, maxAttribute)
	e.text(`,"rule":`, v.Rule, maxAttribute)
	if v.Message != "" {
		e.text(`,"message":`, v.Message, maxMessage)
	}
	e.line = append(e.line, '}')
}

func (e *encoder) result(r *Result) {
	e.number(`,"result":{"operation":`, r.Operation)
	if r.Tag != "" {
		e.text(`,"tag":`, r.Tag, maxAttribute)
	}
	if r.Rows != 0 {
		e.number(`,"rows":`, r.Rows)
	}
	if r.Bytes != 0 {
		e.number(`,"bytes":`, r.Bytes)
	}
	if r.Error != "" {
		e.text(`,"error":`, r.Error, maxMessage)
	}
	e.counts(r.Masked)
	e.line = append(e.line, '}')
}

// counts are in the order of their names.
func (e *encoder) counts(counts map[string]int64) {
	if len(counts) == 0 {
		return
	}
	e.names = e.names[:0]
	for name := range counts {
		e.names = append(e.names, name)
	}
	slices.Sort(e.names)
	prefix := `,"masked":{`
	for _, name := range e.names[:min(len(e.names), maxCounts)] {
		e.text(prefix, name, maxAttribute)
		e.number(":", counts[name])
		prefix = ","
	}
	e.line = append(e.line, '}')
}

func (e *encoder) stream(s *Stream) {
	e.number(`,"stream":{"operation":`, s.Operation)
	e.number(`,"bytes":`, s.Bytes)
	e.text(`,"sha256":`, s.SHA256, maxAttribute)
	e.line = append(e.line, '}')
}

func (e *encoder) output(o *Output) {
	e.number(`,"output":{"operation":`, o.Operation)
	for i, column := range o.Columns {
		prefix := `,{"name":`
		if i == 0 {
			prefix = `,"columns":[{"name":`
		}
		e.text(prefix, column.Name, maxColumn)
		e.number(`,"type":`, int64(column.Type))
		if column.Binary {
			e.line = append(e.line, `,"binary":true`...)
		}
		e.line = append(e.line, '}')
	}
	if len(o.Columns) > 0 {
		e.line = append(e.line, ']')
	}
	if o.Rows != 0 {
		e.number(`,"rows":`, o.Rows)
	}
	if o.Bytes != 0 {
		e.number(`,"bytes":`, o.Bytes)
	}
	e.line = append(e.line, '}')
}

func (e *encoder) terminal(t *Terminal) {
	e.number(`,"terminal":{"operation":`, t.Operation)
	e.text(`,"kind":`, t.Kind, maxAttribute)
	if t.Cols != 0 {
		e.number(`,"cols":`, int64(t.Cols))
	}
	if t.Rows != 0 {
		e.number(`,"rows":`, int64(t.Rows))
	}
	e.line = append(e.line, '}')
}

// attach announces the raw bytes that follow the line.
func (e *encoder) attach(block []byte) {
	if len(block) > 0 {
		e.number(`,"attached":`, int64(len(block)))
		e.number(`,"crc32c":`, int64(crc32.Checksum(block, castagnoli)))
	}
}

func (e *encoder) number(prefix string, n int64) {
	e.line = append(e.line, prefix...)
	e.line = strconv.AppendInt(e.line, n, 10)
}

// text is a text that is cut, and says so, beyond most bytes. What is not UTF-8 in it
// becomes U+FFFD.
func (e *encoder) text(prefix, text string, most int) {
	e.line = append(e.line, prefix...)
	e.line = append(e.line, '"')
	if len(text) > most {
		e.line = append(appendEscaped(e.line, text[:most]), cutMark...)
	} else {
		e.line = appendEscaped(e.line, text)
	}
	e.line = append(e.line, '"')
}

// bytes is a text of any bytes.
func (e *encoder) bytes(prefix string, text Text) {
	e.line = append(e.line, prefix...)
	switch {
	case bare(string(text)):
		e.line = append(e.line, '"')
		e.line = append(e.line, text...)
	case utf8.ValidString(string(text)):
		e.line = append(e.line, '"')
		e.line = appendEscaped(e.line, string(text))
	default:
		e.line = append(e.line, `{"base64":"`...)
		e.line = base64.StdEncoding.AppendEncode(e.line, []byte(text))
		e.line = append(e.line, `"}`...)
		return
	}
	e.line = append(e.line, '"')
}

const hexDigits = "0123456789abcdef"

// appendEscaped appends a text as it stands within a JSON string.
func appendEscaped(dst []byte, text string) []byte {
	if bare(text) {
		return append(dst, text...)
	}
	for i := 0; i < len(text); {
		c := text[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(text[i:])
			dst = utf8.AppendRune(dst, r)
			i += size
			continue
		}
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, `\n`...)
		case c == '\t':
			dst = append(dst, `\t`...)
		case c < ' ':
			dst = append(dst, `\u00`...)
			dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
		default:
			dst = append(dst, c)
		}
		i++
	}
	return dst
}

// other writes an event of a type that a session has few of, from session.start to
// session.end, whose texts are bounded.
func (e *encoder) other(event Event) error {
	text := bytes.NewBuffer(e.line[:0])
	encoder := json.NewEncoder(text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(&event); err != nil {
		return fmt.Errorf("encode event %d: %w", event.Sequence, err)
	}
	e.line = text.Bytes()
	return nil
}
