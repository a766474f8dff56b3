package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"regexp"
	"strings"

	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
	"github.com/sallyport/sallyport/hack/cluster/internal/pki"
)

// A user's name becomes a file's.
var validUser = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$`)

type groupList []string

func (g *groupList) String() string { return strings.Join(*g, ",") }

// Set takes one --group.
func (g *groupList) Set(value string) error {
	*g = append(*g, value)
	return nil
}

// user makes a person: a client certificate with a name and groups. Such a person
// may do nothing until RBAC says so.
func user(flags *flag.FlagSet) verb {
	var groups groupList
	flags.Var(&groups, "group", "a group of the user; may be repeated")
	return func(_ context.Context, c layout.Cluster, args []string) error {
		if len(args) != 1 || !validUser.MatchString(args[0]) {
			return errors.New("user: want one name, such as: user alice --group dba")
		}
		record, err := c.Running()
		if err != nil {
			return err
		}
		ca, err := pki.LoadAuthority(c.Path("pki", pki.ClusterCA))
		if err != nil {
			return err
		}
		path := c.Path("users", args[0]+".kubeconfig")
		server := fmt.Sprintf("https://127.0.0.1:%d", record.Ports[layout.APIAddress])
		if err := pki.WriteKubeconfig(ca, c.Name, path, server, pki.Subject{Name: args[0], Groups: groups}); err != nil {
			return err
		}
		fmt.Println(path)
		return nil
	}
}
