package access

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/terminal/terminaltest"
	"github.com/sallyport/sallyport/internal/cli/tunnel/tunneltest"
)

func TestConnectCarriesUntilTheTaskIsOver(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.ask()
	d.status(d.get("pay-1423"), func(s *v1alpha1.TaskAccessRequestStatus) {
		s.Endpoint = &v1alpha1.Endpoint{
			Namespace: "sallyport-proxies", Pod: "sp-1", Service: "sp-1", Port: 5432, ServerName: "sp-1.example", CABundle: "none", Database: "orders",
		}
		s.Conditions = []metav1.Condition{condition("ProxyReady", metav1.ConditionTrue, "Ready", "listens")}
	})
	kubelet := &tunneltest.Kubelet{
		T: t, Path: "/api/v1/namespaces/sallyport-proxies/pods/sp-1/portforward",
		Pod: func(stream io.ReadWriter) error { _, err := io.Copy(stream, stream); return err },
	}
	config := apitest.Front(t, d.bob, func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/portforward") {
			return false
		}
		kubelet.ServeHTTP(w, r)
		return true
	})
	out := &terminaltest.Buffer{}
	command := d.command(config, genericiooptions.IOStreams{Out: out, ErrOut: out}, "connect", "pay-1423")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- command.ExecuteContext(ctx) }()

	g := gomega.NewWithT(t)
	g.Eventually(out.String, "10s", "20ms").Should(gomega.ContainSubstring("Listening on 127.0.0.1:"))
	port := regexp.MustCompile(`host=sp-1.example hostaddr=127.0.0.1 port=(\d+) dbname=orders user=bob sslmode=verify-full`).FindStringSubmatch(out.String())
	if port == nil {
		t.Fatalf("no connection string in %s", out)
	}
	conn, err := net.Dial("tcp", "127.0.0.1:"+port[1])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	answer := make([]byte, 4)
	if _, err := fmt.Fprint(conn, "ping"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "ping" {
		t.Fatalf("%q %v", answer, err)
	}
	d.status(d.get("pay-1423"), func(s *v1alpha1.TaskAccessRequestStatus) {
		s.Ended = &v1alpha1.Ended{Reason: "Closed", Message: "the request was closed", At: metav1.NewTime(now)}
	})
	d.want(kube.Message(<-ended), "error: pay-1423 is over: the request was closed")
	if rest, err := io.ReadAll(conn); len(rest) > 0 {
		t.Errorf("after the end: %q %v", rest, err)
	}
}
