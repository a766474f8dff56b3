package datapath

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/control/server"
)

// Provider is the control channel's, with every report told on its way.
type Provider struct {
	server.Provider
	Teller *Teller
	// Requests is the cache, Index its index by UID. A request that it does not have yet
	// is told of with the next report.
	Requests client.Reader
	Index    string
}

// Report implements server.Provider.
func (p *Provider) Report(ctx context.Context, uid string, report control.Report) error {
	if len(report.Audit) > 0 || report.AuditMissed > 0 {
		list := &v1alpha1.TaskAccessRequestList{}
		if err := p.Requests.List(ctx, list, client.MatchingFields{p.Index: uid}); err == nil && len(list.Items) == 1 {
			p.Teller.Tell(&list.Items[0], report)
		}
	}
	return p.Provider.Report(ctx, uid, report)
}
