package sftp

import (
	"encoding/binary"
	"path"
	"strings"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/internal/record"
)

// both resolves two names as such: what is done is done to links, not through them.
func (r *Relay) both(q *Request) (from, to Place, err error) {
	if from, err = r.walk.resolve(r.ctx, string(q.Path), false); err == nil {
		to, err = r.walk.resolve(r.ctx, string(q.SecondPath), false)
	}
	return from, to, err
}

func (r *Relay) twoPaths(q *Request, from, to string) []byte {
	rest := appendString(nil, to)
	if q.Type == typeExtended {
		return extendedRequest(0, q.Extension, append(appendString(nil, from), rest...))
	}
	return pathRequest(q.Type, 0, from, rest)
}

// planRename: a folder moves with all below it. A link that moves leads elsewhere where
// it is relative, so it must lead to where the client may go by itself.
func (r *Relay) planRename(q *Request) (*job, error) {
	from, to, err := r.both(q)
	if err != nil {
		return nil, err
	}
	j := &job{
		Operation: Operation{Kind: kindOf(q), Bytes: -1, Files: []policy.FileUse{tree(&from, v1alpha1.FileDelete), use(to.Path, v1alpha1.FileWrite)},
			Shown: kindOf(q) + " " + quoted(from.Path) + " to " + quoted(to.Path) + from.Shown()},
		kind: q.Type, ext: q.Extension, renames: true, packet: r.twoPaths(q, from.Path, to.Path),
		events: []record.File{{Path: from.Path, Op: "rename"}, {Path: to.Path, Op: "rename to"}},
	}
	if from.IsFolder() {
		j.Files[1] = everything(to.Path, v1alpha1.FileWrite)
	}
	if to.Exists {
		j.Shown += ", over what is there" + to.Shown()
	}
	if from.Exists && from.Attributes.is(modeLink) {
		text, err := r.ask(r.ctx, []question{{typeReadlink, from.Path}})
		if err != nil {
			return nil, err
		}
		target, err := r.leads(to.Path, text[0].name)
		if err != nil {
			return nil, err
		}
		j.Files = append(j.Files, tree(target, v1alpha1.FileRead))
	}
	return j, nil
}

// leads is where a link with that text would lead.
func (r *Relay) leads(link, text string) (*Place, error) {
	if text == "" {
		return nil, untold("a symbolic link without a target")
	}
	if !strings.HasPrefix(text, "/") {
		text = path.Dir(link) + "/" + text
	}
	place, err := r.walk.resolve(r.ctx, text, true)
	return &place, err
}

// planSymlink: a link may lead only to where the client may read by itself. OpenSSH's
// client and server have the arguments in an order of their own (PROTOCOL, section 4.1).
func (r *Relay) planSymlink(q *Request) (*job, error) {
	if !r.offered[extPosixRename] && !r.offered[extStatvfs] {
		return nil, untold("in which order this server takes a link and its target is not known")
	}
	text := string(q.Path)
	if err := checkPath(text); err != nil {
		return nil, err
	}
	link, err := r.walk.resolve(r.ctx, string(q.SecondPath), false)
	if err != nil {
		return nil, err
	}
	target, err := r.leads(link.Path, text)
	if err != nil {
		return nil, err
	}
	return &job{
		Operation: Operation{Kind: kindOf(q), Bytes: -1, Files: []policy.FileUse{use(link.Path, v1alpha1.FileWrite), tree(target, v1alpha1.FileRead)},
			Shown: "sftp symlink " + quoted(link.Path) + " to " + quoted(text) + ", which is " + quoted(target.Path)},
		kind: typeSymlink, renames: true, packet: r.twoPaths(q, text, link.Path),
		events: []record.File{{Path: link.Path, Op: "symlink"}},
	}, nil
}

// planHardlink: a second name for a file is a second way to all that it holds.
func (r *Relay) planHardlink(q *Request) (*job, error) {
	from, to, err := r.both(q)
	if err != nil {
		return nil, err
	}
	if from.Exists && from.Attributes.is(modeLink) {
		return nil, untold("a second name for a symbolic link would lead elsewhere")
	}
	return &job{
		Operation: Operation{Kind: kindOf(q), Bytes: -1,
			Files: []policy.FileUse{use(from.Path, v1alpha1.FileRead), use(from.Path, v1alpha1.FileWrite), use(to.Path, v1alpha1.FileWrite)},
			Shown: "sftp hardlink " + quoted(to.Path) + " to " + quoted(from.Path) + from.Shown()},
		kind: q.Type, ext: q.Extension, renames: true, packet: r.twoPaths(q, from.Path, to.Path),
		events: []record.File{{Path: to.Path, Op: "hardlink"}},
	}, nil
}

// planCopy is a copy on the target, of what was opened.
func (r *Relay) planCopy(q *Request) (*job, error) {
	from, to := r.find(q.Handle), r.find(q.SecondHandle)
	if from == nil || to == nil || !from.read || !to.write || from == to {
		return nil, untold("its handles are not those of a file to read and another to write")
	}
	j := &job{
		Operation: Operation{Kind: kindOf(q), Files: []policy.FileUse{use(from.path, v1alpha1.FileRead), use(to.path, v1alpha1.FileWrite)},
			Shown: "sftp copy-data " + quoted(from.path) + " to " + quoted(to.path)},
		kind: q.Type, ext: q.Extension, copyTo: to,
	}
	length, offset := q.Length, q.SecondOffset
	var err error
	if length == 0 {
		// All that is there: so much is asked for, as it may grow.
		size, err := r.size(from)
		if err != nil {
			return nil, err
		}
		if length = size - min(size, q.Offset); length == 0 {
			j.answer = status(0, statusOK, "")
			return j, nil
		}
	}
	most := r.Gate.MaxBytes(to.path, v1alpha1.FileWrite)
	if to.appends && most > 0 {
		if offset, err = r.size(to); err != nil {
			return nil, err
		}
	}
	j.copied = int64(min(length, 1<<61))
	j.Bytes = j.copied + int64(min(offset, 1<<61))
	if most > 0 && j.Bytes > most {
		return nil, tooLarge(most)
	}
	rest := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(appendString(nil, q.Handle), q.Offset), length)
	j.packet = extendedRequest(0, q.Extension, binary.BigEndian.AppendUint64(appendString(rest, q.SecondHandle), q.SecondOffset))
	j.events = []record.File{{Path: to.path, Op: "copy-data", Bytes: j.copied}}
	return j, nil
}
