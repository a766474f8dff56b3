package sftp

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// describe is what reviewers see of a file that is there.
func (a *Attributes) describe() string {
	var parts []string
	if a.is(modeFolder) {
		parts = append(parts, "a folder")
	} else if a.is(modeLink) {
		parts = append(parts, "a symbolic link")
	} else if a.flags&hasSize != 0 {
		parts = append(parts, fmt.Sprintf("%d bytes", a.size))
	}
	if a.flags&hasTimes != 0 {
		parts = append(parts, "modified "+time.Unix(int64(a.mod), 0).UTC().Format(time.RFC3339))
	}
	return strings.Join(parts, ", ")
}

// change is what a setstat would change.
func (a *Attributes) change() string {
	var parts []string
	if a.flags&hasSize != 0 {
		parts = append(parts, fmt.Sprintf("size %d", a.size))
	}
	if a.flags&hasOwner != 0 {
		parts = append(parts, fmt.Sprintf("owner %d:%d", a.uid, a.gid))
	}
	if a.flags&hasPermissions != 0 {
		parts = append(parts, fmt.Sprintf("mode %04o", a.mode&0o7777))
	}
	if a.flags&hasTimes != 0 {
		parts = append(parts, "modified "+time.Unix(int64(a.mod), 0).UTC().Format(time.RFC3339))
	}
	return strings.Join(parts, ", ")
}

// Shown is what is there, for people.
func (p *Place) Shown() string {
	if !p.Exists {
		return " (nothing is there)"
	}
	return " (" + p.Attributes.describe() + ")"
}

// quoted is a path for people; one with spaces or quotes in quotes.
func quoted(path string) string {
	if strings.ContainsAny(path, " \"'\\") || path == "" || checkPath(path) != nil {
		return strconv.Quote(path)
	}
	return path
}
