package sftp

// Request is a packet of the client's. Its slices are parts of the packet. Which fields
// are set depends on Type, and on Extension where that is typeExtended.
type Request struct {
	Type      byte
	ID        uint32
	Extension string
	// Handle, and the second one of a copy-data.
	Handle, SecondHandle []byte
	// Path, and the second one of what has two, in their order on the wire.
	Path, SecondPath []byte
	Flags            uint32
	Attributes       Attributes
	Offset           uint64
	Length           uint64
	SecondOffset     uint64
	// Data of a write.
	Data []byte
	// Rest of a request that has no path and no handle.
	Rest []byte
}

// ParseRequest reads a packet without its length. An extension that is not known has its
// name and ID alone.
func ParseRequest(packet []byte) (r Request, err error) {
	c := cursor{rest: packet}
	r.Type, r.ID = c.byte(), c.uint32()
	switch r.Type {
	case typeOpen:
		r.Path, r.Flags, r.Attributes = c.string(maxPath), c.uint32(), c.attributes()
	case typeClose, typeFstat, typeReaddir:
		r.Handle = c.string(maxHandle)
	case typeRead:
		r.Handle, r.Offset, r.Length = c.string(maxHandle), c.uint64(), uint64(c.uint32())
	case typeWrite:
		r.Handle, r.Offset, r.Data = c.string(maxHandle), c.uint64(), c.string(maxPacket)
		r.Length = uint64(len(r.Data))
	case typeLstat, typeStat, typeOpendir, typeRemove, typeRmdir, typeRealpath, typeReadlink:
		r.Path = c.string(maxPath)
	case typeSetstat, typeMkdir:
		r.Path, r.Attributes = c.string(maxPath), c.attributes()
	case typeFsetstat:
		r.Handle, r.Attributes = c.string(maxHandle), c.attributes()
	case typeRename, typeSymlink:
		r.Path, r.SecondPath = c.string(maxPath), c.string(maxPath)
	case typeExtended:
		r.extended(&c)
	default:
		return r, errMalformed
	}
	return r, c.end()
}

func (r *Request) extended(c *cursor) {
	name := c.string(maxName)
	for known := range extensions {
		if string(name) == known {
			r.Extension = known
		}
	}
	switch r.Extension {
	case extPosixRename, extHardlink:
		r.Path, r.SecondPath = c.string(maxPath), c.string(maxPath)
	case extStatvfs, extExpandPath, extHome:
		r.Path = c.string(maxPath)
	case extFstatvfs, extFsync:
		r.Handle = c.string(maxHandle)
	case extLsetstat:
		r.Path, r.Attributes = c.string(maxPath), c.attributes()
	case extCopyData:
		r.Handle, r.Offset, r.Length = c.string(maxHandle), c.uint64(), c.uint64()
		r.SecondHandle, r.SecondOffset = c.string(maxHandle), c.uint64()
	case extUsersGroups:
		from := c.rest
		c.string(maxPacket)
		c.string(maxPacket)
		r.Rest = from
	case extLimits:
	default:
		if r.Extension = string(name); !c.bad {
			c.rest = nil
		}
	}
}
