package sftp

import "encoding/binary"

// begin begins a packet; finish writes its length.
func begin(b []byte, kind byte, id uint32) []byte {
	b = append(b, 0, 0, 0, 0, kind)
	return binary.BigEndian.AppendUint32(b, id)
}

func finish(b []byte) []byte {
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

func appendString[S string | []byte](b []byte, s S) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

// pathRequest is about a path, or a handle, with rest behind it.
func pathRequest(kind byte, id uint32, path string, rest []byte) []byte {
	return finish(append(appendString(begin(nil, kind, id), path), rest...))
}

// extendedRequest has a path or a handle, if any, in rest.
func extendedRequest(id uint32, name string, rest []byte) []byte {
	return finish(append(appendString(begin(nil, typeExtended, id), name), rest...))
}

// status answers with a code.
func status(id, code uint32, message string) []byte {
	b := binary.BigEndian.AppendUint32(begin(nil, typeStatus, id), code)
	return finish(appendString(appendString(b, message), "en"))
}

// nameReply answers with one path, and no attributes.
func nameReply(id uint32, path string) []byte {
	b := binary.BigEndian.AppendUint32(begin(nil, typeName, id), 1)
	b = appendString(appendString(b, path), path)
	return finish(binary.BigEndian.AppendUint32(b, 0))
}

// setID gives a whole packet another id.
func setID(packet []byte, id uint32) { binary.BigEndian.PutUint32(packet[5:], id) }
