package sftp

import (
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// planOpen: what is opened is then read or written under this one admission.
func (r *Relay) planOpen(q *Request) (*job, error) {
	if q.Flags&^flagsKnown != 0 {
		return nil, untold("a flag of the open is not known")
	}
	write := q.Flags&(flagWrite|flagAppend|flagCreate|flagTruncate|flagExclusive) != 0
	// OpenSSH opens for reading what is not opened for writing.
	read := q.Flags&flagRead != 0 || q.Flags&flagWrite == 0
	// A file that must not exist is never behind a link; where none is made, O_EXCL means
	// nothing to the target, and it follows links (open(2)).
	const isNew = flagCreate | flagExclusive
	place, err := r.walk.resolve(r.ctx, string(q.Path), q.Flags&isNew != isNew)
	if err != nil {
		return nil, err
	}
	j := &job{
		Operation: Operation{Kind: "sftp open", Bytes: -1, FromTarget: read},
		kind:      typeOpen, packet: pathRequest(typeOpen, 0, place.Path, flagsAndAttributes(q.Flags, q.Attributes)),
		file: &file{relay: r, path: place.Path, read: read, write: write, appends: q.Flags&flagAppend != 0},
	}
	j.file.from.most, j.file.to.most = r.Gate.MaxBytes(place.Path, v1alpha1.FileRead), r.Gate.MaxBytes(place.Path, v1alpha1.FileWrite)
	// What is appended does not begin the file.
	j.file.to.broken = j.file.appends && place.Exists && place.Attributes.size > 0 && q.Flags&flagTruncate == 0
	var how []string
	if read {
		how = append(how, "to read")
		j.Files = append(j.Files, use(place.Path, v1alpha1.FileRead))
		if place.Exists && !write {
			j.Bytes = int64(min(place.Attributes.size, 1<<62))
		}
	}
	if write {
		how = append(how, "to write")
		j.Files = append(j.Files, use(place.Path, v1alpha1.FileWrite))
	}
	if q.Flags&flagTruncate != 0 {
		how = append(how, "from empty")
	}
	if q.Attributes.flags&hasPermissions != 0 && q.Flags&flagCreate != 0 && !place.Exists {
		how = append(how, "as new with mode "+strconv.FormatUint(uint64(q.Attributes.mode&0o7777), 8))
	}
	j.Shown = "sftp open " + quoted(place.Path) + " " + strings.Join(how, ", ") + place.Shown()
	return j, nil
}

// flagsAndAttributes are an open behind its path.
func flagsAndAttributes(flags uint32, a Attributes) []byte {
	return append(binary.BigEndian.AppendUint32(nil, flags), a.raw...)
}
