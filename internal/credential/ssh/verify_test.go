package ssh

import (
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/credential"
	"github.com/sallyport/sallyport/internal/credential/ssh/krl"
	"github.com/sallyport/sallyport/internal/sshtest"
)

// over is a request that ended so long ago.
func over(ago time.Duration, logins ...string) credential.Request {
	return credential.Request{UID: taskUID, Generation: 1, Grant: grantFor(logins...), EndedAt: time.Now().Add(-ago)}
}

// verify wants evidence that says want, absent or not.
func verify(t *testing.T, issuer *Issuer, target credential.Target, request credential.Request, absent bool, want string) {
	t.Helper()
	evidence, err := issuer.Verify(t.Context(), target, request)
	if err != nil {
		t.Fatal(err)
	}
	if evidence.Absent != absent || evidence.Standing || !strings.Contains(evidence.Message, want) || evidence.CheckedAt.IsZero() {
		t.Errorf("evidence %+v, want absent %v and %q", evidence, absent, want)
	}
	if waits := !evidence.Until.IsZero(); waits == absent && want != "its clock is behind" || waits && evidence.Until.Before(evidence.CheckedAt) {
		t.Errorf("until %v, checked at %v, absent %v", evidence.Until, evidence.CheckedAt, absent)
	}
	if strings.ContainsAny(evidence.Message, "\n\r") || len(evidence.Message) > 512 {
		t.Errorf("the message is not one line: %q", evidence.Message)
	}
}

func TestSSH2_ATasksCertificateOpensItsTargetOnItsTermsAlone(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t, 0)
	server, target := startTrusting(t, issuer)
	deploy := certified(t, issuer, target, "deploy")
	if err := logIn(server, "127.0.0.1", "deploy", deploy); err != nil {
		t.Fatalf("while it is good: %v\n%s", err, server.Log())
	}
	elsewhere := target
	elsewhere.Name = "other"
	for name, test := range map[string]struct {
		from, login string
		signer      ssh.Signer
	}{
		"from another address":     {"127.0.0.2", "deploy", deploy},
		"for another login":        {"127.0.0.1", "audit", deploy},
		"after it ran out":         {"127.0.0.1", "deploy", certified(t, newIssuer(t, -time.Hour), target, "deploy")},
		"of another target":        {"127.0.0.1", "deploy", certified(t, issuer, elsewhere, "deploy")},
		"before it begins":         {"127.0.0.1", "deploy", certified(t, newIssuer(t, time.Hour), target, "deploy")},
		"the key, not certificate": {"127.0.0.1", "deploy", newSigner(t)},
	} {
		if err := logIn(server, test.from, test.login, test.signer); err == nil {
			t.Errorf("%s: it logs in", name)
		}
	}
	if err := logIn(server, "127.0.0.1", "deploy", deploy); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestLIFE2_CertificatesAreAbsentOnceTheLastRanOut(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t, 0)
	server, target := startTrusting(t, issuer)
	verify(t, issuer, target, over(0, "deploy", "audit"), false, "the target still takes one on the task's terms")
	verify(t, issuer, target, over(185*time.Second, "deploy"), false, "are good until") // one may have been on its way
	verify(t, issuer, target, over(time.Hour, "deploy", "audit"), true,
		"the target refuses one on the task's terms, and takes a fresh one of its authority")

	unknown := over(time.Hour, "deploy")
	unknown.EndedAt = time.Time{}
	verify(t, issuer, target, unknown, false, "are good until")

	expired := over(0, "deploy")
	expired.ExpiresAt = time.Now().Add(-5 * time.Second)
	verify(t, issuer, target, expired, true, "ran out at")

	lost := over(time.Hour)
	lost.Grant.SSH = nil // then every login of the target is asked about
	verify(t, issuer, target, lost, true, "ran out at")
	if log := server.Log(); strings.Contains(log, "Accepted publickey") {
		t.Errorf("asking logged in:\n%s", log)
	}
}

func TestLIFE2_WithAListOfRevokedKeysCertificatesAreAbsentAtOnce(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t, 0)
	server, target := startTrusting(t, issuer)
	deploy := certified(t, issuer, target, "deploy")
	authority, err := issuer.Authority(target)
	if err != nil {
		t.Fatal(err)
	}
	for name, revoke := range map[string]func(*krl.List) error{
		"by serial number": func(l *krl.List) error { return l.RevokeSerial(authority, Serial(taskUID)) },
		"by key ID":        func(l *krl.List) error { return l.RevokeKeyID(authority, KeyID(taskUID)) },
	} {
		list, err := krl.New("sallyport payments/bastion", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := server.SetRevokedKeys(list.Marshal()); err != nil {
			t.Fatal(err)
		}
		if err := logIn(server, "127.0.0.1", "deploy", deploy); err != nil {
			t.Fatalf("%s, before: %v\n%s", name, err, server.Log())
		}
		if err := revoke(list); err != nil {
			t.Fatal(err)
		}
		if err := server.SetRevokedKeys(list.Marshal()); err != nil {
			t.Fatal(err)
		}
		if err := logIn(server, "127.0.0.1", "deploy", deploy); err == nil {
			t.Errorf("%s: it logs in", name)
		}
		verify(t, issuer, target, over(0, "deploy", "audit"), true, "are revoked")
	}
}

