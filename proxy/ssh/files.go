package ssh

import "github.com/sallyport/sallyport/proxy/ssh/argv"

// judgedRelay is how the bytes of a kind of program are judged on their way; nil hands
// them on as they are. It reads and writes run.client and run.target to the end of both,
// and closes neither; an error closes the target's channel.
func judgedRelay(kind string) func(*run) error {
	switch kind {
	case kindSFTP:
		return (*run).relaySFTP
	case argv.KindSCPUpload, argv.KindSCPDownload:
		return (*run).relaySCP
	}
	return nil
}
