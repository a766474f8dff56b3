package bucket

import (
	"net/http"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Credentials are how requests to a store are signed. It prints as nothing.
type Credentials struct {
	provider func(Config) (credentials.Provider, func(), error)
}

// Static are the values of a Secret; the session token may be empty.
func Static(accessKeyID, secretAccessKey, sessionToken string) Credentials {
	return Credentials{func(Config) (credentials.Provider, func(), error) {
		return &credentials.Static{Value: credentials.Value{
			AccessKeyID: accessKeyID, SecretAccessKey: secretAccessKey, SessionToken: sessionToken, SignerType: credentials.SignatureV4,
		}}, func() {}, nil
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
