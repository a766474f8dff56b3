// Package krl is kubectl access krl: the certificates of a target that may still be good
// though their task is over, as OpenSSH's list of revoked keys.
package krl

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/term"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/task"
	issuer "github.com/sallyport/sallyport/internal/credential/ssh"
	"github.com/sallyport/sallyport/internal/credential/ssh/krl"
)

// Options of krl.
type Options struct {
	genericiooptions.IOStreams
	Factory *kube.Factory

	Target string
	// File to replace; standard output if empty.
	File   string
	Base64 bool

	client    client.WithWatch
	namespace string
}

// Complete connects.
func (o *Options) Complete() (err error) {
	o.client, o.namespace, err = o.Factory.ClientIn()
	return err
}

// Validate keeps bytes off terminals.
func (o *Options) Validate() error {
	out, ok := o.Out.(*os.File)
	if o.File == "" && !o.Base64 && ok && term.IsTerminal(int(out.Fd())) {
		return errors.New("the list is binary: name a file with -f, or say --base64")
	}
	return nil
}

// Run writes the list.
func (o *Options) Run(ctx context.Context) error {
	target := &v1alpha1.AccessTarget{}
	if err := o.client.Get(ctx, client.ObjectKey{Namespace: o.namespace, Name: o.Target}, target); err != nil {
		return err
	}
	requests := &v1alpha1.TaskAccessRequestList{}
	if err := o.client.List(ctx, requests, client.InNamespace(o.namespace)); err != nil {
		return err
	}
	list, count, err := revoked(target, requests.Items, o.Factory.Now())
	if err != nil {
		return err
	}
	content := list.Marshal()
	if o.Base64 {
		content = append([]byte(base64.StdEncoding.EncodeToString(content)), '\n')
	}
	if o.File == "" {
		_, err = o.Out.Write(content)
		return err
	}
	if err := replace(o.File, content); err != nil {
		return fmt.Errorf("write the list: %w", err)
	}
	_, err = fmt.Fprintf(o.ErrOut, "%s: certificates of %d requests revoked\n", o.File, count)
	return err
}

// slack is for the clocks of manager, plugin and server, which may differ.
const slack = 2 * time.Minute

// revoked lists the requests that are over, but whose last certificates may not be.
func revoked(target *v1alpha1.AccessTarget, requests []v1alpha1.TaskAccessRequest, now time.Time) (*krl.List, int, error) {
	spec := target.Spec.SSH
	if spec == nil || target.Status.CertificateAuthority == "" {
		return nil, 0, fmt.Errorf("%s has no authority for certificates: there is nothing to revoke by a list", target.Name)
	}
	authority, _, _, _, err := ssh.ParseAuthorizedKey([]byte(target.Status.CertificateAuthority))
	if err != nil {
		return nil, 0, fmt.Errorf("the authority of %s: %w", target.Name, err)
	}
	list, err := krl.New("sallyport "+target.Namespace+"/"+target.Name, now)
	if err != nil {
		return nil, 0, err
	}
	seconds := spec.CertificateSeconds
	if seconds == 0 {
		seconds = 180
	}
	count := 0
	for i := range requests {
		r := &requests[i]
		if r.Spec.Target != target.Name || !task.Over(r) {
			continue
		}
		// One that is closed but not ended yet may have got a certificate just now.
		if end := r.Status.Ended; end != nil && now.After(end.At.Add(time.Duration(seconds)*time.Second+slack)) {
			continue
		}
		uid := string(r.UID)
		if err := errors.Join(list.RevokeSerial(authority, issuer.Serial(uid)), list.RevokeKeyID(authority, issuer.KeyID(uid))); err != nil {
			return nil, 0, err
		}
		count++
	}
	return list, count, nil
}

// replace puts a whole new file in the place of the old one: sshd refuses every key
// while its RevokedKeys cannot be read.
func replace(path string, content []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".krl-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	if err := write(file, content); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

func write(file *os.File, content []byte) error {
	_, err := file.Write(content)
	// Revoked serial numbers are nobody's secret, and sshd may read as another user.
	return errors.Join(err, file.Chmod(0o644), file.Close())
}
