package ssh

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
)

// inFlight is how long after its end a request's last certificate may have been made,
// by a replica of the manager that had just read that it is granted.
const inFlight = 10 * time.Second

// freshLifetime of the certificates that are only asked about.
const freshLifetime = time.Minute

// Verify shows that no certificate of the request is good any longer: the target refuses
// one on the task's terms, and takes a fresh one of the same authority, so that it is
// the end that it refuses. Before that end, a list of revoked keys shows it: then for
// each login, since sshd may have another list for another (Match User). Each login costs
// a connection, which OpenSSH 9.8 and newer count (PerSourcePenalties).
func (i *Issuer) Verify(ctx context.Context, target credential.Target, request credential.Request) (credential.Evidence, error) {
	none := credential.Evidence{}
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	spec, err := specOf(target)
	if err != nil {
		return none, err
	}
	logins := spec.Logins
	if request.Grant.SSH != nil {
		logins = request.Grant.SSH.Logins
	}
	if len(logins) == 0 {
		return none, fmt.Errorf("%w: AccessTarget %s offers no login", credential.ErrGrant, target.Name)
	}
	now := i.Now()
	e := end{at: LastEnd(spec, request.EndedAt, request.ExpiresAt, now), now: now, uid: request.UID}
	var evidence credential.Evidence
	for _, login := range logins {
		evidence, err = i.verifyLogin(ctx, target, login, e)
		switch {
		case e.over() && errors.Is(err, credential.ErrAdministrator):
			// Another login may show it: a server checks the end alike for all.
			continue
		case e.over(), err != nil, !evidence.Absent:
			return evidence, err
		}
	}
	return evidence, err
}

// end is when the last certificate of a request runs out.
type end struct {
	at, now time.Time
	uid     string
}

func (e end) over() bool { return !e.now.Before(e.at) }

// LastEnd is when the last certificate runs out that a task can have been given that ended
// at ended, or at expires at the latest; either may be zero, for not known. It is rounded
// up: sshd counts in seconds.
func LastEnd(spec *v1alpha1.SSHTarget, ended, expires, now time.Time) time.Time {
	if ended.IsZero() || ended.After(now) {
		ended = now
	}
	at := ended.Add(lifetime(spec) + inFlight)
	if !expires.IsZero() && expires.Before(at) {
		at = expires
	}
	return at.Truncate(time.Second).Add(time.Second)
}

func (i *Issuer) verifyLogin(ctx context.Context, target credential.Target, login string, e end) (credential.Evidence, error) {
	none := credential.Evidence{}
	key, err := stranger()
	if err != nil {
		return none, err
	}
	// Without source-address: it is the manager that asks. Each began long ago, so that
	// only its end or its revocation can be why it is refused.
	begun := e.at.Add(-24 * time.Hour)
	fresh, err := i.ask(target, terms{uid: probeUID, key: key, login: login, after: e.now.Add(-backdate), before: e.now.Add(freshLifetime)})
	if err != nil {
		return none, err
	}
	// Ends with the task's, but was never revoked: a target that refuses this one has a
	// clock that is ahead, which may be put right.
	ending, err := i.ask(target, terms{uid: probeUID, key: key, login: login, after: begun, before: e.at})
	if err != nil {
		return none, err
	}
	task, err := i.ask(target, terms{uid: e.uid, key: key, login: login, after: begun, before: e.at})
	if err != nil {
		return none, err
	}
	keys := []*asked{fresh, task}
	if !e.over() {
		keys = []*asked{fresh, ending, task}
	}
	got, err := i.query(ctx, target, login, keys)
	if err != nil {
		return none, err
	}
	if got.open {
		return none, fmt.Errorf("%w: the server asks login %s for no proof at all: it shows nothing", credential.ErrUnsupported, login)
	}
	if !fresh.taken {
		return none, i.notTrusted(target, login)
	}
	name, until := KeyID(e.uid), e.at.UTC().Format(time.RFC3339)
	evidence := credential.Evidence{CheckedAt: e.now}
	if !e.over() {
		evidence.Until = e.at
	}
	switch {
	case task.taken && e.over():
		evidence.Message = fmt.Sprintf("certificates of %s ran out at %s, yet the target still takes one on the task's terms: its clock is behind", name, until)
	case task.taken:
		evidence.Message = fmt.Sprintf("certificates of %s are good until %s at most, and the target still takes one on the task's terms", name, until)
	case e.over():
		evidence.Absent = true
		evidence.Message = fmt.Sprintf("certificates of %s ran out at %s; the target refuses one on the task's terms, and takes a fresh one of its authority", name, until)
	case !ending.taken:
		evidence.Message = fmt.Sprintf("certificates of %s are good until %s at most; the target refuses them already, for its clock is ahead", name, until)
	default:
		evidence.Absent, evidence.Until = true, time.Time{}
		evidence.Message = fmt.Sprintf("certificates of %s are revoked; the target refuses one on the task's terms, and takes others of its authority", name)
	}
	return evidence, nil
}

// probeUID is in no request's certificates: what is revoked is never this.
const probeUID = "probe"

// ask makes a certificate to ask about, for a key that nobody has; it may have ended.
func (i *Issuer) ask(target credential.Target, t terms) (*asked, error) {
	certificate, err := i.signAsIs(target, t)
	if err != nil {
		return nil, err
	}
	return &asked{key: certificate}, nil
}

// notTrusted says what to do where the target does not take its authority's word.
func (i *Issuer) notTrusted(target credential.Target, login string) error {
	authority, err := i.Authority(target)
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: the server does not take certificates of %s for login %s: add the line of status.certificateAuthority to the file "+
		"that its sshd_config names as TrustedUserCAKeys; and look whether there is such a login, and AllowUsers and AuthorizedPrincipalsFile let it in",
		credential.ErrAdministrator, ssh.FingerprintSHA256(authority), login)
}
