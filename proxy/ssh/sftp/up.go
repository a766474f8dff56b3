package sftp

import (
	"context"
	"errors"
	"io"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// ServeClient judges and forwards the client's requests until it ends.
func (r *Relay) ServeClient() error {
	err := r.serveClient()
	switch {
	case errors.Is(err, io.EOF):
		err = nil
	case errors.Is(err, errOver):
		return nil
	case err != nil:
		r.stop(err)
		return err
	}
	if r.CloseTarget != nil {
		_ = r.CloseTarget()
	}
	return err
}

func (r *Relay) serveClient() error {
	in := frames{from: r.Client, before: r.up.flush}
	packet, err := in.next()
	if err != nil {
		return err
	}
	c := cursor{rest: packet[4:]}
	if kind, v := c.byte(), c.uint32(); c.bad || kind != typeInit || v < version {
		return errMalformed
	}
	close(r.initiated)
	// Whatever the client offers, version 3 has no extensions of the client's.
	if _, err := r.Target.Write(finish([]byte{0, 0, 0, 0, typeInit, 0, 0, 0, version})); err != nil {
		return err
	}
	select {
	case <-r.greeted:
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	}
	for {
		if packet, err = in.next(); err != nil {
			return err
		}
		request, err := ParseRequest(packet[4:])
		if err != nil {
			return err
		}
		if err := r.request(&request, packet); err != nil {
			return err
		}
	}
}

// request does what one request asks for. Its error ends the channel.
func (r *Relay) request(q *Request, packet []byte) error {
	switch q.Type {
	case typeRead, typeWrite, typeFstat, typeFsetstat, typeReaddir, typeClose:
		return r.onHandle(q, packet)
	case typeExtended:
		switch q.Extension {
		case extFstatvfs, extFsync:
			if r.offered[q.Extension] {
				return r.onHandle(q, packet)
			}
		}
		if _, known := extensions[q.Extension]; !known || !r.offered[q.Extension] {
			return r.reply(status(q.ID, statusUnsupported, "sallyport: this extension is not known"))
		}
		if q.Extension == extLimits {
			return r.forward(&pending{clientID: q.ID, kind: typeExtended, ext: extLimits}, packet)
		}
	}
	return r.operation(q)
}

// find is the file of a handle; nil where there is none.
func (r *Relay) find(handle []byte) *file {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.files[string(handle)]
}

// onHandle forwards a request about what was opened, and so admitted.
func (r *Relay) onHandle(q *Request, packet []byte) error {
	f := r.find(q.Handle)
	if f == nil {
		return r.reply(status(q.ID, statusFailure, "sallyport: no such handle"))
	}
	p := &pending{clientID: q.ID, kind: q.Type, ext: q.Extension, file: f, offset: q.Offset, length: q.Length}
	may := true
	switch q.Type {
	case typeRead:
		may = f.read && !f.folder
	case typeReaddir:
		may = f.folder
	case typeWrite:
		if f.write && !f.folder {
			return r.write(q, p, packet)
		}
		may = false
	case typeFsetstat:
		if may = f.write; may && q.Attributes.flags&hasSize != 0 {
			if err := r.fits(f.path, q.Attributes.size); err != nil {
				return r.refuse(q.ID, err)
			}
		}
		if may {
			// What was written before does not wait for who judges it.
			if err := r.up.flush(); err != nil {
				return err
			}
			return r.operation(q)
		}
	case typeExtended:
		may = f.write || q.Extension != extFsync
	case typeClose:
		r.mu.Lock()
		delete(r.files, f.handle)
		r.mu.Unlock()
	}
	if !may {
		return r.reply(status(q.ID, statusPermissionDenied, "sallyport: the file was not opened for that"))
	}
	return r.forward(p, packet)
}

// write records a piece of an upload, and forwards it.
func (r *Relay) write(q *Request, p *pending, packet []byte) error {
	f := p.file
	// What is recorded at once is forwarded at once: of one file.
	if r.up.file != f {
		if err := r.up.flush(); err != nil {
			return err
		}
	}
	if f.appends && f.to.most > 0 {
		// Others may have the file open, too: its end is known from the target alone.
		size, err := r.size(f)
		if err != nil {
			return r.refuse(q.ID, err)
		}
		q.Offset = size
	}
	f.mu.Lock()
	err := f.pass(&f.to, Upload, q.Offset, q.Data)
	if err == nil {
		f.to.unrecorded += int64(len(q.Data))
	}
	f.mu.Unlock()
	if err != nil {
		f.fail(err.Error())
		return r.refuse(q.ID, err)
	}
	if err := r.forward(p, packet); err != nil {
		return err
	}
	r.up.file = f
	return nil
}

// size is how large a file is behind all that was forwarded before.
func (r *Relay) size(f *file) (uint64, error) {
	answers, err := r.ask(r.ctx, []question{{typeFstat, f.handle}})
	if err != nil {
		return 0, err
	}
	if a := &answers[0]; a.status != statusOK || a.attributes.flags&hasSize == 0 || !a.attributes.is(modeRegular) {
		return 0, &Refused{"sallyport: the target does not say how large the file is"}
	}
	return answers[0].attributes.size, nil
}

// fits says whether a file may have that size.
func (r *Relay) fits(path string, size uint64) error {
	if most := r.Gate.MaxBytes(path, v1alpha1.FileWrite); most > 0 && size > uint64(most) {
		return tooLarge(most)
	}
	return nil
}

// refuse tells the client why one request is not done; an error that is no *Refused ends
// the channel.
func (r *Relay) refuse(id uint32, err error) error {
	var refused *Refused
	if !errors.As(err, &refused) {
		return err
	}
	return r.reply(status(id, statusFailure, refused.Words))
}
