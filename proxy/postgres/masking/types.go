package masking

// OIDs of types (pg_type.dat); they are the same in every PostgreSQL.
const (
	typeBool        = 16
	typeBytea       = 17
	typeName        = 19
	typeInt8        = 20
	typeInt2        = 21
	typeInt4        = 23
	typeText        = 25
	typeOID         = 26
	typeJSON        = 114
	typeXML         = 142
	typeCIDR        = 650
	typeFloat4      = 700
	typeFloat8      = 701
	typeUnknown     = 705
	typeInet        = 869
	typeBpchar      = 1042
	typeVarchar     = 1043
	typeDate        = 1082
	typeTimestamp   = 1114
	typeTimestamptz = 1184
	typeNumeric     = 1700
	typeCString     = 2275
	typeUUID        = 2950
	typeJSONB       = 3802
)

// firstUserOID is the first that PostgreSQL gives to what users make.
const firstUserOID = 16384

// class is how values of a type are looked into.
type class uint8

const (
	// classOther may hold text somewhere: arrays, composites, whatever is not known.
	classOther class = iota
	classText
	classJSON
	classJSONB
	classXML
	// classDigits are numbers long enough for a payment card.
	classDigits
	classNet
	// classBare holds no text: it is never scanned.
	classBare
)

// classOf a type. The bare ones are numbers, times, bits, geometry, and arrays of them.
// bytea is among them: its bytes have no meaning that a detector could know.
func classOf(oid uint32) class {
	switch oid {
	case typeText, typeVarchar, typeBpchar, typeName, typeUnknown, typeCString:
		return classText
	case typeXML:
		return classXML
	case typeJSON:
		return classJSON
	case typeJSONB:
		return classJSONB
	case typeInt8, typeNumeric:
		return classDigits
	case typeInet, typeCIDR:
		return classNet
	case typeBool, typeBytea, 18, typeInt2, typeInt4, 24, typeOID, 27, 28, 29, 5069, typeFloat4, typeFloat8, typeUUID,
		typeDate, 1083, typeTimestamp, typeTimestamptz, 1186, 1266, 790, 829, 774, 1560, 1562, 3220,
		600, 601, 602, 603, 604, 628, 718,
		1000, 1001, 1005, 1007, 1021, 1022, 1028, 1115, 1182, 1183, 1185, 1187, 1270, 2951:
		return classBare
	}
	return classOther
}
