package sftp

import (
	"strings"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/internal/record"
)

// onPath is what a request about one path is.
type onPath struct {
	kind   string
	follow bool
	access v1alpha1.FileAccess
	// changes is an operation that is kept as a file's event; renames is job.renames.
	changes, renames bool
}

var onPaths = map[byte]onPath{
	typeStat:     {kind: "stat", follow: true, access: v1alpha1.FileRead},
	typeLstat:    {kind: "lstat", access: v1alpha1.FileRead},
	typeOpendir:  {kind: "opendir", follow: true, access: v1alpha1.FileRead},
	typeReadlink: {kind: "readlink", access: v1alpha1.FileRead},
	typeSetstat:  {kind: "setstat", follow: true, access: v1alpha1.FileWrite, changes: true},
	typeRemove:   {kind: "remove", access: v1alpha1.FileDelete, changes: true, renames: true},
	typeRmdir:    {kind: "rmdir", access: v1alpha1.FileDelete, changes: true, renames: true},
	typeMkdir:    {kind: "mkdir", access: v1alpha1.FileWrite, changes: true, renames: true},
}

var onExtendedPaths = map[string]onPath{
	extStatvfs:  {kind: "statvfs", follow: true, access: v1alpha1.FileRead},
	extLsetstat: {kind: "lsetstat", access: v1alpha1.FileWrite, changes: true},
}

// kindOf is the operation's name, as policies have it.
func kindOf(q *Request) string {
	name := strings.TrimSuffix(q.Extension, "@openssh.com")
	switch q.Type {
	case typeOpen:
		name = "open"
	case typeRealpath:
		name = "realpath"
	case typeRename:
		name = "rename"
	case typeSymlink:
		name = "symlink"
	case typeFsetstat:
		// By the handle or by the path, it is one operation to who judges it.
		name = "setstat"
	case typeExtended:
		if q.Extension == extPosixRename {
			name = "rename"
		}
	default:
		name = onPaths[q.Type].kind
	}
	return "sftp " + name
}

// plan finds out what a request would do, and where.
func (r *Relay) plan(q *Request) (*job, error) {
	if q.Attributes.flags&hasExtended != 0 {
		return nil, untold("its attributes have extensions, which are not understood")
	}
	switch q.Type {
	case typeOpen:
		return r.planOpen(q)
	case typeRealpath:
		return r.planRealpath(q, string(q.Path))
	case typeRename:
		return r.planRename(q)
	case typeSymlink:
		return r.planSymlink(q)
	case typeFsetstat:
		return r.planChange(q)
	case typeExtended:
		return r.planExtended(q)
	}
	return r.planPath(q, onPaths[q.Type])
}

func (r *Relay) planExtended(q *Request) (*job, error) {
	switch q.Extension {
	case extPosixRename:
		return r.planRename(q)
	case extHardlink:
		return r.planHardlink(q)
	case extExpandPath:
		return r.planExpand(q)
	case extCopyData:
		return r.planCopy(q)
	case extHome:
		if err := checkPath(string(q.Path)); err != nil {
			return nil, err
		}
		return r.plain(q, quoted(string(q.Path)), appendString(nil, q.Path)), nil
	case extUsersGroups:
		return r.plain(q, "", q.Rest), nil
	}
	return r.planPath(q, onExtendedPaths[q.Extension])
}

// plain is an extension that is about no file.
func (r *Relay) plain(q *Request, shown string, rest []byte) *job {
	return &job{
		Operation: Operation{Kind: kindOf(q), Bytes: -1, Shown: strings.TrimSpace(kindOf(q) + " " + shown)},
		kind:      typeExtended, ext: q.Extension, packet: extendedRequest(0, q.Extension, rest),
	}
}

// planPath is for what has one path, and perhaps attributes.
func (r *Relay) planPath(q *Request, what onPath) (*job, error) {
	place, err := r.walk.resolve(r.ctx, string(q.Path), what.follow)
	if err != nil {
		return nil, err
	}
	j := &job{
		Operation: Operation{Kind: kindOf(q), Files: []policy.FileUse{use(place.Path, what.access)}, Bytes: -1, Shown: kindOf(q) + " " + quoted(place.Path)},
		kind:      q.Type, ext: q.Extension, renames: what.renames,
	}
	if what.changes {
		j.events = []record.File{{Path: place.Path, Op: what.kind}}
	}
	var rest []byte
	switch q.Type {
	case typeSetstat, typeMkdir:
		rest = q.Attributes.raw
	case typeExtended:
		if q.Extension == extLsetstat {
			rest = q.Attributes.raw
		}
	case typeOpendir:
		j.file = &file{relay: r, path: place.Path, folder: true}
	}
	if rest != nil {
		if change := q.Attributes.change(); change != "" {
			j.Shown += " to " + change
		}
		if q.Attributes.flags&hasSize != 0 && q.Type != typeMkdir {
			j.Bytes = int64(min(q.Attributes.size, 1<<62))
		}
	}
	if what.changes {
		j.Shown += place.Shown()
	}
	if q.Type == typeExtended {
		j.packet = extendedRequest(0, q.Extension, append(appendString(nil, place.Path), rest...))
	} else {
		j.packet = pathRequest(q.Type, 0, place.Path, rest)
	}
	return j, nil
}

// planChange is a setstat of what was opened to write.
func (r *Relay) planChange(q *Request) (*job, error) {
	f := r.find(q.Handle)
	if f == nil || !f.write {
		return nil, untold("its handle is not that of a file to write")
	}
	a := &q.Attributes
	j := &job{
		Operation: Operation{Kind: kindOf(q), Files: []policy.FileUse{use(f.path, v1alpha1.FileWrite)}, Bytes: -1, Shown: kindOf(q) + " " + quoted(f.path)},
		kind:      typeFsetstat, packet: pathRequest(typeFsetstat, 0, f.handle, a.raw),
		events: []record.File{{Path: f.path, Op: "setstat"}},
	}
	if change := a.change(); change != "" {
		j.Shown += " to " + change
	}
	if a.flags&hasSize != 0 {
		j.Bytes = int64(min(a.size, 1<<62))
	}
	return j, nil
}

// planRealpath answers with where a path leads: the target is not asked again.
func (r *Relay) planRealpath(q *Request, written string) (*job, error) {
	if written == "" {
		written = "."
	}
	place, err := r.walk.resolve(r.ctx, written, true)
	if err != nil {
		return nil, err
	}
	j := &job{
		Operation: Operation{Kind: kindOf(q), Bytes: -1, Shown: kindOf(q) + " " + quoted(place.Path)},
		answer:    nameReply(0, place.Path),
	}
	// Every client asks first where it is; that alone is no access.
	if written != "." && place.Path != r.start {
		j.Files = []policy.FileUse{use(place.Path, v1alpha1.FileRead)}
	}
	return j, nil
}

// planExpand is for ~, and what is below it: that is walked like any path, and the target
// is not asked to expand it.
func (r *Relay) planExpand(q *Request) (*job, error) {
	written := string(q.Path)
	if err := checkPath(written); err != nil {
		return nil, err
	}
	if strings.HasPrefix(written, "~") {
		own, rest, _ := strings.Cut(written[1:], "/")
		if own != "" {
			return nil, untold("only ~ itself is expanded, not that of other users")
		}
		written = "./" + rest
	}
	return r.planRealpath(q, written)
}
