package sftp

import "errors"

// Sizes.
const (
	// maxPacket is the most that the length of a packet may say, as OpenSSH's
	// SFTP_MAX_MSG_LENGTH.
	maxPacket = 256 << 10
	// maxPath is Linux's PATH_MAX, maxHandle the draft's bound (section 6.2).
	maxPath, maxHandle = 4096, 256
	// maxName bounds the name of an extension.
	maxName = 128
)

// version of the protocol that is spoken here, and no other.
const version = 3

// Types of packets (section 3).
const (
	typeInit          = 1
	typeVersion       = 2
	typeOpen          = 3
	typeClose         = 4
	typeRead          = 5
	typeWrite         = 6
	typeLstat         = 7
	typeFstat         = 8
	typeSetstat       = 9
	typeFsetstat      = 10
	typeOpendir       = 11
	typeReaddir       = 12
	typeRemove        = 13
	typeMkdir         = 14
	typeRmdir         = 15
	typeRealpath      = 16
	typeStat          = 17
	typeRename        = 18
	typeReadlink      = 19
	typeSymlink       = 20
	typeStatus        = 101
	typeHandle        = 102
	typeData          = 103
	typeName          = 104
	typeAttributes    = 105
	typeExtended      = 200
	typeExtendedReply = 201
)

// Flags of an open (section 6.3).
const (
	flagRead      = 0x01
	flagWrite     = 0x02
	flagAppend    = 0x04
	flagCreate    = 0x08
	flagTruncate  = 0x10
	flagExclusive = 0x20
	flagsKnown    = 0x3f
)

// Codes of a status (section 7).
const (
	statusOK               = 0
	statusEOF              = 1
	statusNoSuchFile       = 2
	statusPermissionDenied = 3
	statusFailure          = 4
	statusBadMessage       = 5
	statusUnsupported      = 8
)

var statusNames = [...]string{"OK", "EOF", "no such file", "permission denied", "failure", "bad message", "no connection", "connection lost", "operation unsupported"}

func statusName(code uint32) string {
	if int(code) < len(statusNames) {
		return statusNames[code]
	}
	return "unknown status"
}

// Extensions that are understood, with the version that is.
const (
	extPosixRename = "posix-rename@openssh.com"
	extStatvfs     = "statvfs@openssh.com"
	extFstatvfs    = "fstatvfs@openssh.com"
	extHardlink    = "hardlink@openssh.com"
	extFsync       = "fsync@openssh.com"
	extLsetstat    = "lsetstat@openssh.com"
	extLimits      = "limits@openssh.com"
	extExpandPath  = "expand-path@openssh.com"
	extCopyData    = "copy-data"
	extHome        = "home-directory"
	extUsersGroups = "users-groups-by-id@openssh.com"
)

var extensions = map[string]string{
	extPosixRename: "1", extStatvfs: "2", extFstatvfs: "2", extHardlink: "1", extFsync: "1", extLsetstat: "1",
	extLimits: "1", extExpandPath: "1", extCopyData: "1", extHome: "1", extUsersGroups: "1",
}

// errMalformed is a packet that is none.
var errMalformed = errors.New("a malformed sftp packet")
