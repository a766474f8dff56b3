package main

import (
	"fmt"
	"os"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/sallyport/sallyport/controllers/taskaccessrequest"
	"github.com/sallyport/sallyport/internal/audit"
	"github.com/sallyport/sallyport/internal/audit/datapath"
	"github.com/sallyport/sallyport/internal/audit/lifecycle"
	controlserver "github.com/sallyport/sallyport/internal/control/server"
)

// replayAudit is how long after its end an object is told of once more by a new leader.
const replayAudit = 24 * time.Hour

// tell opens the audit stream, and hands it the life-cycle, on the leader, and what
// proxies report and are certified for, on every replica: what it returns is the provider
// given, with its reports and its certificates told.
func tell(mgr ctrl.Manager, w wiring, provider *taskaccessrequest.Provider) (controlserver.Provider, controlserver.Certifier, error) {
	source := audit.SourceOf(w.root.CA())
	stream, err := w.options.audit.Open(audit.Options{
		Source: func() string { return source }, Stdout: os.Stdout, Metrics: metrics.Registry, Now: time.Now,
		Log: mgr.GetLogger().WithName("audit"),
	})
	if err != nil {
		return nil, nil, err
	}
	teller, err := datapath.New(stream, time.Now)
	if err != nil {
		return nil, nil, err
	}
	watcher := &lifecycle.Watcher{Informers: mgr.GetCache(), Tell: stream.EmitPatiently, Now: time.Now, Replay: replayAudit}
	for _, runnable := range []manager.Runnable{stream, watcher} {
		if err := mgr.Add(runnable); err != nil {
			return nil, nil, fmt.Errorf("audit stream: %w", err)
		}
	}
	requests, index := mgr.GetClient(), taskaccessrequest.IndexUID
	return &datapath.Provider{Provider: provider, Teller: teller, Requests: requests, Index: index},
		&datapath.Certifier{Certifier: provider, Teller: teller, Requests: requests, Index: index}, nil
}
