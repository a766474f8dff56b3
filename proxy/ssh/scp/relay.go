package scp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/ssh/sftp"
)

// maxDepth is how deep folders may stand in each other.
const maxDepth = 128

// Config of a relay.
type Config struct {
	Client, Target io.ReadWriter
	// CloseTarget ends the writing to the target, when the client has.
	CloseTarget func() error
	Gate        sftp.Gate
	// Resolve says where a path leads on the target; with follow, through links at its end.
	Resolve func(ctx context.Context, path string, follow bool) (sftp.Place, error)
	// Upload says that the client is the source. Path is what the target's scp was told to
	// write to, or to read, as it was told; Recursive that folders may come.
	Upload, Recursive bool
	Path              string
}

// relay is one run of scp.
type relay struct {
	Config
	ctx          context.Context
	source, sink *bufio.Reader
	// to the source, and the sink.
	toSource, toSink io.Writer
	// folders are those that were entered, by their paths.
	folders []string
	// base is where an upload goes; asBase says that names from outside folders stand for
	// it, not for something in it.
	base   string
	asBase bool
	// top are the names that a download may begin with.
	top    map[string]bool
	buffer []byte
}

const bufferSize = 128 << 10

// Relay hands on files until the source has no more. Its error is why it did not.
func Relay(ctx context.Context, config Config) error {
	client, target := bufio.NewReader(config.Client), bufio.NewReader(config.Target)
	r := &relay{Config: config, ctx: ctx, source: target, toSource: config.Target, sink: client, toSink: config.Client}
	if config.Upload {
		r.source, r.toSource, r.sink, r.toSink = client, config.Client, target, config.Target
	}
	err := r.run()
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		if config.CloseTarget != nil {
			_ = config.CloseTarget()
		}
		// The target's scp says no more; its end is what is waited for.
		_, _ = io.Copy(io.Discard, target)
		return nil
	}
	_, _ = config.Client.Write([]byte("\x02scp: sallyport: " + err.Error() + "\n"))
	return err
}

func (r *relay) run() error {
	if err := r.begin(); err != nil {
		return err
	}
	// The sink speaks first.
	if ok, err := r.answer(); !ok {
		return err
	}
	for {
		l, err := readLine(r.source)
		if err != nil {
			return err
		}
		if err := r.line(&l); err != nil {
			return err
		}
	}
}

// begin finds out where the files go, or come from.
func (r *relay) begin() error {
	place, err := r.Resolve(r.ctx, r.Path, r.Upload)
	if err != nil {
		return err
	}
	r.base, r.asBase = place.Path, !place.IsFolder()
	r.top = map[string]bool{lastName(r.Path): true, lastName(place.Path): true}
	return nil
}

func (r *relay) line(l *line) error {
	switch l.kind {
	case answerError:
		return r.toTheSink(l.text)
	case answerFatal:
		if err := r.toTheSink(l.text); err != nil {
			return err
		}
		return io.EOF
	case lineTimes:
		return r.pass(l)
	case lineEnd:
		if len(r.folders) == 0 {
			return errLine
		}
		r.folders = r.folders[:len(r.folders)-1]
		return r.pass(l)
	}
	path, err := r.path(l)
	if err != nil {
		return err
	}
	place, err := r.Resolve(r.ctx, path, true)
	if err != nil {
		return r.refuse(err.Error())
	}
	admission, err := r.Gate.Admit(r.ctx, r.operation(l, &place))
	if err == nil && admission.Held {
		now, failed := r.Resolve(r.ctx, path, true)
		if failed != nil || now.Path != place.Path || now.Exists != place.Exists {
			err = &sftp.Refused{Words: "sallyport: what was approved has changed while it waited"}
		}
	}
	if err == nil && l.kind == lineFile {
		err = r.fits(l, place.Path)
	}
	if refused, ok := errors.AsType[*sftp.Refused](err); ok {
		return errors.Join(r.done(admission, 0, refused.Words), r.refuse(refused.Words))
	}
	if err != nil {
		return err
	}
	if l.kind == lineFolder {
		return r.enter(l, admission, path)
	}
	return r.file(l, admission, place.Path)
}

