package sftp

import (
	"encoding/binary"
	"os"
	"testing"
)

// On Linux a file that is open to append grows by every write, wherever that is meant
// to go (pwrite(2)): the offset of a copy bounds nothing.
func TestLimitsHoldForCopiesOntoAFileThatGrows(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	d := &door{grants: map[string]string{root + "/**": "RWD"}, most: 100}
	write(t, root+"/from", string(make([]byte, 60)))
	conn := serve(t, d, openssh(t, root))
	in := frames{from: conn}
	asked := func(packet []byte) Response {
		t.Helper()
		_, err := conn.Write(packet)
		must(t, err)
		answer, err := in.next()
		must(t, err)
		response, err := ParseResponse(answer[4:])
		must(t, err)
		return response
	}
	_, err := conn.Write([]byte{0, 0, 0, 5, typeInit, 0, 0, 0, version})
	must(t, err)
	_, err = in.next()
	must(t, err)
	opened := func(path string, flags uint32) string {
		r := asked(pathRequest(typeOpen, 1, path, binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, flags), 0)))
		if r.Type != typeHandle {
			t.Fatalf("open %s: %s", path, r.Message)
		}
		return string(r.Handle)
	}
	from := opened(root+"/from", flagRead)
	copied := func(to string) uint32 {
		rest := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(appendString(nil, from), 0), 60)
		return asked(extendedRequest(2, extCopyData, binary.BigEndian.AppendUint64(appendString(rest, to), 0))).Status
	}
	if status := copied(opened(root+"/new", flagWrite|flagCreate)); status != statusOK {
		t.Errorf("a copy within the limit: %s", statusName(status))
	}
	to := opened(root+"/to", flagWrite|flagCreate|flagAppend)
	for range 3 {
		_ = copied(to)
	}
	if info, err := os.Stat(root + "/to"); err == nil && info.Size() > d.most {
		t.Errorf("the file has %d bytes of %d", info.Size(), d.most)
	}
}
