package pgtest

import (
	"fmt"
	"strings"
)

func (s *Server) conf(options Options) string {
	lines := []string{
		fmt.Sprintf("port = %d", s.Port),
		fmt.Sprintf("listen_addresses = '%s'", strings.Join(append([]string{s.Host}, options.Listen...), ",")),
		fmt.Sprintf("unix_socket_directories = '%s'", s.SocketDir),
		"unix_socket_permissions = 0700",
		"max_connections = 100",
		"max_prepared_transactions = 10",
		"shared_buffers = 16MB",
		// Nothing has to survive the machine.
		"fsync = off",
		"synchronous_commit = off",
		"full_page_writes = off",
		"log_line_prefix = '%m [%p] %q%u@%d '",
		"timezone = 'UTC'",
	}
	if options.MD5 {
		lines = append(lines, "password_encryption = md5")
	}
	if !options.NoTLS {
		lines = append(lines, "ssl = on", "ssl_ca_file = 'client-ca.crt'")
	}
	return strings.Join(append(lines, options.Conf...), "\n") + "\n"
}

func hba(options Options) string {
	method := "scram-sha-256"
	if options.MD5 {
		method = "md5"
	}
	lines := []string{fmt.Sprintf("local all %s trust", superuser)}
	lines = append(lines, options.HBA...)
	lines = append(lines, "host all all all "+method, "host replication all all "+method)
	return strings.Join(lines, "\n") + "\n"
}
