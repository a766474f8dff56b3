package main

import (
	"os"
	"path/filepath"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/sallyport/sallyport/internal/audit"
)

// openAudit opens the stream that every read is told to. The installation's authority
// lies beside the certificate, which is there before anybody can read.
func openAudit(flags *audit.Flags, tlsDirectory string) (*audit.Stream, error) {
	authority := filepath.Join(tlsDirectory, "ca.crt")
	return flags.Open(audit.Options{
		Source: func() string {
			ca, err := os.ReadFile(authority)
			if err != nil {
				ctrl.Log.WithName("audit").Error(err, "the installation's name is not known")
			}
			return audit.SourceOf(ca)
		},
		Stdout: os.Stdout, Metrics: metrics.Registry, Now: time.Now, Log: ctrl.Log.WithName("audit"),
	})
}