// path is where the target's scp puts a name, or takes it from.
func (r *relay) path(l *line) (string, error) {
	switch {
	case l.kind == lineFolder && !r.Recursive:
		return "", fmt.Errorf("a folder, which was not asked for (scp -r)")
	case len(r.folders) > 0:
		return r.folders[len(r.folders)-1] + "/" + l.name, nil
	case !r.Upload && !r.top[l.name]:
		return "", fmt.Errorf("the target sends %q, which was not asked for", l.name)
	case !r.Upload:
		return r.Path, nil
	case r.asBase:
		return r.base, nil
	}
	return r.base + "/" + l.name, nil
}

func (r *relay) operation(l *line, place *sftp.Place) sftp.Operation {
	o := sftp.Operation{Kind: "scp download", Bytes: l.size, FromTarget: true, Files: []policy.FileUse{{Path: place.Path, Access: v1alpha1.FileRead}}}
	if r.Upload {
		o.Kind, o.FromTarget, o.Files[0].Access = "scp upload", false, v1alpha1.FileWrite
	}
	if l.kind == lineFolder {
		o.Shown = o.Kind + " folder " + place.Path
		return o
	}
	o.Shown = fmt.Sprintf("%s %s (%d bytes)", o.Kind, place.Path, l.size)
	if r.Upload && place.Exists {
		o.Shown += " over what is there" + place.Shown()
	}
	return o
}

// fits says whether a file of that size may pass, and counts it.
func (r *relay) fits(l *line, path string) error {
	direction, access := sftp.Download, v1alpha1.FileRead
	if r.Upload {
		direction, access = sftp.Upload, v1alpha1.FileWrite
	}
	if most := r.Gate.MaxBytes(path, access); most > 0 && l.size > most {
		return &sftp.Refused{Words: fmt.Sprintf("sallyport: the grant has files of at most %d bytes here", most)}
	}
	return r.Gate.Move(direction, l.size)
}

// refuse skips what the source offers: it goes on with what comes next.
func (r *relay) refuse(words string) error {
	text := []byte("\x01scp: " + words + "\n")
	if _, err := r.toSource.Write(text); err != nil {
		return err
	}
	if r.Upload {
		return nil
	}
	return r.toTheSink(text)
}

func (r *relay) toTheSink(text []byte) error {
	_, err := r.toSink.Write(text)
	return err
}

// enter goes into a folder, if the sink can.
func (r *relay) enter(l *line, admission sftp.Admission, path string) error {
	if len(r.folders) >= maxDepth {
		return errors.New("folders that stand in each other too deep")
	}
	if err := r.toTheSink(l.text); err != nil {
		return err
	}
	ok, err := r.answer()
	if !ok {
		return errors.Join(r.done(admission, 0, "the other side refuses it"), err)
	}
	r.folders = append(r.folders, path)
	return r.done(admission, 0, "")
}

// pass hands on a line that has an answer and nothing else.
func (r *relay) pass(l *line) error {
	if err := r.toTheSink(l.text); err != nil {
		return err
	}
	_, err := r.answer()
	return err
}

// answer hands on what the sink says to the source; false is an error, the second a fatal
// one.
func (r *relay) answer() (ok bool, err error) {
	return hand(r.sink, r.toSource)
}

func hand(from *bufio.Reader, to io.Writer) (ok bool, err error) {
	kind, err := from.ReadByte()
	if err != nil {
		return false, err
	}
	text := []byte{kind}
	switch kind {
	case answerOK:
	case answerError, answerFatal:
		rest, err := readText(from)
		if err != nil {
			return false, err
		}
		text = append(text, rest...)
	default:
		return false, errLine
	}
	if _, err := to.Write(text); err != nil {
		return false, err
	}
	if kind == answerFatal {
		return false, io.EOF
	}
	return kind == answerOK, nil
}
