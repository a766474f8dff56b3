package sftp

import (
	"encoding/binary"
	"io"
	"os"
	"testing"
)

// raw is a client that sends packets as they are.
type raw struct {
	t    *testing.T
	conn io.ReadWriter
	in   frames
}

func dialRaw(t *testing.T, d *door) (*raw, string) {
	t.Helper()
	root := t.TempDir()
	d.grants = map[string]string{root + "/**": "RWD"}
	conn := serve(t, d, openssh(t, root))
	c := &raw{t: t, conn: conn, in: frames{from: conn}}
	_, err := conn.Write([]byte{0, 0, 0, 5, typeInit, 0, 0, 0, version})
	must(t, err)
	_, err = c.in.next()
	must(t, err)
	return c, root
}

func (c *raw) ask(packet []byte) Response {
	c.t.Helper()
	_, err := c.conn.Write(packet)
	must(c.t, err)
	answer, err := c.in.next()
	must(c.t, err)
	response, err := ParseResponse(answer[4:])
	must(c.t, err)
	return response
}

func (c *raw) open(path string, flags uint32) string {
	c.t.Helper()
	r := c.ask(pathRequest(typeOpen, 1, path, binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, flags), 0)))
	if r.Type != typeHandle {
		c.t.Fatalf("open %s: %s", path, r.Message)
	}
	return string(r.Handle)
}

func (c *raw) write(handle string, offset uint64, n int) uint32 {
	c.t.Helper()
	return c.ask(pathRequest(typeWrite, 3, handle, appendString(binary.BigEndian.AppendUint64(nil, offset), make([]byte, n)))).Status
}

// copy of so many bytes; 0 is all of them.
func (c *raw) copy(from string, n uint64, to string) uint32 {
	c.t.Helper()
	rest := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(appendString(nil, from), 0), n)
	return c.ask(extendedRequest(2, extCopyData, binary.BigEndian.AppendUint64(appendString(rest, to), 0))).Status
}

// On Linux a file that is open to append grows by every write, wherever that is meant
// to go (pwrite(2)): the offset of a copy bounds nothing.
func TestLimitsHoldForCopiesOntoAFileThatGrows(t *testing.T) {
	t.Parallel()
	d := &door{most: 100}
	c, root := dialRaw(t, d)
	write(t, root+"/from", string(make([]byte, 60)))
	from := c.open(root+"/from", flagRead)
	if status := c.copy(from, 60, c.open(root+"/new", flagWrite|flagCreate)); status != statusOK {
		t.Errorf("a copy within the limit: %s", statusName(status))
	}
	to := c.open(root+"/to", flagWrite|flagCreate|flagAppend)
	for i, want := range []uint32{statusOK, statusPermissionDenied, statusPermissionDenied} {
		if status := c.copy(from, uint64(60*(i%2)), to); status != want {
			t.Errorf("copy %d: %s, want %s", i, statusName(status), statusName(want))
		}
	}
	if info, err := os.Stat(root + "/to"); err != nil || info.Size() != 60 {
		t.Errorf("the file is %v, %v", info, err)
	}
}

func TestLimitsHoldForAFileThatIsOpenToAppendTwice(t *testing.T) {
	t.Parallel()
	d := &door{most: 100}
	c, root := dialRaw(t, d)
	const grows = flagWrite | flagCreate | flagAppend
	one, two, plain := c.open(root+"/f", grows), c.open(root+"/f", grows), c.open(root+"/f", flagWrite)
	for i, w := range []struct {
		handle string
		offset uint64
		n      int
		want   uint32
	}{{one, 0, 30, statusOK}, {two, 0, 30, statusOK}, {plain, 60, 30, statusOK}, {one, 0, 11, statusFailure}, {two, 0, 10, statusOK}, {two, 0, 1, statusFailure}} {
		if status := c.write(w.handle, w.offset, w.n); status != w.want {
			t.Errorf("write %d: %s, want %s", i, statusName(status), statusName(w.want))
		}
	}
	if info, err := os.Stat(root + "/f"); err != nil || info.Size() != d.most {
		t.Errorf("the file is %v, %v", info, err)
	}
}

func TestCopiesCountAsUploads(t *testing.T) {
	t.Parallel()
	d := &door{total: 100}
	c, root := dialRaw(t, d)
	write(t, root+"/from", string(make([]byte, 60)))
	write(t, root+"/empty", "")
	from, to := c.open(root+"/from", flagRead), c.open(root+"/to", flagWrite|flagCreate)
	if status := c.copy(from, 0, to); status != statusOK {
		t.Errorf("a copy within the limit: %s", statusName(status))
	}
	d.mu.Lock()
	counted := d.moved[Upload]
	d.mu.Unlock()
	if f, _ := d.file("copy-data"); f.Bytes != 60 || counted != 60 {
		t.Errorf("it was recorded as %+v, and counted as %d", f, counted)
	}
	for _, n := range []uint64{0, 60, 1 << 63} {
		if status := c.copy(from, n, to); status != statusFailure {
			t.Errorf("a copy of %d bytes: %s", n, statusName(status))
		}
	}
	if status := c.copy(c.open(root+"/empty", flagRead), 0, to); status != statusOK {
		t.Errorf("a copy of nothing: %s", statusName(status))
	}
	d.mu.Lock()
	d.grants["/dev/zero"] = "R"
	d.mu.Unlock()
	if status := c.copy(c.open("/dev/zero", flagRead), 0, to); status == statusOK {
		t.Error("a copy of what has no end")
	}
}
