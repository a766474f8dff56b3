package ssh

import (
	"errors"

	"github.com/sallyport/sallyport/proxy/ssh/argv"
	"github.com/sallyport/sallyport/proxy/ssh/scp"
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
	path, err := paths.expand(r.ctx, program.Paths[0])
	if err != nil {
		return err
	}
	return r.withStderr(func() error {
		return scp.Relay(r.ctx, scp.Config{
			Client: r.client, Target: r.target, CloseTarget: r.target.CloseWrite, Gate: newFileGate(r), Resolve: paths.Resolve,
			Upload: r.kind == argv.KindSCPUpload, Recursive: program.Recursive, Path: path,
		})
	})
}
