package recording

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"syscall"
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
)

// childEnv holds the setup of a proxy process; the test's own binary is one then.
const childEnv = "SALLYPORT_TEST_RECORDING"

// token is what clients bring.
const token = "of this test alone"

// setup is what a proxy process is to be.
type setup struct {
	State grant.State
	// Directory and Spool as of keeper.Options; MountBytes mounts a file system of that
	// size at both's parent, Parent, first.
	Directory, Spool string
	Parent           string
	MountBytes       int
	// Fault strikes at a point for the Nth time: "kill" the process, or "fail" from then on.
	Fault, Point string
	Nth          int64
	Bucket       *bucketSetup
	// Key signs.
	Key      ed25519.PrivateKey
	Patience time.Duration
}

// bucketSetup is a bucket; the manager's part is played in the proxy's own process.
type bucketSetup struct {
	Endpoint, Name, Access, Secret string
	CA                             []byte
}

func (b *bucketSetup) open() (*bucket.Task, error) {
	opened, err := bucket.Open(bucket.Config{
		Endpoint: b.Endpoint, Bucket: b.Name, CABundle: b.CA, Credentials: bucket.Static(b.Access, b.Secret, ""),
	})
	if err != nil {
		return nil, err
	}
	return opened.Task(requestUID)
}

// told is a line of the proxy's output.
type told struct {
	Address string `json:"address,omitempty"`
	// Ended is why sessions have ended, Lost what is reported as lost, Early a statement
	// that reached the target before its record was on the disk.
	Ended string `json:"ended,omitempty"`
	Lost  string `json:"lost,omitempty"`
	Early string `json:"early,omitempty"`
	// Struck says that the fault has struck.
	Struck bool `json:"struck,omitempty"`
	// Missing is what this machine does not give.
	Missing string `json:"missing,omitempty"`
}

func tell(line told) {
	encoded, _ := json.Marshal(line)
	_, _ = os.Stdout.Write(append(encoded, '\n')) // one write: lines stay whole
}

func runChild(encoded string) error {
	var s setup
	if err := json.Unmarshal([]byte(encoded), &s); err != nil {
		return err
	}
	if s.MountBytes > 0 {
		if err := mountSmall(s); err != nil {
			return err
		}
	}
	order := &order{}
	recordings := keeper.New(s.keeper(order))
	if err := recordings.Start(s.State.Recording); err != nil {
		return err
	}
	task, err := session.NewTask(session.Options{
		Protocol: "postgres", Recorder: recorder{recordings, order},
		Dial: postgres.Dialer{Net: order.dial}.Dial,
		Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return nil, errors.New("clients come without TLS")
		},
		Authenticate: func(context.Context, grant.Secret) (string, error) { return s.State.Task.Requester, nil },
		Report: func(r session.Report) {
			if r.Lost != "" {
				tell(told{Lost: r.Lost})
			}
		},
		Now: time.Now, Log: logr.Discard(),
	})
	if err != nil {
		return err
	}
	task.Update(s.State)
	if state := task.State(); state.Phase != grant.Granted {
		return errors.New(state.Reason)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	tell(told{Address: listener.Addr().String()})
	engine := postgres.New(postgres.Options{Judge: judge.New(1 << 20), AllowPlaintext: true, Log: logr.Discard()})
	// Until it is killed.
	return (&server.Server{Engine: witness{engine}, Task: task, Log: logr.Discard()}).Serve(context.Background(), listener)
}

func (s *setup) keeper(order *order) keeper.Options {
	strike := s.strike()
	options := keeper.Options{
		Directory: s.Directory, Spool: s.Spool, Patience: s.Patience, SegmentBytes: 2 << 10,
		Log: logr.Discard(), Now: time.Now,
		At: func(p keeper.Point) error { return strike(string(p)) },
		Record: func(p record.Point) error {
			if p == record.PointJournalSync || p == record.PointSealSync {
				order.syncing()
			}
			return strike(string(p))
		},
		Seal: func(_ context.Context, statements []record.Statement) ([]record.Signature, error) {
			signatures := make([]record.Signature, len(statements))
			for i, statement := range statements {
				signatures[i] = record.Sign(s.Key, statement, time.Now())
			}
			return signatures, nil
		},
	}
	if s.Bucket != nil {
		options.Places = s.places
	}
	return options
}

// places is what the manager answers.
func (s *setup) places(ctx context.Context, id string, first, count int) (control.Places, error) {
	task, err := s.Bucket.open()
	if err != nil {
		return control.Places{}, err
	}
	var names []string
	for number := first; number < first+count; number++ {
		names = append(names, store.SegmentName(id, number), store.SignatureName(id, number))
	}
	places, err := task.Presign(ctx, names, time.Hour, bucket.Retention{})
	return control.Places{Places: places, CABundle: s.Bucket.CA, Expires: time.Now().Add(time.Hour)}, err
}

// strike does the fault at its point.
func (s *setup) strike() func(string) error {
	var times atomic.Int64
	return func(point string) error {
		if point != s.Point {
			return nil
		}
		n := times.Add(1)
		if n < s.Nth {
			return nil
		}
		if n == s.Nth {
			tell(told{Struck: true})
		}
		if s.Fault == "kill" {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return fmt.Errorf("injected at %s", point)
	}
}

// witness tells why sessions end.
type witness struct{ session.Engine }

func (w witness) Serve(ctx context.Context, client net.Conn, s *session.Session) error {
	err := w.Engine.Serve(ctx, client, s)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if err != nil {
		tell(told{Ended: err.Error()})
	}
	return err
}
