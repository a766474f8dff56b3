package sftp

import (
	"fmt"
	"strings"
	"time"
)

// Flags of attributes (section 5).
const (
	hasSize        = 0x1
	hasOwner       = 0x2
	hasPermissions = 0x4
	hasTimes       = 0x8
	hasExtended    = 0x80000000
)

// Attributes of a file.
type Attributes struct {
	flags      uint32
	size       uint64
	uid, gid   uint32
	mode       uint32
	atime, mod uint32
	// raw is how they stand in the packet.
	raw []byte
}

func (c *cursor) attributes() (a Attributes) {
	from := c.rest
	a.flags = c.uint32()
	if a.flags&^(hasSize|hasOwner|hasPermissions|hasTimes|hasExtended) != 0 {
		c.bad = true
	}
	if a.flags&hasSize != 0 {
		a.size = c.uint64()
	}
	if a.flags&hasOwner != 0 {
		a.uid, a.gid = c.uint32(), c.uint32()
	}
	if a.flags&hasPermissions != 0 {
		a.mode = c.uint32()
	}
	if a.flags&hasTimes != 0 {
		a.atime, a.mod = c.uint32(), c.uint32()
	}
	if a.flags&hasExtended != 0 {
		for n := c.uint32(); n > 0 && !c.bad; n-- {
			c.string(maxPacket)
			c.string(maxPacket)
		}
	}
	if !c.bad {
		a.raw = from[:len(from)-len(c.rest)]
	}
	return a
}

// Kinds of files, as stat(2) has them.
const (
	modeKind   = 0o170000
	modeFolder = 0o040000
	modeLink   = 0o120000
)

func (a *Attributes) is(kind uint32) bool {
	return a.flags&hasPermissions != 0 && a.mode&modeKind == kind
}

// describe is what reviewers see of a file that is there.
func (a *Attributes) describe() string {
	var parts []string
	if a.is(modeFolder) {
		parts = append(parts, "a folder")
	} else if a.is(modeLink) {
		parts = append(parts, "a symbolic link")
	} else if a.flags&hasSize != 0 {
		parts = append(parts, fmt.Sprintf("%d bytes", a.size))
	}
	if a.flags&hasTimes != 0 {
		parts = append(parts, "modified "+time.Unix(int64(a.mod), 0).UTC().Format(time.RFC3339))
	}
	return strings.Join(parts, ", ")
}

// change is what a setstat would change.
func (a *Attributes) change() string {
	var parts []string
	if a.flags&hasSize != 0 {
		parts = append(parts, fmt.Sprintf("size %d", a.size))
	}
	if a.flags&hasOwner != 0 {
		parts = append(parts, fmt.Sprintf("owner %d:%d", a.uid, a.gid))
	}
	if a.flags&hasPermissions != 0 {
		parts = append(parts, fmt.Sprintf("mode %04o", a.mode&0o7777))
	}
	if a.flags&hasTimes != 0 {
		parts = append(parts, "modified "+time.Unix(int64(a.mod), 0).UTC().Format(time.RFC3339))
	}
	return strings.Join(parts, ", ")
}
