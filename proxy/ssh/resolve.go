package ssh

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/proxy/ssh/argv"
	"github.com/sallyport/sallyport/proxy/ssh/sftp"
)

// resolveTimeout bounds how long the target may take to say where a path leads, or all
// those of one command.
const resolveTimeout = 10 * time.Second

var (
	errNoPaths = errors.New("where its paths lead cannot be told: the target has no sftp")
	errNoTime  = fmt.Errorf("where its paths lead cannot be told: the target's sftp did not answer within %s", resolveTimeout)
)

// resolve says what the paths of scp and rsync lead to. rsync puts a file in the place of
// a link where scp writes through it, and into a folder behind a link as scp does: both
// the link and what it leads to are judged then.
func (c *connection) resolve(program *argv.Program) (resolved []string, err error) {
	paths, over, err := c.openPaths()
	if err != nil {
		return nil, err
	}
	defer over()
	defer paths.within(resolveTimeout)()
	follows := []bool{true}
	if program.Kind == argv.KindSyncUpload || program.Kind == argv.KindSyncDownload {
		follows = []bool{true, false}
	}
	for _, written := range program.Paths {
		path, err := paths.expand(c.ctx, written)
		if err != nil {
			return nil, err
		}
		for _, follow := range follows {
			place, err := paths.Resolve(c.ctx, path, follow)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", clean(written), err)
			}
			if follow || place.Path != resolved[len(resolved)-1] {
				resolved = append(resolved, place.Path)
			}
		}
	}
	return resolved, nil
}

// openPaths opens an sftp channel of the proxy's own to the target, to ask where paths
// lead.
func (c *connection) openPaths() (paths *pathAsker, over func(), err error) {
	channel, requests, err := c.up.Client.OpenChannel("session", nil)
	if err != nil {
		return nil, nil, errNoPaths
	}
	c.channels.Go(func() { ssh.DiscardRequests(requests) })
	paths = &pathAsker{over: func() { _ = channel.Close() }}
	defer paths.within(resolveTimeout)()
	ok, err := channel.SendRequest("subsystem", true, ssh.Marshal(&subsystemRequest{Name: kindSFTP}))
	if err != nil || !ok {
		paths.over()
		return nil, nil, errNoPaths
	}
	if paths.Client, err = sftp.NewClient(channel, c.login); err != nil {
		paths.over()
		return nil, nil, paths.explained(err)
	}
	return paths, paths.over, nil
}

// pathAsker bounds how long the target may take for its answers.
type pathAsker struct {
	*sftp.Client
	// over closes the channel; late says that the target took too long.
	over func()
	late atomic.Bool
}

// within closes the channel after that time; done is called where it need not.
func (a *pathAsker) within(bound time.Duration) (done func() bool) {
	return time.AfterFunc(bound, func() {
		a.late.Store(true)
		a.over()
	}).Stop
}

// Resolve is sftp.Client's.
func (a *pathAsker) Resolve(ctx context.Context, path string, follow bool) (sftp.Place, error) {
	defer a.within(resolveTimeout)()
	defer context.AfterFunc(ctx, a.over)()
	place, err := a.Client.Resolve(ctx, path, follow)
	return place, a.explained(err)
}

// expand puts the login's home in the place of ~, as shells and git do.
func (a *pathAsker) expand(ctx context.Context, path string) (string, error) {
	rest, ok := strings.CutPrefix(path, "~")
	if !ok || rest != "" && rest[0] != '/' {
		return path, nil
	}
	defer a.within(resolveTimeout)()
	defer context.AfterFunc(ctx, a.over)()
	home, err := a.Home(ctx)
	return home + rest, a.explained(err)
}

func (a *pathAsker) explained(err error) error {
	if err != nil && a.late.Load() {
		return errNoTime
	}
	return err
}
