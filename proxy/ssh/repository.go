package ssh

import (
	"errors"
	"strings"

	"github.com/sallyport/sallyport/proxy/ssh/sftp"
)

// tried are what git itself puts behind a repository's path, in its order (enter_repo in
// git's path.c): who asks for web may get web.git, or where that leads.
var tried = []string{"/.git", "", ".git/.git", ".git"}

// repository is the one that git would open for a path: by the folder of its files, and
// by the folder around it where that is its .git.
func (c *connection) repository(written string) (string, error) {
	paths, over, err := c.openPaths()
	if err != nil {
		return "", err
	}
	defer over()
	defer paths.within(resolveTimeout)()
	if written, err = paths.expand(c.ctx, written); err != nil {
		return "", err
	}
	if trimmed := strings.TrimRight(written, "/"); trimmed != "" {
		written = trimmed
	}
	folder, err := paths.Resolve(c.ctx, written, true)
	if err != nil {
		return "", err
	}
	found := ""
	for _, suffix := range tried {
		place, err := paths.Resolve(c.ctx, written+suffix, true)
		if err != nil {
			return "", err
		}
		is, err := c.isRepository(paths, &place)
		switch {
		case err != nil:
			return "", err
		case !is:
			continue
		case found != "":
			return "", errors.New("the path stands for several repositories: write it with its .git")
		}
		if found = place.Path; suffix == "/.git" && place.Path == strings.TrimSuffix(folder.Path, "/")+suffix {
			found = folder.Path
		}
	}
	if found == "" {
		found = folder.Path
	}
	return found, nil
}

// isRepository says whether git may take a place for one: it looks for HEAD first.
func (c *connection) isRepository(paths *pathAsker, place *sftp.Place) (bool, error) {
	switch {
	case !place.Exists:
		return false, nil
	case !place.IsFolder():
		return false, errors.New("the path leads to a file that says where the repository is: write that path")
	}
	head, err := paths.Resolve(c.ctx, strings.TrimSuffix(place.Path, "/")+"/HEAD", false)
	return head.Exists, err
}
