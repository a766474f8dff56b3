package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
	"github.com/sallyport/sallyport/hack/cluster/internal/postgres"
	"github.com/sallyport/sallyport/hack/cluster/internal/sshd"
)

// writeEnv writes what tests and the demo need to know as NAME=value lines: no
// value has a space or a quote, so a shell can source the file.
func writeEnv(c layout.Cluster, r layout.Record) error {
	pairs := [][2]string{
		{"KUBECONFIG", c.Kubeconfig()},
		{"KUBEBUILDER_ASSETS", r.Assets},
		{"SALLYPORT_CLUSTER", c.Name},
		{"SALLYPORT_STATE", c.Dir},
		{"SALLYPORT_NODE", c.Node()},
		{"SALLYPORT_NODE_IP", layout.NodeIP},
		{"SALLYPORT_POD_CIDR", layout.PodCIDR},
		{"SALLYPORT_SERVICE_CIDR", layout.ServiceCIDR},
		{"SALLYPORT_TARGET_IP", layout.SpareTargetIP},
		{"SALLYPORT_TARGET_NAME", layout.SpareTargetName},
		{"SALLYPORT_RECORDINGS", c.Volume(layout.RecordingsVolume)},
	}
	info, found, err := postgres.Read(c)
	if err != nil {
		return err
	}
	if found {
		pairs = append(pairs, [][2]string{
			{"PG_HOST", info.Host},
			{"PG_NAME", info.Name},
			{"PG_PORT", strconv.Itoa(info.Port)},
			{"PG_FORWARD_HOST", info.ForwardHost},
			{"PG_FORWARD_PORT", strconv.Itoa(info.ForwardPort)},
			{"PG_USER", info.User},
			{"PG_PASSWORD", info.Password},
			{"PG_DATABASE", info.Database},
			{"PG_CA_FILE", info.CAFile},
		}...)
	}
	server, found, err := sshd.Read(c)
	if err != nil {
		return err
	}
	if found {
		pairs = append(pairs, [][2]string{
			{"SSH_HOST", server.Host},
			{"SSH_NAME", server.Name},
			{"SSH_PORT", strconv.Itoa(server.Port)},
			{"SSH_FORWARD_HOST", server.ForwardHost},
			{"SSH_FORWARD_PORT", strconv.Itoa(server.ForwardPort)},
			{"SSH_HOST_KEY_FILE", server.HostKeyFile},
			{"SSH_CA_KEYS_FILE", server.CAKeysFile},
			{"SSH_REVOKED_KEYS_FILE", server.RevokedKeysFile},
			{"SSH_AUTHORIZED_KEYS", server.AuthorizedKeys},
			{"SSH_ROOT", server.Root},
			{"SSH_LOG", server.Log},
		}...)
	}
	var b strings.Builder
	for _, pair := range pairs {
		fmt.Fprintf(&b, "%s=%s\n", pair[0], pair[1])
	}
	temporary := c.Path("env.new")
	if err := os.WriteFile(temporary, []byte(b.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, c.Path("env"))
}

func printEnv(_ context.Context, c layout.Cluster, _ []string) error {
	if _, err := c.Running(); err != nil {
		return err
	}
	data, err := os.ReadFile(c.Path("env"))
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(data)
	return err
}
