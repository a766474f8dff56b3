package sftp

import "bytes"

// Response is a packet of the target's. Its slices are parts of the packet.
type Response struct {
	Type byte
	ID   uint32
	// Status and Message of a typeStatus.
	Status  uint32
	Message []byte
	Handle  []byte
	Data    []byte
	// Name is the first of a typeName, Count how many there are.
	Name       []byte
	Count      uint32
	Attributes Attributes
	// suspect says that a name is none of a file in a folder (CVE-2019-6111).
	suspect bool
	// rest of an extended reply.
	rest []byte
}

// ParseResponse reads a packet without its length.
func ParseResponse(packet []byte) (r Response, err error) {
	c := cursor{rest: packet}
	r.Type, r.ID = c.byte(), c.uint32()
	switch r.Type {
	case typeStatus:
		r.Status = c.uint32()
		// Old servers leave message and language out.
		if len(c.rest) > 0 {
			r.Message = c.string(maxPacket)
			c.string(maxPacket)
		}
	case typeHandle:
		r.Handle = c.string(maxHandle)
		c.bad = c.bad || len(r.Handle) == 0
	case typeData:
		r.Data = c.string(maxPacket)
	case typeName:
		r.names(&c)
	case typeAttributes:
		r.Attributes = c.attributes()
	case typeExtendedReply:
		r.rest, c.rest = c.rest, nil
	default:
		return r, errMalformed
	}
	return r, c.end()
}

func (r *Response) names(c *cursor) {
	r.Count = c.uint32()
	for i := range r.Count {
		name := c.string(maxPath)
		c.string(maxPacket)
		c.attributes()
		if c.bad {
			return
		}
		if i == 0 {
			r.Name = name
		}
		r.suspect = r.suspect || len(name) == 0 || bytes.ContainsAny(name, "/\x00")
	}
}
