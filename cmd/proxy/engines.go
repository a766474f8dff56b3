package main

import (
	"fmt"
	"time"

	"github.com/go-logr/logr"

	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/control/client"
	"github.com/sallyport/sallyport/proxy/postgres"
	"github.com/sallyport/sallyport/proxy/postgres/judge"
	"github.com/sallyport/sallyport/proxy/session"
	"github.com/sallyport/sallyport/proxy/ssh"
	"github.com/sallyport/sallyport/proxy/standalone"
)

// classifierBytes bounds the memory of recent statements.
const classifierBytes = 8 << 20

// ballastBytes are never touched, and so take no memory: they make Go collect garbage
// after as much again has been allocated, not after each few packets of a transfer. That
// is a sixth of what a transfer costs.
const ballastBytes = 16 << 20

// spoken is an engine, its way to targets, and where it usually listens.
type spoken struct {
	engine session.Engine
	dial   session.Dialer
	listen string
}

// engine is the one of the protocol that the target speaks.
func (o *options) engine(source control.Source, log logr.Logger) (spoken, error) {
	switch o.protocol {
	case "", standalone.Postgres:
		engine := postgres.New(postgres.Options{
			Judge:          judge.New(classifierBytes),
			AllowPlaintext: o.allowPlaintext, Log: log.WithName("postgres"),
		})
		return spoken{engine, postgres.Dialer{}.Dial, "127.0.0.1:5432"}, nil
	case standalone.SSH:
		dialer := &ssh.Dialer{Now: time.Now}
		if manager, ok := source.(*client.Client); ok {
			dialer.Certify = manager.Certify
		}
		return spoken{ssh.New(ssh.Options{Log: log.WithName("ssh"), Now: time.Now}), dialer.Dial, "127.0.0.1:2222"}, nil
	}
	return spoken{}, fmt.Errorf("--protocol %q is not known: postgres or ssh", o.protocol)
}
