// Package enforce keeps the node's nftables rules equal to what the cluster's
// NetworkPolicies say.
package enforce

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"os/exec"
	"strings"
	"time"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	networkinglisters "k8s.io/client-go/listers/networking/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
	"github.com/sallyport/sallyport/hack/cluster/internal/netpol"
)

// enforcer is one loop: whatever happens, it renders everything anew.
type enforcer struct {
	pods       corelisters.PodLister
	namespaces corelisters.NamespaceLister
	policies   networkinglisters.NetworkPolicyLister

	// changed holds at most one mark: something is newer than the rules.
	changed chan struct{}
	// sandboxes comes from the CNI plugin, before the kubelet knows an address.
	sandboxes *sandboxes
	applied   string
}

// Run enforces until ctx ends. It opens the CNI plugin's socket only when the
// first rules are in place.
func Run(ctx context.Context, c layout.Cluster) error {
	config, err := clientcmd.BuildConfigFromFlags("", c.InsideKubeconfig())
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	core := factory.Core().V1()
	e := &enforcer{
		pods:       core.Pods().Lister(),
		namespaces: core.Namespaces().Lister(),
		policies:   factory.Networking().V1().NetworkPolicies().Lister(),
		changed:    make(chan struct{}, 1),
	}
	e.sandboxes = newSandboxes(e.mark)
	for _, informer := range []cache.SharedIndexInformer{
		core.Pods().Informer(), core.Namespaces().Informer(), factory.Networking().V1().NetworkPolicies().Informer(),
	} {
		handler := cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { e.mark() },
			UpdateFunc: func(_, _ any) { e.mark() },
			DeleteFunc: func(any) { e.mark() },
		}
		if _, err := informer.AddEventHandler(handler); err != nil {
			return err
		}
	}
	factory.Start(ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return fmt.Errorf("no first list of %v: %w", kind, context.Cause(ctx))
		}
	}
	if err := e.sync(ctx); err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- e.sandboxes.serve(ctx, c.PolicySocket()) }()
	return e.loop(ctx, served)
}

func (e *enforcer) mark() {
	select {
	case e.changed <- struct{}{}:
	default:
	}
}

func (e *enforcer) loop(ctx context.Context, served <-chan error) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-served:
			return err
		case <-e.changed:
			if err := e.sync(ctx); err != nil {
				// The old rules stand, and a pod that they do not know stays shut.
				log.Printf("rules not applied, trying again: %v", err)
				time.AfterFunc(time.Second, e.mark)
			}
		}
	}
}

// sync brings the rules up to date and releases the pods that waited for it.
func (e *enforcer) sync(ctx context.Context) error {
	waiting := e.sandboxes.list()
	snapshot, err := e.snapshot(waiting)
	if err != nil {
		return err
	}
	if script := netpol.Render(snapshot); script != e.applied {
		if err := apply(ctx, script); err != nil {
			return err
		}
		e.applied = script
	}
	known := map[podKey]bool{}
	for _, pod := range snapshot.Pods {
		known[podKey{pod.Namespace, pod.Name}] = true
	}
	for _, sandbox := range waiting {
		if known[sandbox.podKey] {
			sandbox.release()
		}
	}
	return nil
}

// apply hands the script to nft, which takes all of it or none.
func apply(ctx context.Context, script string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	command := exec.CommandContext(ctx, "nft", "-f", "-")
	command.Stdin = strings.NewReader(script)
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Run(); err != nil {
		return errors.Join(fmt.Errorf("nft: %w", err), errors.New(output.String()))
	}
	return nil
}