// revoked gives the server a list that has the task's certificates.
func revoked(t *testing.T, server *sshtest.Server, issuer *Issuer, target credential.Target) {
	t.Helper()
	authority, err := issuer.Authority(target)
	if err != nil {
		t.Fatal(err)
	}
	list, err := krl.New("", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(list.RevokeSerial(authority, Serial(taskUID)), server.SetRevokedKeys(list.Marshal())); err != nil {
		t.Fatal(err)
	}
}

// A server may have another list for another login.
func TestLIFE2_BeforeTheEndEachLoginMustBeRevoked(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t, 0)
	server, target := startTrusting(t, issuer, "Match User audit", "RevokedKeys /dev/null")
	revoked(t, server, issuer, target)
	verify(t, issuer, target, over(0, "deploy"), true, "are revoked")
	verify(t, issuer, target, over(0, "deploy", "audit"), false, "the target still takes one")
}

func TestLIFE2_ATargetThatShowsNothingIsNoEvidence(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t, 0)
	server, target := startTrusting(t, issuer, "AllowUsers deploy")
	fails := func(name string, target credential.Target, request credential.Request, about error, want string) {
		t.Helper()
		evidence, err := issuer.Verify(t.Context(), target, request)
		if !errors.Is(err, about) || evidence.Absent || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: evidence %+v, error %v, want %v that says %q", name, evidence, err, about, want)
		}
	}
	fails("the login is not let in", target, over(time.Hour, "audit"), credential.ErrAdministrator, "AllowUsers")
	verify(t, issuer, target, over(time.Hour, "audit", "deploy"), true, "ran out at")
	revoked(t, server, issuer, target)
	verify(t, issuer, target, over(0, "deploy"), true, "are revoked")
	fails("one of its logins is not let in, before the end", target, over(0, "deploy", "audit"), credential.ErrAdministrator, "AllowUsers")
	if err := server.SetCAKeys(newSigner(t).PublicKey()); err != nil {
		t.Fatal(err)
	}
	fails("the authority is not trusted", target, over(time.Hour, "deploy"), credential.ErrAdministrator, "status.certificateAuthority")
	trust(t, server, issuer, target)

	impostor := targetAt(server.Port, newSigner(t).PublicKey())
	fails("another host key", impostor, over(time.Hour, "deploy"), credential.ErrUnreachable, ssh.FingerprintSHA256(server.HostKey))

	server.Stop()
	fails("down", target, over(time.Hour, "deploy"), credential.ErrUnreachable, "connection refused")
	nowhere := target
	nowhere.Addresses = nil
	fails("without an address", nowhere, over(time.Hour, "deploy"), credential.ErrUnreachable, "no address")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	verify(t, issuer, target, over(time.Hour, "deploy"), true, "ran out at")
}

// The manager's clock is an hour ahead: by it the certificates ran out, by the target's
// they have not.
func TestLIFE2_ItIsTheTargetsClockThatCounts(t *testing.T) {
	t.Parallel()
	ahead := newIssuer(t, 50*time.Second)
	_, target := startTrusting(t, ahead)
	request := over(0, "deploy")
	request.ExpiresAt = time.Now().Add(40 * time.Second)
	verify(t, ahead, target, request, false, "its clock is behind")

	// The other way round: the target refuses them already, and might not tomorrow.
	behind := newIssuer(t, -50*time.Second)
	_, target = startTrusting(t, behind)
	request = over(50*time.Second, "deploy")
	request.ExpiresAt = time.Now().Add(-20 * time.Second)
	verify(t, behind, target, request, false, "its clock is ahead")
}

func TestAServerWithoutPublicKeysShowsNothing(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t, 0)
	server := sshtest.Start(t, sshtest.Options{Passwords: map[string]string{"deploy": "hunter2"}, Config: []string{"PubkeyAuthentication no"}})
	_, err := issuer.Verify(t.Context(), targetAt(server.Port, server.HostKey), over(time.Hour, "deploy"))
	if !errors.Is(err, credential.ErrAdministrator) || !strings.Contains(err.Error(), "PubkeyAuthentication") {
		t.Errorf("error %v", err)
	}
}

func TestRevokeAndListAskNobody(t *testing.T) {
	t.Parallel()
	issuer, target := newIssuer(t, 0), someTarget(t)
	if err := issuer.Revoke(t.Context(), target, over(0, "deploy")); err != nil {
		t.Error(err)
	}
	if held, err := issuer.List(t.Context(), target); err != nil || len(held) > 0 {
		t.Errorf("held %v, error %v", held, err)
	}
}
