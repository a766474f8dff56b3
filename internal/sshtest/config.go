package sshtest

import (
	"fmt"
	"slices"
	"strings"
)

// config is sshd_config, where the first line on a subject is the one that counts.
func (s *Server) config(options Options) []byte {
	before, match := options.Config, []string(nil)
	isMatch := func(line string) bool { return strings.HasPrefix(strings.ToLower(strings.TrimSpace(line)), "match ") }
	if i := slices.IndexFunc(before, isMatch); i >= 0 {
		before, match = before[:i], before[i:]
	}
	ours := []string{
		fmt.Sprintf("ListenAddress %s:%d", s.Host, s.Port),
		"HostKey " + s.HostKeyFile,
		"PidFile none",
		"LogLevel VERBOSE",
		"UsePAM no",
		"UseDNS no",
		// Homes are below /tmp, which belongs to everyone.
		"StrictModes no",
		"PubkeyAuthentication yes",
		"KbdInteractiveAuthentication no",
		"PasswordAuthentication " + yesNo(len(options.Passwords) > 0),
		"PermitRootLogin no",
		"TrustedUserCAKeys " + s.path("ca_keys"),
		"AuthorizedKeysFile " + s.path("keys", "%u"),
		"RevokedKeys " + s.path("revoked_keys"),
		"MaxStartups 10000",
		"MaxSessions 10000",
		"MaxAuthTries 20",
		"LoginGraceTime 60",
		"AllowTcpForwarding yes",
		"AllowAgentForwarding yes",
		"AllowStreamLocalForwarding yes",
		"StreamLocalBindUnlink yes",
		"GatewayPorts no",
		"PermitTunnel no",
		"X11Forwarding yes",
		"X11UseLocalhost yes",
		"AcceptEnv *",
		"PrintMotd no",
		"PrintLastLog no",
		"Subsystem sftp " + sftpServer,
	}
	if options.HostCA != nil {
		ours = append(ours, "HostCertificate "+s.path("host_key-cert.pub"))
	}
	return []byte(strings.Join(slices.Concat(before, ours, match), "\n") + "\n")
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
