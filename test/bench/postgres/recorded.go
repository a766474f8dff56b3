package main

import (
	"context"
	"flag"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/go-logr/logr"

	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/record/store/bucket"
	"github.com/sallyport/sallyport/proxy/keeper"
	"github.com/sallyport/sallyport/proxy/postgres"
	"github.com/sallyport/sallyport/proxy/postgres/judge"
	"github.com/sallyport/sallyport/proxy/server"
	"github.com/sallyport/sallyport/proxy/session"
	"github.com/sallyport/sallyport/proxy/standalone"
)

// recordedCommand makes this binary a proxy whose recordings go where a benchmark wants
// them: nowhere, or into a bucket whose places this process signs, as a manager would.
const recordedCommand = "recorded"

// placesFor is how long a place in the bucket is valid.
const placesFor = 15 * time.Minute

func recordedMain(args []string) error {
	flags := flag.NewFlagSet(recordedCommand, flag.ContinueOnError)
	listen := flags.String("listen", "", "address to listen on")
	file := flags.String("grant-file", "", "task, grant and recording")
	spool := flags.String("spool", "", "directory for what is not stored yet")
	nothing := flags.Bool("nothing", false, "record nothing")
	s3 := s3Flags(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx := context.Background()
	// As the proxy is while that is enough.
	runtime.GOMAXPROCS(1)
	read, err := standalone.Read(ctx, *file, time.Now())
	if err != nil {
		return err
	}
	certificate, err := standalone.SelfSigned(filepath.Join(*spool, "ca.crt"), time.Now())
	if err != nil {
		return err
	}
	source, err := standalone.NewSource(read, certificate, time.Now)
	if err != nil {
		return err
	}
	options := keeper.Options{Directory: read.Recording.Directory, Spool: *spool, Log: logr.Discard(), Now: time.Now, Seal: source.Seal()}
	if s3.endpoint != "" {
		if options.Places, err = s3.places(); err != nil {
			return err
		}
	}
	var recorder session.Recorder = unrecorded{}
	if !*nothing {
		kept := keeper.New(options)
		if err := kept.Start(source.Recording()); err != nil {
			return err
		}
		recorder = kept
	}
	task, err := session.NewTask(session.Options{
		Protocol: "postgres", Recorder: recorder, Dial: postgres.Dialer{}.Dial, Certificate: source.Certificate,
		Authenticate: func(ctx context.Context, token grant.Secret) (string, error) {
			user, err := source.Authenticate(ctx, token)
			return user.Username, err
		},
		Now: time.Now, Log: logr.Discard(),
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	go func() { _ = source.Run(ctx, task.Update) }()
	engine := postgres.New(postgres.Options{Judge: judge.New(8 << 20), AllowPlaintext: true, Log: logr.Discard()})
	return (&server.Server{Engine: engine, Task: task, Log: logr.Discard()}).Serve(ctx, listener)
}

// s3 is where a bucket is. Its keys are those of a server that lives as long as the run.
type s3 struct{ endpoint, bucket, region, access, secret, ca string }

func s3Flags(flags *flag.FlagSet) *s3 {
	s := &s3{}
	flags.StringVar(&s.endpoint, "endpoint", "", "of the S3 server; none without it")
	flags.StringVar(&s.bucket, "bucket", "", "for recordings")
	flags.StringVar(&s.region, "region", "", "of the server")
	flags.StringVar(&s.access, "access", "", "key")
	flags.StringVar(&s.secret, "secret", "", "key")
	flags.StringVar(&s.ca, "ca", "", "file with the server's authority")
	return s
}

func (s *s3) arguments() []string {
	return []string{"--endpoint", s.endpoint, "--bucket", s.bucket, "--region", s.region, "--access", s.access, "--secret", s.secret, "--ca", s.ca}
}

// places are signed as a manager signs them.
func (s *s3) places() (func(context.Context, string, int, int) (control.Places, error), error) {
	authority, err := os.ReadFile(s.ca)
	if err != nil {
		return nil, err
	}
	opened, err := bucket.Open(bucket.Config{
		Endpoint: s.endpoint, Bucket: s.bucket, Region: s.region, CABundle: authority, Credentials: bucket.Static(s.access, s.secret, ""),
	})
	if err != nil {
		return nil, err
	}
	task, err := opened.Task("bench")
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, session string, first, count int) (control.Places, error) {
		var names []string
		for i := range count {
			names = append(names, store.SegmentName(session, first+i), store.SignatureName(session, first+i))
		}
		signed, err := task.Presign(ctx, names, placesFor, bucket.Retention{})
		return control.Places{Places: signed, Addresses: []string{"127.0.0.1"}, CABundle: authority, Expires: time.Now().Add(placesFor)}, err
	}, nil
}

// unrecorded is a recorder that keeps nothing: what recording costs is measured against it.
type unrecorded struct{}

func (unrecorded) Begin(start record.Start) (session.Recording, error) {
	return nothingOf(start.Session), nil
}
func (unrecorded) Failures() <-chan error { return nil }

type nothingOf string

func (nothingOf) Append(...record.Event) error                             { return nil }
func (nothingOf) AppendOperation(*record.Operation, *record.Verdict) error { return nil }
func (nothingOf) AppendResult(*record.Result) error                        { return nil }
func (nothingOf) Settle(context.Context) error                             { return nil }
func (n nothingOf) Head() record.Head                                      { return record.Head{Session: string(n)} }
func (nothingOf) Sealed() (record.Signature, bool)                         { return record.Signature{}, false }
func (nothingOf) Close() error                                             { return nil }
