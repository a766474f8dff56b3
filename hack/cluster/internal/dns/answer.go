// Package dns answers for the names of Services and of the targets beside the
// cluster. It stands in for the server that a real cluster has.
package dns

import (
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// lookup returns a name's IPv4 addresses; known is false for a name that is not there.
type lookup func(name string) (addresses []netip.Addr, known bool)

// ttl is short: a test that makes a Service anew must not meet the old one.
const ttl = 1

// answer returns the response to a query, or nil for what is no query.
func answer(query []byte, find lookup) []byte {
	var parser dnsmessage.Parser
	header, err := parser.Start(query)
	if err != nil || header.Response {
		return nil
	}
	question, err := parser.Question()
	if err != nil {
		return nil
	}
	addresses, known := find(strings.ToLower(strings.TrimSuffix(question.Name.String(), ".")))
	response := dnsmessage.Header{ID: header.ID, Response: true, Authoritative: true, RecursionDesired: header.RecursionDesired}
	if !known {
		response.RCode = dnsmessage.RCodeNameError
	}
	builder := dnsmessage.NewBuilder(nil, response)
	builder.EnableCompression()
	if builder.StartQuestions() != nil || builder.Question(question) != nil || builder.StartAnswers() != nil {
		return nil
	}
	// To a question for another type, such as IPv6, a known name has no answer and no error.
	if known && question.Type == dnsmessage.TypeA && question.Class == dnsmessage.ClassINET {
		for _, address := range addresses {
			resource := dnsmessage.ResourceHeader{Name: question.Name, Class: question.Class, TTL: ttl}
			if builder.AResource(resource, dnsmessage.AResource{A: address.As4()}) != nil {
				return nil
			}
		}
	}
	packed, err := builder.Finish()
	if err != nil {
		return nil
	}
	return packed
}
