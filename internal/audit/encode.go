package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxEvent bounds an encoded event, in bytes. Standard Webhooks advises to stay below
// 20 kB, and CloudEvents' intermediaries need not forward more than 64 KiB.
const MaxEvent = 16 << 10

// envelope is a CloudEvent in structured JSON mode (CloudEvents 1.0, JSON format §3).
// The CloudEvents SDK's event package would bring in json-iterator, a reflection
// over unsafe pointers, for these ten lines.
type envelope struct {
	SpecVersion string    `json:"specversion"`
	ID          string    `json:"id"`
	Source      string    `json:"source"`
	Type        Type      `json:"type"`
	Subject     string    `json:"subject,omitempty"`
	Time        time.Time `json:"time"`
	// RequestUID is an extension attribute: names of requests are used again.
	RequestUID      string `json:"requestuid,omitempty"`
	DataContentType string `json:"datacontenttype"`
	Data            any    `json:"data"`
}

// encode puts an event on one line without its end, within MaxEvent: longer texts
// and lists are cut, and data.truncated says so.
func encode(source string, e Event) ([]byte, error) {
	out := envelope{
		SpecVersion: "1.0", ID: e.ID, Source: source, Type: e.Type, Subject: e.Subject.String(), Time: e.Time.UTC(),
		RequestUID: e.Subject.UID, DataContentType: "application/json", Data: e.Data,
	}
	line, err := marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encode an event of type %s: %w", e.Type, err)
	}
	if len(line) <= MaxEvent {
		return line, nil
	}
	for limit := MaxEvent / 4; len(line) > MaxEvent; limit /= 4 {
		if limit < 16 {
			return nil, fmt.Errorf("an event of type %s does not fit %d bytes", e.Type, MaxEvent)
		}
		if out.Data, err = cut(e.Data, limit); err != nil {
			return nil, fmt.Errorf("cut an event of type %s: %w", e.Type, err)
		}
		if line, err = marshal(out); err != nil {
			return nil, err
		}
	}
	return line, nil
}

// marshal writes JSON in which no byte does anything to a terminal that shows it:
// control characters above ASCII and bidirectional overrides (CVE-2021-42574) are
// escaped, as JSON does with those below.
func marshal(v any) ([]byte, error) {
	var plain bytes.Buffer
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	line := bytes.TrimSuffix(plain.Bytes(), []byte("\n"))
	if bytes.IndexFunc(line, disturbs) < 0 {
		return line, nil
	}
	escaped := make([]byte, 0, len(line)+64)
	for _, r := range string(line) {
		if disturbs(r) {
			escaped = fmt.Appendf(escaped, `\u%04x`, r)
		} else {
			escaped = utf8.AppendRune(escaped, r)
		}
	}
	return escaped, nil
}

func disturbs(r rune) bool {
	return r >= 0x7f && r <= 0x9f || r >= 0x200e && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0xfeff
}

// cut shortens every text of data to limit bytes and every list to a quarter as many
// items.
func cut(data any, limit int) (any, error) {
	plain, err := json.Marshal(data)
	if err != nil {
		return nil, err
	}
	fields := map[string]any{}
	decoder := json.NewDecoder(bytes.NewReader(plain))
	decoder.UseNumber()
	if err := decoder.Decode(&fields); err != nil {
		return nil, err
	}
	shortened, _ := shorten(fields, limit).(map[string]any)
	shortened["truncated"] = true
	return shortened, nil
}

func shorten(v any, limit int) any {
	switch v := v.(type) {
	case string:
		if len(v) <= limit {
			return v
		}
		return strings.ToValidUTF8(v[:limit], "") + "…"
	case []any:
		v = v[:min(len(v), max(limit/4, 1))]
		for i := range v {
			v[i] = shorten(v[i], limit)
		}
		return v
	case map[string]any:
		for name := range v {
			v[name] = shorten(v[name], limit)
		}
		return v
	}
	return v
}
