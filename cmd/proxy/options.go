package main

import (
	"errors"
	"flag"
)

// options are the flags. Either the manager or a grant file says what the proxy is for.
type options struct {
	protocol, listen, healthListen string
	recordingDir, spoolDir         string
	recordingQuota                 int64
	removeRecordings               string

	controlAddress, controlServerName, controlCA, tokenFile string
	apiServerAddress                                        string

	grantFile, tlsCert, tlsKey string
	allowPlaintext             bool
}

// controlCAEnv holds the manager's CA (PEM) where --control-ca names no file.
const controlCAEnv = "SALLYPORT_CONTROL_CA"

func (o *options) bind(flags *flag.FlagSet) {
	flags.StringVar(&o.protocol, "protocol", "", "postgres or ssh: what the target speaks; by default what the grant file's grant is of, or postgres")
	flags.StringVar(&o.listen, "listen", "", "address to serve clients on; by default port 5432 or 2222 of 127.0.0.1, by protocol")
	flags.StringVar(&o.healthListen, "health-listen", "", "address to answer the kubelet's probes on, and nothing else")
	flags.StringVar(&o.recordingDir, "recording-dir", "", "directory of this task's recordings, if they go to a volume; it must exist")
	flags.Int64Var(&o.recordingQuota, "recording-quota", 0, "bytes that this task's recordings may take on the volume; 0 is no bound but the volume's")
	flags.StringVar(&o.removeRecordings, "remove-recordings", "", "remove everything in this directory, one task's recordings, and exit: what retention runs")
	flags.StringVar(&o.spoolDir, "spool-dir", "", "directory for recordings on their way to a bucket, or to be encrypted; it must exist")

	flags.StringVar(&o.controlAddress, "control-address", "", "the manager's control channel, IP:PORT")
	flags.StringVar(&o.controlServerName, "control-server-name", "", "name in the manager's certificate")
	flags.StringVar(&o.controlCA, "control-ca", "", "file with the CA of the manager's certificate, PEM; $"+controlCAEnv+" without it")
	flags.StringVar(&o.tokenFile, "token-file", "", "file with the projected token for the control channel")
	flags.StringVar(&o.apiServerAddress, "apiserver-address", "", "address that must not be reachable, IP:PORT: the isolation probe")

	flags.StringVar(&o.grantFile, "grant-file", "", "stand-alone: YAML file with task, policy and credential, in place of a manager")
	flags.StringVar(&o.tlsCert, "tls-cert", "", "stand-alone: certificate for clients, PEM; self-signed without it")
	flags.StringVar(&o.tlsKey, "tls-key", "", "stand-alone: key of --tls-cert, PEM")
	flags.BoolVar(&o.allowPlaintext, "allow-plaintext", false, "stand-alone: take clients without TLS, and their tokens")
}

func (o *options) check() error {
	switch {
	case (o.grantFile == "") == (o.controlAddress == ""):
		return errors.New("name either --control-address, as in a cluster, or --grant-file, to run stand-alone")
	case o.grantFile == "" && (o.tlsCert != "" || o.tlsKey != "" || o.allowPlaintext):
		return errors.New("--tls-cert, --tls-key and --allow-plaintext are for --grant-file")
	case (o.tlsCert == "") != (o.tlsKey == ""):
		return errors.New("--tls-cert and --tls-key go together")
	case o.controlAddress != "" && (o.tokenFile == "" || o.recordingDir == "" && o.spoolDir == ""):
		return errors.New("--control-address needs --token-file, and --recording-dir or --spool-dir")
	}
	return nil
}
