// Package krl writes OpenSSH's lists of revoked keys, for RevokedKeys of an sshd
// (PROTOCOL.krl): certificates of an authority, by serial number and by key ID.
package krl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// Bounds of one list; a server reads it whole at every login.
const (
	maxEntries = 100_000
	maxKeyID   = 255
	maxComment = 255
)

// Numbers of PROTOCOL.krl.
const (
	magic           uint64 = 0x5353484b524c0a00 // "SSHKRL\n\0"
	formatVersion   uint32 = 1
	sectionCerts    byte   = 1
	certSerialList  byte   = 0x20
	certSerialRange byte   = 0x21
	certBitmap      byte   = 0x22
	certKeyID       byte   = 0x23
)

// List is what is revoked. It is not for concurrent use.
type List struct {
	comment     string
	generated   time.Time
	authorities map[string]*authority // by the key's wire form
	entries     int
}

type authority struct {
	serials []span
	keyIDs  []string
}

// span is serial numbers from low to high, both included.
type span struct{ low, high uint64 }

// New begins an empty list. Its version, which says which of two lists is newer, is
// the time when it was generated.
func New(comment string, generated time.Time) (*List, error) {
	if len(comment) > maxComment || strings.ContainsFunc(comment, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return nil, fmt.Errorf("a list's comment is one line of at most %d bytes", maxComment)
	}
	if generated.Unix() <= 0 {
		return nil, errors.New("a list must say when it was generated")
	}
	return &List{comment: comment, generated: generated, authorities: map[string]*authority{}}, nil
}

// RevokeSerial revokes the certificates of ca that have the serial number.
func (l *List) RevokeSerial(ca ssh.PublicKey, serial uint64) error {
	return l.RevokeRange(ca, serial, serial)
}

// RevokeRange revokes the certificates of ca with serial numbers from low to high, both
// included. 0 is the serial number of certificates that have none: it cannot be revoked.
func (l *List) RevokeRange(ca ssh.PublicKey, low, high uint64) error {
	if low == 0 || high < low {
		return fmt.Errorf("serial numbers %d to %d cannot be revoked", low, high)
	}
	of, err := l.authority(ca)
	if err != nil {
		return err
	}
	of.serials = append(of.serials, span{low, high})
	return nil
}

// RevokeKeyID revokes the certificates of ca that have the key ID.
func (l *List) RevokeKeyID(ca ssh.PublicKey, keyID string) error {
	if keyID == "" || len(keyID) > maxKeyID || strings.ContainsRune(keyID, 0) {
		return fmt.Errorf("a key ID has 1 to %d bytes, none of them NUL", maxKeyID)
	}
	of, err := l.authority(ca)
	if err != nil {
		return err
	}
	of.keyIDs = append(of.keyIDs, keyID)
	return nil
}

// authority counts one entry of ca. No key at all would be every authority to OpenSSH,
// and a certificate is no authority.
func (l *List) authority(ca ssh.PublicKey) (*authority, error) {
	if ca == nil {
		return nil, errors.New("no authority is given")
	}
	if _, certificate := ca.(*ssh.Certificate); certificate {
		return nil, errors.New("a certificate is no authority")
	}
	if l.entries++; l.entries > maxEntries {
		return nil, fmt.Errorf("a list holds at most %d entries: certificates that have run out need none", maxEntries)
	}
	key := string(ca.Marshal())
	of, ok := l.authorities[key]
	if !ok {
		of = &authority{}
		l.authorities[key] = of
	}
	return of, nil
}

// Marshal is the list as a file: the same for the same entries in any order.
func (l *List) Marshal() []byte {
	when := uint64(l.generated.Unix())
	out := binary.BigEndian.AppendUint64(nil, magic)
	out = binary.BigEndian.AppendUint32(out, formatVersion)
	out = binary.BigEndian.AppendUint64(out, when) // version of the list
	out = binary.BigEndian.AppendUint64(out, when)
	out = binary.BigEndian.AppendUint64(out, 0) // flags
	out = appendString(out, nil)                // reserved
	out = appendString(out, []byte(l.comment))
	for _, key := range slices.Sorted(maps.Keys(l.authorities)) {
		section := appendString(nil, []byte(key))
		section = appendString(section, nil) // reserved
		section = append(section, l.authorities[key].marshal()...)
		out = append(out, sectionCerts)
		out = appendString(out, section)
	}
	return out
}

func (a *authority) marshal() []byte {
	var out []byte
	for _, part := range partition(merge(a.serials)) {
		out = append(out, part.kind)
		out = appendString(out, part.data)
	}
	if len(a.keyIDs) == 0 {
		return out
	}
	var ids []byte
	for _, id := range slices.Compact(slices.Sorted(slices.Values(a.keyIDs))) {
		ids = appendString(ids, []byte(id))
	}
	return appendString(append(out, certKeyID), ids)
}

func appendString(out, data []byte) []byte {
	return append(binary.BigEndian.AppendUint32(out, uint32(len(data))), data...)
}
