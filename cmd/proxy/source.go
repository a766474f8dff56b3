package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/go-logr/logr"

	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/control/client"
	"github.com/sallyport/sallyport/proxy/standalone"
)

// source is where the proxy learns of its task, and the directory of its recordings.
func (o *options) source(ctx context.Context, log logr.Logger) (control.Source, string, error) {
	if o.grantFile != "" {
		return o.file(ctx, log)
	}
	ca := []byte(os.Getenv(controlCAEnv))
	if o.controlCA != "" {
		var err error
		if ca, err = os.ReadFile(o.controlCA); err != nil {
			return nil, "", fmt.Errorf("read the manager's CA: %w", err)
		}
	}
	source, err := client.New(client.Options{
		Address: o.controlAddress, ServerName: o.controlServerName, CA: ca, TokenFile: o.tokenFile,
		Version: version, Log: log.WithName("control"), Now: time.Now,
	})
	return source, o.recordingDir, err
}

// version of this binary, set when it is linked.
var version = "development"

func (o *options) file(ctx context.Context, log logr.Logger) (control.Source, string, error) {
	file, err := standalone.Read(ctx, o.grantFile, time.Now())
	if err != nil {
		return nil, "", err
	}
	directory := o.recordingDir
	if directory == "" {
		directory = file.Recording.Directory
	}
	if directory == "" {
		return nil, "", errors.New("say where to record: --recording-dir, or recording.directory in the grant file")
	}
	if o.protocol == "" {
		o.protocol = file.Protocol()
	}
	if o.protocol == standalone.SSH {
		if err := o.knownHosts(file, directory, log); err != nil {
			return nil, "", err
		}
	}
	certificate, err := o.certificate(directory, log)
	if err != nil {
		return nil, "", err
	}
	source, err := standalone.NewSource(file, certificate, time.Now)
	return source, directory, err
}

// knownHosts writes the task's host key, for clients to know the proxy by.
func (o *options) knownHosts(file standalone.File, directory string, log logr.Logger) error {
	line, err := file.KnownHosts()
	if err != nil {
		return err
	}
	path := filepath.Join(directory, "known_hosts")
	if err := os.WriteFile(path, line, 0o644); err != nil {
		return fmt.Errorf("write the host key that clients verify by: %w", err)
	}
	log.Info("Wrote the task's host key", "UserKnownHostsFile", path)
	return nil
}

func (o *options) certificate(directory string, log logr.Logger) (*tls.Certificate, error) {
	if o.protocol == standalone.SSH {
		return nil, nil //nolint:nilnil // SSH has a host key in its place
	}
	if o.tlsCert != "" {
		certificate, err := tls.LoadX509KeyPair(o.tlsCert, o.tlsKey)
		if err != nil {
			return nil, fmt.Errorf("load --tls-cert and --tls-key: %w", err)
		}
		return &certificate, nil
	}
	ca := filepath.Join(directory, "server-ca.crt")
	log.Info("Made a self-signed certificate", "sslrootcert", ca)
	return standalone.SelfSigned(ca, time.Now())
}
