package datapath

import (
	"context"
	"math"
	"strconv"
	"time"

	"golang.org/x/crypto/ssh"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/audit"
	"github.com/sallyport/sallyport/internal/control/server"
)

// Certifier is the control channel's, with every certificate told before it leaves.
type Certifier struct {
	server.Certifier
	Teller *Teller
	// Requests is the cache, Index its index by UID. Of a request that it does not have
	// yet, the certificate is told without a name.
	Requests client.Reader
	Index    string
}

// Certify implements server.Certifier.
func (c *Certifier) Certify(ctx context.Context, uid string, key ssh.PublicKey, login string) (*ssh.Certificate, error) {
	certificate, err := c.Certifier.Certify(ctx, uid, key, login)
	if err != nil {
		return nil, err
	}
	request := &v1alpha1.TaskAccessRequest{}
	list := &v1alpha1.TaskAccessRequestList{}
	if err := c.Requests.List(ctx, list, client.MatchingFields{c.Index: uid}); err == nil && len(list.Items) == 1 {
		request = &list.Items[0]
	}
	c.Teller.certified(uid, request, certificate)
	return certificate, nil
}

// certified tells of a certificate: what is in it, and of its key the fingerprint alone.
func (t *Teller) certified(uid string, request *v1alpha1.TaskAccessRequest, certificate *ssh.Certificate) {
	subject := audit.Subject{Namespace: request.Namespace, Request: request.Name, UID: uid}
	t.sink.Emit(audit.New(audit.GrantCertified, subject, t.now(), audit.Certified{
		Target: request.Spec.Target, Task: request.Spec.Task.ID, Requester: request.Spec.Requester.Username,
		Serial: strconv.FormatUint(certificate.Serial, 10), KeyID: certificate.KeyId, Principals: certificate.ValidPrincipals,
		Key:        ssh.FingerprintSHA256(certificate.Key),
		ValidAfter: moment(certificate.ValidAfter), ValidBefore: moment(certificate.ValidBefore),
	}, ssh.FingerprintSHA256(certificate)))
}

// moment is a time of PROTOCOL.certkeys.
func moment(seconds uint64) time.Time {
	return time.Unix(int64(min(seconds, math.MaxUint32)), 0).UTC()
}
