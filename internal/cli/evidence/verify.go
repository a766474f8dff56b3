package evidence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/recording"
	"github.com/sallyport/sallyport/internal/evidence"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/tarfs"
)

// Verify are the options of kubectl access evidence verify.
type Verify struct {
	genericiooptions.IOStreams

	// Bundle is the tar file, or the folder that it was unpacked into.
	Bundle string
	// Keys are files with the public keys that sign recordings, Identities files that open
	// encrypted ones.
	Keys, Identities []string
	// WithoutKey has the bundle judged by itself.
	WithoutKey bool
}

// Validate asks for a bundle.
func (o *Verify) Validate() error {
	if o.Bundle == "" {
		return errors.New("name the bundle: kubectl access evidence verify bundle.tar --key recording-key.pem")
	}
	if o.WithoutKey && len(o.Keys) > 0 {
		return errors.New("give --key or --without-key, not both")
	}
	return nil
}

// Complete has nothing to find out.
func (*Verify) Complete() error { return nil }

// Exit codes beside 0, all is proved.
const (
	exitFailed     = 1
	exitGap        = 2
	exitUnverified = 3 // nobody said which key to trust
)

// Run checks a bundle, and prints a line for each thing that this has shown.
func (o *Verify) Run(ctx context.Context) (err error) {
	var trust evidence.Trust
	if trust.Keys, err = recording.ReadKeys(o.Keys); err != nil {
		return err
	}
	if trust.Identities, err = recording.ReadIdentities(o.Identities); err != nil {
		return err
	}
	bundle, closer, err := open(o.Bundle)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	result, err := evidence.Check(ctx, bundle, trust)
	if err != nil {
		return err
	}
	return o.tell(result)
}

func (o *Verify) tell(result *evidence.Result) error {
	for _, finding := range result.Findings {
		if _, err := fmt.Fprintf(o.Out, "%-6s %s: %s\n", finding.Level, record.PrintableLine(finding.Subject), record.PrintableLine(finding.Text)); err != nil {
			return err
		}
	}
	verdict, code := "OK: this is what was recorded, reviewed and torn down", 0
	level := result.Level()
	switch {
	case level == evidence.Failed:
		verdict, code = "FAILED: do not believe it", exitFailed
	case len(o.Keys) == 0 && !o.WithoutKey:
		verdict, code = "UNVERIFIED: nothing contradicts it, but anybody can have made it. --key FILE with the public key from the operator's owners "+
			"(ConfigMap sallyport-recording-keys of namespace sallyport-proxies) proves it; --without-key does without", exitUnverified
	case level == evidence.Gap:
		verdict, code = "OK WITH GAPS: nothing contradicts it, but not all of it is proved", exitGap
	}
	r := result.Request
	if _, err := fmt.Fprintf(o.Out, "%s (request %s, UID %s)\n", verdict, record.PrintableLine(r.Namespace+"/"+r.Name), record.PrintableLine(r.UID)); err != nil {
		return err
	}
	if code == 0 {
		return nil
	}
	return &kube.ExitError{Code: code}
}

// open reads a bundle as a tar file or as a folder, from which no link leads away.
func open(name string) (fs.FS, io.Closer, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, nil, err
	}
	if info.IsDir() {
		root, err := os.OpenRoot(name)
		if err != nil {
			return nil, nil, err
		}
		return root.FS(), root, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	bundle, err := tarfs.Read(file, info.Size(), tarfs.RefuseLinks)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", name, err), file.Close())
	}
	return bundle, file, nil
}
