package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

const (
	segmentFormat = "sallyport-segment"
	// encryptionAge is a body that is one age file (age-encryption.org/v1).
	encryptionAge = "age"

	segmentDomain = domain + Version + "/segment\x00"
	openDomain    = domain + Version + "/open\x00"
	bodyDomain    = domain + Version + "/body\x00"

	// maxHeader bounds a segment's first line, its line feed included.
	maxHeader = 1 << 10
)

// segmentHeader is the first line of a segment and of a journal.
type segmentHeader struct {
	Format     string `json:"format"`
	Version    string `json:"version"`
	RequestUID string `json:"requestUID"`
	Session    string `json:"session"`
	Segment    int    `json:"segment"`
	// First is the number of its first event, Time that event's.
	First int64     `json:"first"`
	Time  time.Time `json:"time"`
	// Previous is the hash of the segment before, in hex; zeros before the first.
	Previous   string `json:"previous"`
	Encryption string `json:"encryption,omitempty"`
}

// line is the header as it is written.
func (h segmentHeader) line() []byte {
	text, _ := json.Marshal(h) // strings, numbers and a time: nothing can fail
	return append(text, '\n')
}

// parseHeader divides an object into its header and the rest.
func parseHeader(object []byte) (header segmentHeader, line, body []byte, err error) {
	end := bytes.IndexByte(object[:min(len(object), maxHeader)], '\n') + 1
	if end == 0 {
		return header, nil, nil, errors.New("it does not begin with a header's line")
	}
	line, body = object[:end], object[end:]
	if err := strict(line, &header); err != nil || header.Format != segmentFormat {
		return header, nil, nil, errors.New("its first line is no header of a segment")
	}
	if header.Version != Version {
		return header, nil, nil, fmt.Errorf("%w: %q, not %q", ErrVersion, header.Version, Version)
	}
	switch {
	case !bytes.Equal(header.line(), line):
		return header, nil, nil, errors.New("its header is not in the spelling that is written")
	case header.Encryption != "" && header.Encryption != encryptionAge:
		return header, nil, nil, fmt.Errorf("encryption %q is none that this version has", header.Encryption)
	}
	statement := Statement{
		RequestUID: header.RequestUID, Session: header.Session, Segment: header.Segment, First: header.First,
		Last: header.First, Bytes: 1, Hash: Hash{1}.String(), Previous: header.Previous,
	}
	return header, line, body, statement.Validate()
}
