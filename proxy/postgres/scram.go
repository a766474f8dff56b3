package postgres

import (
	"crypto/tls"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/xdg-go/scram"

	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

const (
	mechanismSCRAM     = "SCRAM-SHA-256"
	mechanismSCRAMPlus = "SCRAM-SHA-256-PLUS"
	// maxIterations bounds the work that a server may ask of us; PostgreSQL's own
	// default is 4096.
	maxIterations = 1_000_000
)

// scramClient is one SCRAM conversation (RFC 5802, 7677) with the target. A nil
// one is a conversation that was never begun.
type scramClient struct {
	mechanism    string
	conversation *scram.ClientConversation
}

// newSCRAM picks the strongest mechanism. Inside TLS the conversation is bound to
// the server's certificate (RFC 5929 tls-server-end-point) where the server can:
// nobody can then stand between us and it.
func newSCRAM(offered []string, state *tls.ConnectionState, password string) (*scramClient, error) {
	// The server knows the user from the start-up message, and ignores this one. Like
	// libpq, a password that SASLprep does not take is used as it is.
	client, err := scram.SHA256.NewClient("", password, "")
	if err != nil {
		if client, err = scram.SHA256.NewClientUnprepped("", password, ""); err != nil {
			return nil, errors.New("the password cannot be used with SCRAM")
		}
	}
	plus := slices.Contains(offered, mechanismSCRAMPlus)
	if state != nil && plus {
		binding, err := scram.NewTLSServerEndpointBinding(state)
		if err == nil {
			return &scramClient{mechanismSCRAMPlus, client.NewConversationWithChannelBinding(binding)}, nil
		}
		// RFC 5929 defines no binding for some certificates (Ed25519).
	}
	if !slices.Contains(offered, mechanismSCRAM) {
		return nil, errors.New("the target offers no SASL mechanism that is spoken here: SCRAM-SHA-256 is")
	}
	if state != nil && !plus {
		return &scramClient{mechanismSCRAM, client.NewConversationAdvertisingChannelBinding()}, nil
	}
	return &scramClient{mechanismSCRAM, client.NewConversation()}, nil
}

func (s *scramClient) first() ([]byte, error) {
	message, err := s.conversation.Step("")
	if err != nil {
		return nil, errSCRAM(err)
	}
	return wire.AppendSASLInitialResponse(nil, s.mechanism, message), nil
}

func (s *scramClient) next(challenge string) ([]byte, error) {
	if s == nil {
		return nil, broken("the target goes on with what it did not begin")
	}
	for attribute := range strings.SplitSeq(challenge, ",") {
		if count, ok := strings.CutPrefix(attribute, "i="); ok {
			if n, err := strconv.Atoi(count); err != nil || n > maxIterations {
				return nil, broken("the target asks for too many iterations of SCRAM")
			}
		}
	}
	message, err := s.conversation.Step(challenge)
	if err != nil {
		return nil, errSCRAM(err)
	}
	return wire.AppendSASLResponse(nil, message), nil
}

func (s *scramClient) last(proof string) error {
	if s == nil {
		return broken("the target goes on with what it did not begin")
	}
	if _, err := s.conversation.Step(proof); err != nil {
		return errSCRAM(err)
	}
	return nil
}

// serverProved says that the server has shown that it knows the password too.
func (s *scramClient) serverProved() bool {
	return s.conversation.Done() && s.conversation.Valid()
}

// errSCRAM keeps the library's words, which may quote what it was given, to itself.
func errSCRAM(error) error {
	return errors.New("SCRAM with the target failed: it holds another password, or is not the target")
}
