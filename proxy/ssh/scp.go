package ssh

import (
	"context"
	"errors"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/proxy/ssh/argv"
	"github.com/sallyport/sallyport/proxy/ssh/scp"
	"github.com/sallyport/sallyport/proxy/ssh/sftp"
)

// relaySCP judges every file that scp moves by its legacy protocol.
func (r *run) relaySCP() error {
	if r.terminal != nil {
		return errTerminal
	}
	var asked execRequest
	if err := read(r.request.payload, &asked); err != nil {
		return err
	}
	program := argv.Classify(argv.Parse(asked.Command))
	if program.Unknown != "" || len(program.Paths) != 1 {
		return errors.New("scp is to be asked for one path at a time")
	}
	paths, over, err := r.openPaths()
	if err != nil {
		return err
	}
	defer over()
	path := program.Paths[0]
	if home, ok := strings.CutPrefix(path, "~"); ok && (home == "" || home[0] == '/') {
		path = "." + home
	}
	return r.withStderr(func() error {
		return scp.Relay(r.ctx, scp.Config{
			Client: r.client, Target: r.target, CloseTarget: r.target.CloseWrite, Gate: newFileGate(r), Resolve: paths.Resolve,
			Upload: r.kind == argv.KindSCPUpload, Recursive: program.Recursive, Path: path,
		})
	})
}

// openPaths opens an sftp channel of the proxy's own to the target, to ask where paths
// lead.
func (c *connection) openPaths() (paths *pathAsker, over func(), err error) {
	channel, requests, err := c.up.Client.OpenChannel("session", nil)
	if err != nil {
		return nil, nil, errNoPaths
	}
	c.channels.Go(func() { ssh.DiscardRequests(requests) })
	over = func() { _ = channel.Close() }
	timer := time.AfterFunc(resolveTimeout, over)
	defer timer.Stop()
	ok, err := channel.SendRequest("subsystem", true, ssh.Marshal(&subsystemRequest{Name: kindSFTP}))
	if err != nil || !ok {
		over()
		return nil, nil, errNoPaths
	}
	client, err := sftp.NewClient(channel)
	if err != nil {
		over()
		return nil, nil, err
	}
	return &pathAsker{client, over}, over, nil
}

var errNoPaths = errors.New("where its paths lead cannot be told: the target has no sftp")

// pathAsker bounds how long the target may take for an answer.
type pathAsker struct {
	*sftp.Client
	over func()
}

// Resolve is sftp.Client's.
func (a *pathAsker) Resolve(ctx context.Context, path string, follow bool) (sftp.Place, error) {
	timer := time.AfterFunc(resolveTimeout, a.over)
	defer timer.Stop()
	stop := context.AfterFunc(ctx, a.over)
	defer stop()
	return a.Client.Resolve(ctx, path, follow)
}
