package bucket

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Credentials are how requests to a store are signed. It prints as nothing.
type Credentials struct {
	provider func(Config) (credentials.Provider, func(), error)
}

// The keys of a Secret that holds credentials.
const (
	AccessKeyID     = "accessKeyID"
	SecretAccessKey = "secretAccessKey"
	// SessionToken is optional.
	SessionToken = "sessionToken"
)

// filesAge is how long a mounted Secret's values are used before they are read again.
const filesAge = time.Minute

// Static are the values of a Secret; the session token may be empty.
func Static(accessKeyID, secretAccessKey, sessionToken string) Credentials {
	return Credentials{func(Config) (credentials.Provider, func(), error) {
		return &credentials.Static{Value: credentials.Value{
			AccessKeyID: accessKeyID, SecretAccessKey: secretAccessKey, SessionToken: sessionToken, SignerType: credentials.SignatureV4,
		}}, func() {}, nil
	}}
}

// Files are a mounted Secret's files, named by its keys. A change is seen within a minute.
func Files(folder string) Credentials {
	return Credentials{func(config Config) (credentials.Provider, func(), error) {
		return &files{folder: folder, now: config.Now}, func() {}, nil
	}}
}

// Workload is the identity that the platform gives to the pod: a web identity token
// (AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN), a container's credential endpoint
// (AWS_CONTAINER_CREDENTIALS_FULL_URI), or the node's role. stsEndpoint is where web
// identity tokens are exchanged; the provider's own if empty. It is asked as the store
// is: with its CA bundle, and bounds.
func Workload(stsEndpoint string) Credentials {
	return Credentials{func(config Config) (credentials.Provider, func(), error) {
		transport, err := config.transport()
		if err != nil {
			return nil, nil, err
		}
		client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
		return &credentials.IAM{Client: client, Endpoint: stsEndpoint, Region: config.Region}, transport.CloseIdleConnections, nil
	}}
}

// String keeps a logger from looking inside.
func (Credentials) String() string { return "(credentials)" }

type files struct {
	folder string
	now    func() time.Time
	read   time.Time
}

func (f *files) Retrieve() (credentials.Value, error) {
	value := credentials.Value{SignerType: credentials.SignatureV4}
	for name, field := range map[string]*string{AccessKeyID: &value.AccessKeyID, SecretAccessKey: &value.SecretAccessKey, SessionToken: &value.SessionToken} {
		content, err := os.ReadFile(filepath.Join(f.folder, name))
		if errors.Is(err, os.ErrNotExist) && name == SessionToken {
			continue
		}
		if err != nil {
			return credentials.Value{}, fmt.Errorf("read the store's credentials: %w", err)
		}
		*field = strings.TrimSpace(string(content))
	}
	f.read = f.now()
	return value, nil
}

func (f *files) RetrieveWithCredContext(*credentials.CredContext) (credentials.Value, error) {
	return f.Retrieve()
}

func (f *files) IsExpired() bool { return f.now().Sub(f.read) > filesAge }
