package postgres

import (
	"crypto/md5" //nolint:gosec // the protocol's own method for old targets
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

// maxAuthenticationMessages bounds the conversation with a target.
const maxAuthenticationMessages = 50

// errNoProof is a target that lets everybody in: whoever reaches it is the task.
var errNoProof = errors.New("the target asks for no password: change its pg_hba.conf")

// authenticate proves to the target that we are the task's login, in whichever way
// it asks, and reads up to AuthenticationOk.
func (u *Upstream) authenticate(conn *secured, to grant.PostgresUpstream) error {
	proved := to.ClientCertificate != "" && conn.asked
	var sasl *scramClient
	for range maxAuthenticationMessages {
		frame, err := u.reader.Read()
		if err != nil {
			return err
		}
		switch frame.Type {
		case wire.TypeErrorResponse:
			return targetError(frame.Body())
		case wire.TypeNoticeResponse:
			continue
		case wire.TypeNegotiateVersion:
			if err := u.negotiate(frame.Body()); err != nil {
				return err
			}
			continue
		case wire.TypeAuthentication:
		default:
			return broken("message %q before authentication", frame.Type)
		}
		asked, err := wire.ReadAuthentication(frame.Body())
		if err != nil {
			return err
		}
		var answer []byte
		switch asked.Code {
		case wire.AuthenticationOk:
			if sasl != nil && !sasl.serverProved() {
				return errors.New("the target did not prove that it knows the password")
			}
			if !proved {
				return errNoProof
			}
			return nil
		case wire.AuthenticationCleartext:
			// A password in the clear goes to a server that has proved its name only.
			if conn.tls == nil {
				return errors.New("the target asks for the password in plaintext without TLS: use SCRAM or TLS there")
			}
			answer = wire.AppendPassword(nil, to.Password.Reveal())
		case wire.AuthenticationMD5:
			answer = wire.AppendPassword(nil, md5Password(to.User, to.Password.Reveal(), asked.Salt))
		case wire.AuthenticationSASL:
			if sasl != nil {
				return broken("the target asks twice")
			}
			if sasl, err = newSCRAM(asked.Mechanisms, conn.tls, to.Password.Reveal()); err != nil {
				return err
			}
			answer, err = sasl.first()
		case wire.AuthenticationSASLContinue:
			answer, err = sasl.next(string(asked.Data))
		case wire.AuthenticationSASLFinal:
			err = sasl.last(string(asked.Data))
		default:
			err = fmt.Errorf("the target asks for a method that is not spoken here (%d)", asked.Code)
		}
		if err != nil {
			return err
		}
		if answer == nil {
			continue
		}
		if to.Password == "" {
			return errors.New("the target asks for a password, and the task has none")
		}
		proved = true
		if _, err := conn.Write(answer); err != nil {
			return err
		}
	}
	return broken("the target does not end the authentication")
}

// negotiate takes the older version that the target speaks.
func (u *Upstream) negotiate(body []byte) error {
	v, err := wire.ReadNegotiateVersion(body)
	if err != nil {
		return err
	}
	if v.Minor > wire.Version32&0xffff || len(v.Options) > 0 {
		return broken("the target negotiates what was not asked")
	}
	u.Version = 3<<16 | v.Minor
	return nil
}

// md5Password is md5(md5(password + user) + salt), as PostgreSQL has it.
func md5Password(user, password string, salt [4]byte) string {
	inner := md5.Sum([]byte(password + user))                                  //nolint:gosec // see above
	outer := md5.Sum(append([]byte(hex.EncodeToString(inner[:])), salt[:]...)) //nolint:gosec // see above
	return "md5" + hex.EncodeToString(outer[:])
}
