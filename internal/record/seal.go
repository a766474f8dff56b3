package record

import (
	"bytes"
	"fmt"

	"filippo.io/age"
)

// closeSegment makes the object of a segment from its header, its frames and who may
// read it.
func closeSegment(header segmentHeader, frames []byte, last int64, complete bool, recipients []age.Recipient) (Sealed, error) {
	header.Encryption = ""
	if len(recipients) > 0 {
		header.Encryption = encryptionAge
	}
	line := header.line()
	body := appendTrailer(frames, line)
	var object bytes.Buffer
	object.Grow(len(line) + len(body) + maxHeader)
	object.Write(line)
	if header.Encryption == "" {
		object.Write(body)
	} else if err := encrypt(&object, body, recipients); err != nil {
		return Sealed{}, fmt.Errorf("encrypt segment %d: %w", header.Segment, err)
	}
	return Sealed{Content: object.Bytes(), Statement: Statement{
		RequestUID: header.RequestUID, Session: header.Session, Segment: header.Segment,
		First: header.First, Last: last, Bytes: int64(object.Len()),
		Hash: segmentHash(object.Bytes()).String(), Previous: header.Previous, Complete: complete,
	}}, nil
}

func encrypt(object *bytes.Buffer, body []byte, recipients []age.Recipient) error {
	out, err := age.Encrypt(object, recipients...)
	if err != nil {
		return err
	}
	if _, err := out.Write(body); err != nil {
		return err
	}
	return out.Close()
}

// segmentHash is the link of the chain: over every byte of the object.
func segmentHash(object []byte) Hash { return sum(segmentDomain, nil, object) }

// headOfSealed is the head's hash where a segment is sealed and the next has no event.
func headOfSealed(segment Hash) string { return sum(openDomain, segment[:], nil).String() }

// SealedHead is the hash of the head that ends with a segment.
func SealedHead(of Statement) (string, error) {
	segment, err := parseHash(of.Hash)
	if err != nil {
		return "", err
	}
	return headOfSealed(segment), nil
}
