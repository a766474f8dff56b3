package sftp

import (
	"encoding/binary"
	"errors"
	"io"
	"strings"

	"github.com/sallyport/sallyport/internal/record"
)

// ServeTarget hands on the target's answers until it ends, and then records what was
// still open. After that ServeClient ends with its next read.
func (r *Relay) ServeTarget() error {
	err := r.serveTarget()
	if errors.Is(err, io.EOF) {
		err = nil
	}
	r.stop(errOver)
	return errors.Join(err, r.abandon())
}

func (r *Relay) serveTarget() error {
	out := batch{to: writerFunc(func(p []byte) (int, error) {
		r.toClient.Lock()
		defer r.toClient.Unlock()
		return r.Client.Write(p)
	})}
	in := frames{from: r.Target, before: out.flush}
	packet, err := in.next()
	if err != nil {
		return err
	}
	if err := r.greet(packet); err != nil {
		return err
	}
	for {
		if packet, err = in.next(); err != nil {
			return err
		}
		if packet, err = r.response(packet); err != nil {
			return err
		}
		if packet != nil {
			if err := out.add(packet); err != nil {
				return err
			}
		}
	}
}

type writerFunc func([]byte) (int, error)

func (w writerFunc) Write(p []byte) (int, error) { return w(p) }

// greet tells the client what is spoken: what is not understood is not offered.
func (r *Relay) greet(packet []byte) error {
	select {
	case <-r.initiated:
	default:
		return errUnasked
	}
	offered, err := greeting(packet)
	if err != nil {
		return err
	}
	answer := []byte{0, 0, 0, 0, typeVersion, 0, 0, 0, version}
	r.offered = map[string]bool{}
	for _, name := range offered {
		answer = appendString(appendString(answer, name), extensions[name])
		r.offered[name] = true
	}
	if err := r.reply(finish(answer)); err != nil {
		return err
	}
	close(r.greeted)
	return nil
}

// response is what the client gets of a response; nil is nothing.
func (r *Relay) response(packet []byte) ([]byte, error) {
	response, err := ParseResponse(packet[4:])
	if err != nil {
		return nil, err
	}
	p, err := r.answered(response.ID)
	if err != nil {
		return nil, err
	}
	if p.own != nil {
		a, err := answerOf(p.kind, &response)
		if err == nil {
			p.own <- a
		}
		return nil, err
	}
	if !answers(p.kind, response.Type) {
		return nil, errUnasked
	}
	setID(packet, p.clientID)
	if p.done != nil {
		defer close(p.done)
	}
	return r.judgeResponse(p, &response, packet)
}

// answers says whether a response is one to such a request.
func answers(request, response byte) bool {
	switch request {
	case typeOpen, typeOpendir:
		return response == typeHandle || response == typeStatus
	case typeRead:
		return response == typeData || response == typeStatus
	case typeStat, typeLstat, typeFstat:
		return response == typeAttributes || response == typeStatus
	case typeReaddir, typeReadlink:
		return response == typeName || response == typeStatus
	case typeExtended:
		return response == typeExtendedReply || response == typeName || response == typeStatus
	}
	return response == typeStatus
}

func (r *Relay) judgeResponse(p *pending, response *Response, packet []byte) ([]byte, error) {
	switch {
	case p.kind == typeRead:
		return r.data(p, response, packet)
	case p.kind == typeOpen, p.kind == typeOpendir:
		return packet, r.opened(p, response)
	case p.kind == typeClose:
		if response.Status != statusOK {
			p.file.fail(statusName(response.Status))
		}
		return packet, p.file.finish("closed")
	case p.kind == typeReaddir && response.suspect:
		return status(p.clientID, statusFailure, "sallyport: the target lists a name that is none of a file in a folder"), nil
	case response.Type == typeStatus && response.Status != statusOK && p.file != nil && response.Status != statusEOF:
		p.file.fail(statusName(response.Status))
	case p.ext == extLimits && response.Type == typeExtendedReply:
		return packet, capLimits(response.rest)
	}
	if p.job == nil {
		return packet, nil
	}
	return packet, r.recordDone(p, response)
}

// data is a piece of a file.
func (r *Relay) data(p *pending, response *Response, packet []byte) ([]byte, error) {
	if response.Type == typeStatus {
		if response.Status != statusEOF {
			p.file.fail(statusName(response.Status))
		}
		return packet, nil
	}
	if uint64(len(response.Data)) > p.length {
		return nil, errUnasked
	}
	p.file.mu.Lock()
	err := p.file.pass(&p.file.from, Download, p.offset, response.Data)
	p.file.mu.Unlock()
	if refused, ok := errors.AsType[*Refused](err); ok {
		p.file.fail(refused.Words)
		return status(p.clientID, statusFailure, refused.Words), nil
	}
	return packet, err
}

// opened keeps the handle, before the client knows it.
func (r *Relay) opened(p *pending, response *Response) error {
	r.mu.Lock()
	r.opening--
	if response.Type == typeStatus {
		r.mu.Unlock()
		return r.Gate.Result(record.Result{Operation: p.operation, Tag: statusName(response.Status), Error: message(response)})
	}
	p.file.handle = string(response.Handle)
	_, twice := r.files[p.file.handle]
	r.files[p.file.handle] = p.file
	r.mu.Unlock()
	if twice {
		return errUnasked
	}
	return nil
}

// recordDone records what came of an operation.
func (r *Relay) recordDone(p *pending, response *Response) error {
	result := record.Result{Operation: p.operation, Tag: statusName(statusOK)}
	if response.Type == typeStatus {
		result.Tag = statusName(response.Status)
	}
	if response.Type == typeStatus && response.Status != statusOK {
		result.Error = message(response)
	} else {
		for _, event := range p.job.events {
			event.Operation = p.operation
			if err := r.Gate.File(event); err != nil {
				return err
			}
		}
	}
	return r.Gate.Result(result)
}

// message is what a status says, fit to be recorded.
func message(response *Response) string {
	text := strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return '?'
		}
		return c
	}, strings.ToValidUTF8(string(response.Message[:min(len(response.Message), 512)]), "?"))
	if text == "" {
		return statusName(response.Status)
	}
	return text
}

// capLimits keeps what the target can do within what is taken here.
func capLimits(rest []byte) error {
	if len(rest) != 32 {
		return errMalformed
	}
	for i, most := range []uint64{maxPacket, maxPacket - 1024, maxPacket - 1024, maxFiles} {
		at := rest[8*i : 8*i+8]
		// 0 is a limit that the target does not know.
		if have := binary.BigEndian.Uint64(at); have > most || have == 0 {
			binary.BigEndian.PutUint64(at, most)
		}
	}
	return nil
}

// abandon records what nobody has closed.
func (r *Relay) abandon() error {
	r.mu.Lock()
	files := make([]*file, 0, len(r.files))
	for _, f := range r.files {
		files = append(files, f)
	}
	var unanswered []*pending
	for _, p := range r.slots {
		if p == nil {
			continue
		}
		switch {
		case p.kind == typeClose:
			files = append(files, p.file)
		case p.operation != 0:
			unanswered = append(unanswered, p)
		}
	}
	r.mu.Unlock()
	var errs []error
	for _, f := range files {
		errs = append(errs, f.finish("not closed"))
	}
	for _, p := range unanswered {
		errs = append(errs, r.Gate.Result(record.Result{Operation: p.operation, Tag: "not answered", Error: "the channel ended before the target answered"}))
	}
	return errors.Join(errs...)
}
