package dns

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
)

const address = layout.NodeIP + ":53"

// Run serves until ctx ends.
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
	services := factory.Core().V1().Services().Lister()
	factory.Start(ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return fmt.Errorf("no first list of %v: %w", kind, context.Cause(ctx))
		}
	}
	find := func(name string) ([]netip.Addr, bool) { return resolve(services, name) }

	packets, err := net.ListenPacket("udp4", address)
	if err != nil {
		return err
	}
	streams, err := net.Listen("tcp4", address)
	if err != nil {
		return err
	}
	ended := make(chan error, 2)
	go func() { ended <- servePackets(packets, find) }()
	go func() { ended <- serveStreams(streams, find) }()
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		return err
	}
}

// resolve knows <service>.<namespace>.svc.cluster.local and the targets' names.
func resolve(services listers.ServiceLister, name string) ([]netip.Addr, bool) {
	switch name {
	case layout.PostgresName:
		return []netip.Addr{netip.MustParseAddr(layout.PostgresIP)}, true
	case layout.SpareTargetName:
		return []netip.Addr{netip.MustParseAddr(layout.SpareTargetIP)}, true
	case layout.SSHName:
		return []netip.Addr{netip.MustParseAddr(layout.SSHIP)}, true
	}
	labels := strings.Split(strings.TrimSuffix(name, ".svc."+layout.Domain), ".")
	if len(labels) != 2 || !strings.HasSuffix(name, ".svc."+layout.Domain) {
		return nil, false
	}
	service, err := services.Services(labels[1]).Get(labels[0])
	if err != nil || service.Spec.ClusterIP == corev1.ClusterIPNone {
		return nil, false
	}
	ip, err := netip.ParseAddr(service.Spec.ClusterIP)
	if err != nil {
		return nil, false
	}
	return []netip.Addr{ip}, true
}

func servePackets(conn net.PacketConn, find lookup) error {
	query := make([]byte, 512)
	for {
		n, from, err := conn.ReadFrom(query)
		if err != nil {
			return err
		}
		if response := answer(query[:n], find); response != nil {
			// A client that is gone asks again or not at all.
			_, _ = conn.WriteTo(response, from)
		}
	}
}

func serveStreams(listener net.Listener, find lookup) error {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go serveStream(conn, find)
	}
}

// serveStream answers one query; over TCP a message follows its length.
func serveStream(conn net.Conn, find lookup) {
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return
	}
	var length uint16
	if binary.Read(conn, binary.BigEndian, &length) != nil || length > 512 {
		return
	}
	query := make([]byte, length)
	if _, err := io.ReadFull(conn, query); err != nil {
		return
	}
	if response := answer(query, find); response != nil {
		_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(response))), response...))
	}
}
