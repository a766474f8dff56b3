package postgres

import (
	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
)

// Info is what a client needs; it is saved as postgres/postgres.json.
type Info struct {
	// Host and Port hold inside the cluster, ForwardHost and ForwardPort on the host.
	Host string `json:"host"`
	// Name is Host's name in the cluster's DNS; the certificate has both.
	Name        string `json:"name"`
	Port        int    `json:"port"`
	ForwardHost string `json:"forwardHost"`
	ForwardPort int    `json:"forwardPort"`
	User        string `json:"user"`
	Password    string `json:"password"`
	Database    string `json:"database"`
	CAFile      string `json:"caFile"`
}

// InfoPath is where it is saved.
func InfoPath(c layout.Cluster) string { return c.Path("postgres", "postgres.json") }

func writeInfo(c layout.Cluster, r layout.Record, password string) error {
	return layout.WriteJSON(InfoPath(c), Info{
		Host: layout.PostgresIP, Name: layout.PostgresName, Port: 5432,
		ForwardHost: "127.0.0.1", ForwardPort: r.Ports[layout.PostgresAddress],
		User: account, Password: password, Database: account,
		CAFile: c.Path("postgres", "ca.crt"),
	}, 0o600)
}

// Read returns what Prepare wrote; found is false if there never was a server.
func Read(c layout.Cluster) (info Info, found bool, err error) {
	return layout.ReadJSON[Info](InfoPath(c))
}
