package sweep

import (
	"context"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/json"
)

// pages answers a list page by page, decoded into the caller's own list as client-go does.
type pages map[string]string

func (p pages) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return nil
}

func (p pages) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	asked := (&client.ListOptions{}).ApplyOptions(options)
	return json.UnmarshalCaseSensitivePreserveInts([]byte(p[asked.Continue]), list)
}

func TestAnOpenRequestOnALaterPageIsNotTakenForAClosedOne(t *testing.T) {
	t.Parallel()
	s := &Sweeper{Uncached: pages{
		"": `{"metadata":{"continue":"more"},"items":[
			{"metadata":{"uid":"closed"},"status":{"closedAt":"2026-01-01T00:00:00Z"}}]}`,
		"more": `{"metadata":{},"items":[{"metadata":{"uid":"open"},"status":{}}]}`,
	}}
	open, err := s.openRequests(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !open["open"] || open["closed"] || len(open) != 1 {
		t.Fatalf("open requests: %v; what is not among them is swept away", open)
	}
}
