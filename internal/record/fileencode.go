package record

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"
)

// appendEvent appends the event as encoding/json writes it, and says no to one that it
// leaves to encoding/json: of every operation's events, which are most of a recording,
// those whose texts need no escaping. Reflection over them costs more than the write.
func appendEvent(dst []byte, event *Event) ([]byte, bool) {
	dst = append(dst, `{"seq":`...)
	dst = strconv.AppendInt(dst, event.Sequence, 10)
	dst = append(dst, `,"time":"`...)
	dst = event.Time.AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, `","type":"`...)
	dst = append(dst, event.Type...)
	dst = append(dst, '"')
	switch {
	case event.Type == EventOperation && event.Operation != nil:
		return appendOperation(dst, event.Operation)
	case event.Type == EventVerdict && event.Verdict != nil:
		return appendVerdict(dst, event.Verdict)
	case event.Type == EventResult && event.Result != nil:
		return appendResult(dst, event.Result)
	case event.Type == EventOutput && event.Output != nil:
		return appendOutput(dst, event.Output)
	}
	return dst, false
}

func appendOperation(dst []byte, o *Operation) ([]byte, bool) {
	if !bare(o.Kind) || !bare(string(o.Text)) {
		return dst, false
	}
	dst = append(dst, `,"operation":{"id":`...)
	dst = strconv.AppendInt(dst, o.ID, 10)
	dst = appendString(dst, `,"kind":"`, o.Kind)
	dst = appendString(dst, `,"text":"`, string(o.Text))
	for i, value := range o.Values {
		if !bare(string(value)) {
			return dst, false
		}
		prefix := `,"`
		if i == 0 {
			prefix = `,"values":["`
		}
		dst = appendString(dst, prefix, string(value))
	}
	if len(o.Values) > 0 {
		dst = append(dst, ']')
	}
	if o.More {
		dst = append(dst, `,"more":true`...)
	}
	return append(dst, "}}"...), true
}

func appendVerdict(dst []byte, v *Verdict) ([]byte, bool) {
	if !bare(v.Effect) || !bare(v.Policy) || !bare(v.Rule) || !bare(v.Message) {
		return dst, false
	}
	dst = append(dst, `,"verdict":{"operation":`...)
	dst = strconv.AppendInt(dst, v.Operation, 10)
	dst = appendString(dst, `,"effect":"`, v.Effect)
	dst = appendString(dst, `,"policy":"`, v.Policy)
	dst = appendString(dst, `,"rule":"`, v.Rule)
	if v.Message != "" {
		dst = appendString(dst, `,"message":"`, v.Message)
	}
	return append(dst, "}}"...), true
}

func appendResult(dst []byte, r *Result) ([]byte, bool) {
	if !bare(r.Tag) || !bare(r.Error) || len(r.Masked) > 0 {
		return dst, false
	}
	dst = append(dst, `,"result":{"operation":`...)
	dst = strconv.AppendInt(dst, r.Operation, 10)
	if r.Tag != "" {
		dst = appendString(dst, `,"tag":"`, r.Tag)
	}
	if r.Rows != 0 {
		dst = append(dst, `,"rows":`...)
		dst = strconv.AppendInt(dst, r.Rows, 10)
	}
	if r.Bytes != 0 {
		dst = append(dst, `,"bytes":`...)
		dst = strconv.AppendInt(dst, r.Bytes, 10)
	}
	if r.Error != "" {
		dst = appendString(dst, `,"error":"`, r.Error)
	}
	return append(dst, "}}"...), true
}

func appendOutput(dst []byte, o *Output) ([]byte, bool) {
	if len(o.Columns) > 0 {
		return dst, false
	}
	dst = append(dst, `,"output":{"operation":`...)
	dst = strconv.AppendInt(dst, o.Operation, 10)
	if o.Rows != 0 {
		dst = append(dst, `,"rows":`...)
		dst = strconv.AppendInt(dst, o.Rows, 10)
	}
	if o.Bytes != 0 {
		dst = append(dst, `,"bytes":`...)
		dst = strconv.AppendInt(dst, o.Bytes, 10)
	}
	if len(o.Data) > 0 {
		dst = append(dst, `,"data":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, o.Data)
		dst = append(dst, '"')
	}
	return append(dst, "}}"...), true
}

func appendString(dst []byte, before, text string) []byte {
	dst = append(dst, before...)
	dst = append(dst, text...)
	return append(dst, '"')
}

// marshal appends the event by reflection.
func marshal(buffer *bytes.Buffer, event *Event) error {
	encoder := json.NewEncoder(buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(event); err != nil {
		return err
	}
	// Encode ends the line.
	buffer.Truncate(buffer.Len() - 1)
	return nil
}
