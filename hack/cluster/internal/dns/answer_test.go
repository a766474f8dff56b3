package dns

import (
	"net/netip"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func TestAnswers(t *testing.T) {
	find := func(name string) ([]netip.Addr, bool) {
		return []netip.Addr{netip.MustParseAddr("10.96.0.1")}, name == "kubernetes.default.svc.cluster.local"
	}
	for _, test := range []struct {
		name, question string
		kind           dnsmessage.Type
		code           dnsmessage.RCode
		answers        int
	}{
		{"a name that is there has an address", "kubernetes.default.svc.cluster.local.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, 1},
		{"case does not matter", "Kubernetes.Default.SVC.cluster.local.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, 1},
		{"it has no other, and that is no error", "kubernetes.default.svc.cluster.local.", dnsmessage.TypeAAAA, dnsmessage.RCodeSuccess, 0},
		{"a name that is not there does not exist", "gone.default.svc.cluster.local.", dnsmessage.TypeA, dnsmessage.RCodeNameError, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			query := dnsmessage.Message{
				Header:    dnsmessage.Header{ID: 7, RecursionDesired: true},
				Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(test.question), Type: test.kind, Class: dnsmessage.ClassINET}},
			}
			packed, err := query.Pack()
			if err != nil {
				t.Fatal(err)
			}
			var response dnsmessage.Message
			if err := response.Unpack(answer(packed, find)); err != nil {
				t.Fatal(err)
			}
			if !response.Response || response.ID != 7 || response.RCode != test.code || len(response.Answers) != test.answers {
				t.Errorf("got %+v", response)
			}
		})
	}
}

func TestWhatIsNoQueryHasNoAnswer(t *testing.T) {
	find := func(string) ([]netip.Addr, bool) { return nil, true }
	for _, message := range [][]byte{nil, []byte("short"), make([]byte, 12)} {
		if response := answer(message, find); response != nil {
			t.Errorf("%q is answered with %q", message, response)
		}
	}
}
