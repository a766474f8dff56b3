package main

import (
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"sync"

	"golang.org/x/crypto/ssh"
)

// relayCommand makes this binary a plain relay, in a process of its own.
const relayCommand = "relay"

// cipher is what every leg speaks: what both ends do fastest where the processor has AES.
const cipher = ssh.CipherAES128GCM

// relayMain speaks SSH on both sides, and hands every channel, request and byte on: what
// any proxy must do at least.
func relayMain(args []string) error {
	flags := flag.NewFlagSet(relayCommand, flag.ContinueOnError)
	listen := flags.String("listen", "", "address to listen on")
	to := flags.String("to", "", "address of the target")
	key := flags.String("key", "", "file with the key for both sides")
	if err := flags.Parse(args); err != nil {
		return err
	}
	pem, err := os.ReadFile(*key)
	if err != nil {
		return err
	}
	signer, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() { _ = serve(conn, *to, signer) }()
	}
}

func serve(conn net.Conn, to string, key ssh.Signer) error {
	defer conn.Close()
	only := ssh.Config{Ciphers: []string{cipher}}
	server := &ssh.ServerConfig{Config: only, PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, nil }}
	server.AddHostKey(key)
	client, channels, requests, err := ssh.NewServerConn(conn, server)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	target, err := ssh.Dial("tcp", to, &ssh.ClientConfig{
		Config: only, User: client.User(), Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	})
	if err != nil {
		return err
	}
	defer func() { _ = target.Close() }()
	go ssh.DiscardRequests(requests)
	for channel := range channels {
		go func() { _ = carry(channel, target) }()
	}
	return nil
}

func carry(asked ssh.NewChannel, target ssh.Conn) error {
	there, fromTarget, err := target.OpenChannel(asked.ChannelType(), asked.ExtraData())
	if err != nil {
		return errors.Join(err, asked.Reject(ssh.ConnectionFailed, err.Error()))
	}
	here, fromClient, err := asked.Accept()
	if err != nil {
		return errors.Join(err, there.Close())
	}
	// A command may be over before its client has heard that it was begun.
	var replying sync.Mutex
	go func() {
		for request := range fromClient {
			replying.Lock()
			ok, _ := there.SendRequest(request.Type, request.WantReply, request.Payload)
			_ = request.Reply(ok, nil)
			replying.Unlock()
		}
	}()
	go func() {
		_, _ = io.Copy(there, here)
		_ = there.CloseWrite()
	}()
	var down sync.WaitGroup
	down.Go(func() { _, _ = io.Copy(here, there) })
	down.Go(func() { _, _ = io.Copy(here.Stderr(), there.Stderr()) })
	for request := range fromTarget {
		ok, _ := here.SendRequest(request.Type, request.WantReply, request.Payload)
		_ = request.Reply(ok, nil)
	}
	down.Wait()
	replying.Lock()
	defer replying.Unlock()
	return errors.Join(here.Close(), there.Close())
}
