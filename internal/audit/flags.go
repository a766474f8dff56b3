package audit

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Flags say where a command's audit events go.
type Flags struct {
	sinks, secretFiles, caFiles  []string
	spool                        string
	spoolMiB, fileMiB, fileKeeps int
}

// Bind adds the flags to a command's.
func (f *Flags) Bind(flags *flag.FlagSet) {
	repeated := func(to *[]string, name, usage string) {
		flags.Func(name, usage, func(value string) error {
			*to = append(*to, value)
			return nil
		})
	}
	repeated(&f.sinks, "audit-sink", "where audit events go: stdout, file:PATH or webhook:HTTPS-URL; repeatable")
	repeated(&f.secretFiles, "audit-webhook-secret-file", "file with the secret that signs a webhook, whsec_ and base64, two lines while it is replaced; one for all webhooks, or one each in their order")
	repeated(&f.caFiles, "audit-webhook-ca-file", "PEM of the authorities that vouch for a webhook, instead of the system's; one for all webhooks, or one each in their order")
	flags.StringVar(&f.spool, "audit-spool-dir", "/var/lib/sallyport/audit", "writable directory for events that a webhook has not taken yet")
	flags.IntVar(&f.spoolMiB, "audit-spool-mib", 64, "the most that waits for one webhook; what comes then is dropped, counted and told of")
	flags.IntVar(&f.fileMiB, "audit-file-mib", 100, "size at which a file of events turns over")
	flags.IntVar(&f.fileKeeps, "audit-file-keeps", 10, "files kept that have turned over")
}

// Open makes the stream. Without a sink it takes events and does nothing.
func (f *Flags) Open(options Options) (*Stream, error) {
	if len(f.sinks) > 0 && (f.spoolMiB < 1 || f.fileMiB < 1 || f.fileKeeps < 1) {
		return nil, errors.New("--audit-spool-mib, --audit-file-mib and --audit-file-keeps must be at least 1")
	}
	if options.RetryFirst == 0 {
		options.RetryFirst, options.RetryMost, options.Grace = time.Second, time.Minute, 3*time.Second
	}
	metrics, err := newMetrics(options.Metrics)
	if err != nil {
		return nil, err
	}
	s := &Stream{options: options, metrics: metrics}
	for _, sink := range f.sinks {
		if err := f.open(s, sink); err != nil {
			// The address of a webhook may hold a token.
			kind, _, _ := strings.Cut(sink, ":")
			return nil, errors.Join(fmt.Errorf("--audit-sink=%s: %w", kind, err), s.close())
		}
	}
	return s, nil
}

func (f *Flags) open(s *Stream, sink string) error {
	kind, where, _ := strings.Cut(sink, ":")
	switch {
	case kind == "stdout" && where == "":
		s.addStdout()
		return nil
	case kind == "file" && where != "":
		return s.addFile(where, int64(f.fileMiB)<<20, f.fileKeeps)
	case kind == "webhook" && where != "":
		return f.openWebhook(s, where)
	}
	return errors.New("a sink is stdout, file:PATH or webhook:HTTPS-URL")
}

func (f *Flags) openWebhook(s *Stream, where string) error {
	address, err := url.Parse(where)
	if err != nil || address.Scheme != "https" || address.Host == "" || address.User != nil || address.Fragment != "" {
		return errors.New("a webhook's address begins with https:// and has no user and no fragment")
	}
	secretFile, err := f.ofWebhook(where, f.secretFiles, "--audit-webhook-secret-file")
	if err != nil {
		return err
	}
	if secretFile == "" {
		return errors.New("--audit-webhook-secret-file must be given: what is not signed, a receiver cannot believe")
	}
	if _, err := readSecrets(secretFile); err != nil {
		return err
	}
	caFile, err := f.ofWebhook(where, f.caFiles, "--audit-webhook-ca-file")
	if err != nil {
		return err
	}
	client, err := newClient(caFile)
	if err != nil {
		return err
	}
	return s.addWebhook(&endpoint{url: address, secretFile: secretFile, client: client, now: s.options.Now}, f.spool, int64(f.spoolMiB)<<20)
}

// ofWebhook is the one of files that belongs to a webhook.
func (f *Flags) ofWebhook(where string, files []string, name string) (string, error) {
	var webhooks []string
	for _, sink := range f.sinks {
		if address, ok := strings.CutPrefix(sink, "webhook:"); ok {
			webhooks = append(webhooks, address)
		}
	}
	switch len(files) {
	case 0:
		return "", nil
	case 1:
		return files[0], nil
	case len(webhooks):
		for i, address := range webhooks {
			if address == where {
				return files[i], nil
			}
		}
	}
	return "", fmt.Errorf("%s: give one for all webhooks, or one for each", name)
}

// addWebhook adds an endpoint. Its spool is named by its address, so that no other one
// gets what was meant for it.
func (s *Stream) addWebhook(to *endpoint, spool string, limit int64) error {
	sum := sha256.Sum256([]byte(to.url.String()))
	dir := filepath.Join(spool, hex.EncodeToString(sum[:8]))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("--audit-spool-dir must be a writable volume: %w", err)
	}
	name := "webhook:" + to.url.Host
	w := &webhook{
		name: name, endpoint: to, tell: func(e Event) { s.Emit(e) }, now: s.options.Now,
		backoff: backoff{first: s.options.RetryFirst, most: s.options.RetryMost}, grace: s.options.Grace,
		count: s.metrics.of(name), log: s.options.Log.WithValues("sink", name),
	}
	w.dead.file = file{path: filepath.Join(dir, "dead-letters.jsonl"), limit: maxDeadLetters, keep: 1}
	if err := w.openLanes(dir, limit, func(write func([]entry) (int, error)) *pump { return s.newPump(name, write) }); err != nil {
		return err
	}
	s.add(name, w)
	return nil
}

// newClient calls webhooks: over TLS, following no redirects, and never for long.
func newClient(caFile string) (*http.Client, error) {
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		bundle, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("read the webhook's authorities: %w", err)
		}
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(bundle) {
			return nil, fmt.Errorf("%s holds no certificate in PEM", caFile)
		}
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	return &http.Client{
		// Standard Webhooks recommends 15 to 30 s.
		Timeout:       15 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, TLSClientConfig: settings,
			TLSHandshakeTimeout: 5 * time.Second, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: lanes, IdleConnTimeout: 90 * time.Second,
		},
	}, nil
}
