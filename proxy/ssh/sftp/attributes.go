package sftp

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
	modeKind    = 0o170000
	modeFolder  = 0o040000
	modeRegular = 0o100000
	modeLink    = 0o120000
)

func (a *Attributes) is(kind uint32) bool {
	return a.flags&hasPermissions != 0 && a.mode&modeKind == kind
}
