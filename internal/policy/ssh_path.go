package policy

import (
	"strings"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// everything is the last name of a pattern, or of a path, that stands for what is
// below, at any depth, and for the folder itself.
const everything = "**"

// MatchPath says whether a path is one of a pattern's. Both are absolute and canonical,
// else nothing matches. `*` in the pattern stands for any characters of one name, `**` as
// its last name for everything below and for the folder. A path whose last name is `**`
// means a folder with everything below (what a recursive command may touch): only a `**`
// of the pattern takes that.
func MatchPath(pattern, path string) bool {
	return canonical(pattern) && newPath(pattern).matches(path)
}

// canonical says whether a path is absolute, without empty names, `.` and `..`.
func canonical(path string) bool {
	if path == "/" {
		return true
	}
	if !strings.HasPrefix(path, "/") || strings.ContainsRune(path, 0) {
		return false
	}
	for name := range strings.SplitSeq(path[1:], "/") {
		if name == "" || name == "." || name == ".." {
			return false
		}
	}
	return true
}

// path is a pattern of paths made for matching.
type path struct {
	names []glob
	// below takes everything below names, and names itself.
	below bool
}

func newPath(pattern string) path {
	p := path{}
	for name := range names(pattern) {
		if p.below = name == everything; !p.below {
			p.names = append(p.names, newGlob(name, false))
		}
	}
	return p
}

// names yields the names of a canonical path.
func names(path string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for rest := strings.TrimPrefix(path, "/"); rest != ""; {
			var name string
			name, rest, _ = strings.Cut(rest, "/")
			if !yield(name) {
				return
			}
		}
	}
}

func (p path) matches(path string) bool {
	depth, whole, ok := p.walk(path)
	if !ok || depth < len(p.names) {
		return false
	}
	return p.below || depth == len(p.names) && !whole
}

// leads says whether a path is a folder above one of the pattern's.
func (p path) leads(path string) bool {
	depth, whole, ok := p.walk(path)
	return ok && !whole && depth < len(p.names)
}

// walk compares names as far as both have them: how many the path has, whether it means
// all below it, and whether the names agree.
func (p path) walk(path string) (depth int, whole, ok bool) {
	if !canonical(path) {
		return 0, false, false
	}
	for name := range names(path) {
		if whole {
			// `**` in the middle is a name like any other.
			whole = false
			if depth < len(p.names) && !p.names[depth].matches(everything) {
				return 0, false, false
			}
			depth++
		}
		if name == everything {
			whole = true
			continue
		}
		if depth < len(p.names) && !p.names[depth].matches(name) {
			return 0, false, false
		}
		depth++
	}
	return depth, whole, true
}

// covers says whether every path of another pattern is provably one of this.
func (p path) covers(other path) bool {
	if len(other.names) < len(p.names) || (len(other.names) > len(p.names) || other.below) && !p.below {
		return false
	}
	for i, name := range p.names {
		if !name.covers(other.names[i]) {
			return false
		}
	}
	return true
}

// checkPath says what is wrong with a pattern of paths.
func checkPath(pattern string) string {
	if !canonical(pattern) {
		return "is no canonical path: write it from the root, without `.`, `..`, empty names and a slash at the end"
	}
	at := 0
	for name := range names(pattern) {
		at += len("/") + len(name)
		if strings.Contains(name, everything) && (name != everything || at < len(pattern)) {
			return "`**` stands for everything below: it can be the last name only"
		}
	}
	return ""
}

// file is a FileGrant made for matching.
type file struct {
	path
	access   map[v1alpha1.FileAccess]bool
	maxBytes int64
}

func newFile(g v1alpha1.FileGrant) file {
	f := file{path: newPath(g.Path), access: map[v1alpha1.FileAccess]bool{}, maxBytes: g.MaxBytes}
	for _, a := range g.Access {
		f.access[a] = true
	}
	return f
}
