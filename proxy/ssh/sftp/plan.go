package sftp

import (
	"encoding/binary"
	"path"
	"strconv"
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

// Shown is what is there, for people.
func (p *Place) Shown() string {
	if !p.Exists {
		return " (nothing is there)"
	}
	return " (" + p.Attributes.describe() + ")"
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

func (r *Relay) planOpen(q *Request) (*job, error) {
	if q.Flags&^flagsKnown != 0 {
		return nil, untold("a flag of the open is not known")
	}
	write := q.Flags&(flagWrite|flagAppend|flagCreate|flagTruncate|flagExclusive) != 0
	// OpenSSH opens for reading what is not opened for writing.
	read := q.Flags&flagRead != 0 || q.Flags&flagWrite == 0
	// A file that must not exist is never behind a link; where none is made, O_EXCL means
	// nothing to the target, and it follows links (open(2)).
	const isNew = flagCreate | flagExclusive
	place, err := r.walk.resolve(r.ctx, string(q.Path), q.Flags&isNew != isNew)
	if err != nil {
		return nil, err
	}
	j := &job{
		Operation: Operation{Kind: "sftp open", Bytes: -1, FromTarget: read},
		kind:      typeOpen, packet: pathRequest(typeOpen, 0, place.Path, flagsAndAttributes(q.Flags, q.Attributes)),
		file: &file{relay: r, path: place.Path, read: read, write: write, appends: q.Flags&flagAppend != 0},
	}
	j.file.from.most, j.file.to.most = r.Gate.MaxBytes(place.Path, v1alpha1.FileRead), r.Gate.MaxBytes(place.Path, v1alpha1.FileWrite)
	if place.Exists && q.Flags&flagTruncate == 0 {
		j.file.base = place.Attributes.size
	}
	var how []string
	if read {
		how = append(how, "to read")
		j.Files = append(j.Files, use(place.Path, v1alpha1.FileRead))
		if place.Exists && !write {
			j.Bytes = int64(min(place.Attributes.size, 1<<62))
		}
	}
	if write {
		how = append(how, "to write")
		j.Files = append(j.Files, use(place.Path, v1alpha1.FileWrite))
	}
	if q.Flags&flagTruncate != 0 {
		how = append(how, "from empty")
	}
	if q.Attributes.flags&hasPermissions != 0 && q.Flags&flagCreate != 0 && !place.Exists {
		how = append(how, "as new with mode "+strconv.FormatUint(uint64(q.Attributes.mode&0o7777), 8))
	}
	j.Shown = "sftp open " + quoted(place.Path) + " " + strings.Join(how, ", ") + place.Shown()
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

// planExpand is for ~ and ~user, which the target's own expand-path resolves; what it
// says is then walked like any path.
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
	n := int64(-1)
	if q.Length > 0 {
		n = int64(min(q.Length, 1<<62) + min(q.SecondOffset, 1<<61))
	}
	if most := r.Gate.MaxBytes(to.path, v1alpha1.FileWrite); most > 0 && (n < 0 || n > most || to.appends) {
		return nil, &Refused{"sallyport: how large the copy gets is not bounded as the grant wants it"}
	}
	to.mu.Lock()
	to.to.broken, to.to.hash = true, nil
	to.mu.Unlock()
	rest := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(appendString(nil, q.Handle), q.Offset), q.Length)
	rest = binary.BigEndian.AppendUint64(appendString(rest, q.SecondHandle), q.SecondOffset)
	return &job{
		Operation: Operation{Kind: kindOf(q), Bytes: n, Files: []policy.FileUse{use(from.path, v1alpha1.FileRead), use(to.path, v1alpha1.FileWrite)},
			Shown: "sftp copy-data " + quoted(from.path) + " to " + quoted(to.path)},
		kind: q.Type, ext: q.Extension, packet: extendedRequest(0, q.Extension, rest),
		events: []record.File{{Path: to.path, Op: "copy-data", Bytes: int64(min(q.Length, 1<<62))}},
	}, nil
}

// quoted is a path for people; one with spaces or quotes in quotes.
func quoted(path string) string {
	if strings.ContainsAny(path, " \"'\\") || path == "" || !printable(path) {
		return strconv.Quote(path)
	}
	return path
}

func printable(text string) bool {
	return checkPath(text) == nil
}
