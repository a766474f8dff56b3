package sshd

import (
	"os"
	"strings"

	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
)

// Info is what a client needs; it is saved as ssh/ssh.json. Paths hold on the host.
type Info struct {
	// Host and Port hold inside the cluster, ForwardHost and ForwardPort on the host.
	Host string `json:"host"`
	// Name is Host's name in the cluster's DNS.
	Name        string   `json:"name"`
	Port        int      `json:"port"`
	ForwardHost string   `json:"forwardHost"`
	ForwardPort int      `json:"forwardPort"`
	Logins      []string `json:"logins"`
	// HostKey is a line as in authorized_keys, and all that HostKeyFile has.
	HostKey     string `json:"hostKey"`
	HostKeyFile string `json:"hostKeyFile"`
	// CAKeysFile and RevokedKeysFile are read at each login: a test may write them.
	CAKeysFile      string `json:"caKeysFile"`
	RevokedKeysFile string `json:"revokedKeysFile"`
	// AuthorizedKeys is a folder with a file for each login, for a test to write too.
	AuthorizedKeys string `json:"authorizedKeys"`
	// Root is the folder that has the server's home and srv.
	Root string `json:"root"`
	// Log is what the server says about logins.
	Log string `json:"log"`
}

// InfoPath is where it is saved.
func InfoPath(c layout.Cluster) string { return c.Path("ssh", "ssh.json") }

func writeInfo(c layout.Cluster, r layout.Record) error {
	key, err := os.ReadFile(c.Path("ssh", "host_key.pub"))
	if err != nil {
		return err
	}
	return layout.WriteJSON(InfoPath(c), Info{
		Host: layout.SSHIP, Name: layout.SSHName, Port: 22,
		ForwardHost: "127.0.0.1", ForwardPort: r.Ports[layout.SSHAddress], Logins: logins,
		HostKey: strings.TrimSpace(string(key)), HostKeyFile: c.Path("ssh", "host_key.pub"),
		CAKeysFile: c.Path("ssh", "ca_keys"), RevokedKeysFile: c.Path("ssh", "revoked_keys"),
		AuthorizedKeys: c.Path("ssh", "keys"), Root: c.Path("ssh"), Log: c.Log(Name),
	}, 0o600)
}

// Read returns what Prepare wrote; found is false if there never was a server.
func Read(c layout.Cluster) (info Info, found bool, err error) {
	return layout.ReadJSON[Info](InfoPath(c))
}
