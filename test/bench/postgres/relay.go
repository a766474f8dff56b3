package main

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"flag"
	"io"
	"net"
	"sync"
)

// relayCommand makes this binary a bare relay, in a process of its own.
const relayCommand = "relay"

// sslRequest is the code of PostgreSQL's SSLRequest message.
const sslRequest = 80877103

// relayMain copies bytes between clients and a target until it fails. With a certificate it first
// answers an SSLRequest, as a terminating proxy does.
func relayMain(args []string) error {
	flags := flag.NewFlagSet(relayCommand, flag.ContinueOnError)
	listen := flags.String("listen", "", "address to listen on")
	to := flags.String("to", "", "address of the target")
	certificate := flags.String("cert", "", "certificate, PEM; plain without it")
	key := flags.String("key", "", "its key, PEM")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var config *tls.Config
	if *certificate != "" {
		pair, err := tls.LoadX509KeyPair(*certificate, *key)
		if err != nil {
			return err
		}
		config = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			return err
		}
		go relay(client, *to, config)
	}
}

func relay(client net.Conn, to string, config *tls.Config) {
	defer client.Close()
	target, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer target.Close()
	if config != nil {
		if client, err = answerTLS(client, config); err != nil {
			return
		}
		defer client.Close()
	}
	var upward sync.WaitGroup
	upward.Go(func() {
		_, _ = io.Copy(target, client)
		_ = target.Close()
	})
	_, _ = io.Copy(client, target)
	_ = client.Close()
	upward.Wait()
}

func answerTLS(client net.Conn, config *tls.Config) (net.Conn, error) {
	var request [8]byte
	if _, err := io.ReadFull(client, request[:]); err != nil {
		return nil, err
	}
	if binary.BigEndian.Uint32(request[4:]) != sslRequest {
		return nil, errors.New("the client does not ask for TLS")
	}
	if _, err := client.Write([]byte{'S'}); err != nil {
		return nil, err
	}
	return tls.Server(client, config), nil
}
