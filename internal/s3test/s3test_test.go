package s3test_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/s3test"
)

func TestAServerListensWhereItIsTold(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t, s3test.Options{Listen: []string{"127.0.0.2"}, ServerNames: []string{"s3.test"}})
	server.Bucket(t, "recordings", false)
	front := server.Front(t)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(server.CAPEM)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	t.Cleanup(client.CloseIdleConnections)
	for _, endpoint := range []string{server.Endpoint, strings.Replace(server.Endpoint, "127.0.0.1", "127.0.0.2", 1), front.Endpoint} {
		response, err := client.Get(endpoint)
		if err != nil {
			t.Fatal(err)
		}
		if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d, %v", endpoint, response.StatusCode, err)
		}
	}
	if calls := front.Calls(); len(calls) != 1 || calls[0].Number != 1 || calls[0].Method != http.MethodGet {
		t.Errorf("%+v", calls)
	}
}
