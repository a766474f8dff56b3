package sftp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	// maxLinks is how many symbolic links a path may lead through, as Linux has it.
	maxLinks = 40
	// maxDepth is how many names a path may have.
	maxDepth = 128
)

// question asks the target about a path; answers come in the order of the questions. One
// of typeExtended has the path expanded, and typeFstat has a handle in its place.
type question struct {
	kind byte
	path string
}

func (q question) packet(id uint32) []byte {
	if q.kind == typeExtended {
		return extendedRequest(id, extExpandPath, appendString(nil, q.path))
	}
	return pathRequest(q.kind, id, q.path, nil)
}

type answer struct {
	// status is statusOK where there is an answer.
	status     uint32
	attributes Attributes
	name       string
}

// asker asks questions that no client asked.
type asker interface {
	ask(ctx context.Context, questions []question) ([]answer, error)
}

// Place is where a path leads.
type Place struct {
	// Path is canonical: absolute, without "..", and no folder on the way is a link.
	Path string
	// Exists says that something is there, with these Attributes.
	Exists     bool
	Attributes Attributes
}

// IsFolder says whether a folder is there.
func (p *Place) IsFolder() bool { return p.Exists && p.Attributes.is(modeFolder) }

// errUntold is a path that nobody can judge.
var errUntold = errors.New("where the path leads cannot be told")

func untold(why string) error { return fmt.Errorf("%w: %s", errUntold, why) }

// checkPath refuses what no honest path has.
func checkPath(path string) error {
	switch {
	case len(path) > maxPath:
		return untold("it is too long")
	case !utf8.ValidString(path):
		return untold("it is not UTF-8")
	case strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 }):
		return untold("it has control characters")
	}
	return nil
}

// walk finds out where a path leads, by the target's LSTAT of every name of it and
// READLINK of every link: a server's own REALPATH may be lexical. With follow a link at
// the end is followed, too. A walk ends at the first name that is not there; what is
// behind that is as it is written.
type walk struct {
	asker
	// home is what relative paths begin with.
	home func(ctx context.Context) (string, error)
}

func names(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

func (w *walk) resolve(ctx context.Context, path string, follow bool) (Place, error) {
	if err := checkPath(path); err != nil {
		return Place{}, err
	}
	if !strings.HasPrefix(path, "/") {
		home, err := w.home(ctx)
		if err != nil {
			return Place{}, err
		}
		path = home + "/" + path
	}
	// "link/" and "link/." are what the link leads to.
	follow = follow || strings.HasSuffix(path, "/") || strings.HasSuffix(path, "/.")
	return (&route{walk: w, rest: names(path), follow: follow}).run(ctx)
}

// route is one walk: done has been looked at and is canonical, rest is still to go.
type route struct {
	*walk
	done, rest []string
	follow     bool
	links      int
	last       answer
}

func (r *route) run(ctx context.Context) (Place, error) {
	for len(r.rest) > 0 {
		switch r.rest[0] {
		case ".":
			r.rest = r.rest[1:]
			continue
		case "..":
			// The folder is there, and is no link, so this is its parent.
			r.rest, r.last = r.rest[1:], answer{}
			if len(r.done) > 0 {
				r.done = r.done[:len(r.done)-1]
			}
			continue
		}
		missing, err := r.stride(ctx)
		if err != nil {
			return Place{}, err
		}
		if missing {
			return r.beyond()
		}
	}
	return r.arrive(ctx)
}

// stride looks at all names up to the next dot, in one round trip.
func (r *route) stride(ctx context.Context) (missing bool, err error) {
	n := 0
	for n < len(r.rest) && r.rest[n] != "." && r.rest[n] != ".." {
		n++
	}
	if len(r.done)+n > maxDepth {
		return false, untold("it has too many names")
	}
	prefix := join(r.done)
	questions := make([]question, n)
	for i := range n {
		prefix = strings.TrimSuffix(prefix, "/") + "/" + r.rest[i]
		questions[i] = question{typeLstat, prefix}
	}
	answers, err := r.ask(ctx, questions)
	if err != nil {
		return false, err
	}
	for i := range answers {
		a := &answers[i]
		end := len(r.rest) == 1
		switch {
		case a.status == statusNoSuchFile, a.status == statusPermissionDenied:
			return true, nil
		case a.status != statusOK:
			return false, untold("the target says " + statusName(a.status))
		case a.attributes.flags&hasPermissions == 0:
			return false, untold("the target does not say what is there")
		case a.attributes.is(modeLink) && (!end || r.follow):
			return false, r.enter(ctx, questions[i].path)
		case !a.attributes.is(modeFolder) && !end:
			// The target will say that it is no folder.
			return true, nil
		}
		r.done, r.rest, r.last = append(r.done, r.rest[0]), r.rest[1:], *a
	}
	return false, nil
}

// enter goes on where a link leads.
func (r *route) enter(ctx context.Context, link string) error {
	if r.links++; r.links > maxLinks {
		return untold("it leads through too many symbolic links")
	}
	answers, err := r.ask(ctx, []question{{typeReadlink, link}})
	if err != nil {
		return err
	}
	if answers[0].status != statusOK || answers[0].name == "" {
		return untold("the target does not say where a symbolic link leads")
	}
	if err := checkPath(answers[0].name); err != nil {
		return err
	}
	if strings.HasPrefix(answers[0].name, "/") {
		r.done = nil
	}
	// With a slash behind, what it leads to is a link's end, too.
	r.follow = r.follow || len(r.rest) == 1
	r.rest = append(names(answers[0].name), r.rest[1:]...)
	if len(r.rest) > maxDepth {
		return untold("it has too many names")
	}
	return nil
}

// beyond is a place behind what is there.
func (r *route) beyond() (Place, error) {
	all := r.done
	for _, name := range r.rest {
		switch name {
		case ".":
		case "..":
			return Place{}, untold("it goes back from a folder that is not there")
		default:
			all = append(all, name)
		}
	}
	return Place{Path: join(all)}, nil
}

func (r *route) arrive(ctx context.Context) (Place, error) {
	path := join(r.done)
	if r.last.attributes.flags == 0 {
		answers, err := r.ask(ctx, []question{{typeLstat, path}})
		if err != nil {
			return Place{}, err
		}
		if r.last = answers[0]; r.last.status != statusOK || r.last.attributes.is(modeLink) {
			return Place{}, untold("it changes while it is looked at")
		}
	}
	return Place{Path: path, Exists: true, Attributes: r.last.attributes}, nil
}

func join(names []string) string { return "/" + strings.Join(names, "/") }
