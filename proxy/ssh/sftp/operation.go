package sftp

import (
	"errors"
	"slices"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/internal/record"
)

// job is an operation that can be told: what is judged of it, and what would be forwarded.
type job struct {
	Operation
	// packet that would be forwarded, with no id yet; nil where answer is for the client.
	packet []byte
	answer []byte
	// kind and ext of the packet.
	kind byte
	ext  string
	// file that it would open.
	file *file
	// copied is how many bytes the target would copy, to the file copyTo.
	copied int64
	copyTo *file
	// events that it is, once the target has done it.
	events []record.File
	// renames says that it changes what paths lead to: what comes behind waits for it.
	renames bool
}

// same says that nothing has changed of what was approved.
func (j *job) same(other *job) bool {
	return j.Shown == other.Shown && slices.Equal(j.Files, other.Files) && j.Bytes == other.Bytes
}

// operation has a request judged by where its paths lead, and forwards it.
func (r *Relay) operation(q *Request) error {
	j, err := r.plan(q)
	if err != nil {
		return r.unplanned(q, err)
	}
	admission, err := r.Gate.Admit(r.ctx, j.Operation)
	if err != nil {
		return r.denied(q.ID, err)
	}
	if admission.Held {
		now, err := r.plan(q)
		if err == nil && !j.same(now) {
			err = &Refused{"sallyport: what was approved has changed while it waited"}
		}
		if err != nil {
			if !told(err) {
				return err
			}
			return r.undone(q, admission.Operation, err.Error())
		}
		j = now
	}
	return r.do(q, j, admission.Operation)
}

// told says that an error is for the client, and not the channel's end.
func told(err error) bool {
	var refused *Refused
	return errors.As(err, &refused) || errors.Is(err, errUntold)
}

// unplanned refuses what cannot be told; policy records it.
func (r *Relay) unplanned(q *Request, err error) error {
	if !told(err) {
		return err
	}
	_, err = r.Gate.Admit(r.ctx, Operation{Kind: kindOf(q), Bytes: -1, Shown: kindOf(q) + " " + quoted(string(q.Path)), Unknown: err.Error()})
	if err == nil {
		err = &Refused{"sallyport: " + errUntold.Error()}
	}
	return r.denied(q.ID, err)
}

// denied tells the client who refuses.
func (r *Relay) denied(id uint32, err error) error {
	var refused *Refused
	if !errors.As(err, &refused) {
		return err
	}
	return r.reply(status(id, statusPermissionDenied, refused.Words))
}

// do forwards what was admitted, or answers it here.
func (r *Relay) do(q *Request, j *job, operation int64) error {
	if j.packet == nil {
		if err := r.Gate.Result(record.Result{Operation: operation, Tag: statusName(statusOK)}); err != nil {
			return err
		}
		setID(j.answer, q.ID)
		return r.reply(j.answer)
	}
	if j.copied > 0 {
		if err := j.copies(r.Gate); err != nil {
			if !told(err) {
				return err
			}
			return r.undone(q, operation, err.Error())
		}
	}
	p := &pending{clientID: q.ID, kind: j.kind, ext: j.ext, operation: operation, job: j, file: j.file}
	if j.file != nil {
		j.file.operation = operation
		p.job = nil
		r.mu.Lock()
		full := len(r.files)+r.opening >= maxFiles
		r.mu.Unlock()
		if full {
			return r.undone(q, operation, "sallyport: too many open files")
		}
	}
	if j.renames {
		p.done = make(chan struct{})
	}
	if err := r.forward(p, j.packet); err != nil {
		return err
	}
	if p.done == nil {
		return nil
	}
	if err := r.up.flush(); err != nil {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}

// undone records and tells why what was admitted is not done.
func (r *Relay) undone(q *Request, operation int64, why string) error {
	failed := r.Gate.Result(record.Result{Operation: operation, Tag: "not run", Error: why})
	return errors.Join(failed, r.reply(status(q.ID, statusFailure, why)))
}

// copies counts what the target is about to copy as if the client uploaded it. The file
// has other bytes then than those that came this way.
func (j *job) copies(gate Gate) error {
	if err := gate.Move(Upload, j.copied); err != nil {
		return err
	}
	j.copyTo.mu.Lock()
	j.copyTo.to.broken, j.copyTo.to.hash = true, nil
	j.copyTo.mu.Unlock()
	return nil
}

func use(path string, access v1alpha1.FileAccess) policy.FileUse {
	return policy.FileUse{Path: path, Access: access}
}

// tree is a use of a place, and of all below it where it is a folder.
func tree(p *Place, access v1alpha1.FileAccess) policy.FileUse {
	if p.IsFolder() {
		return everything(p.Path, access)
	}
	return use(p.Path, access)
}

// everything is a use of a folder with all below it, as policy.MatchPath reads it.
func everything(folder string, access v1alpha1.FileAccess) policy.FileUse {
	if folder == "/" {
		folder = ""
	}
	return use(folder+"/**", access)
}
