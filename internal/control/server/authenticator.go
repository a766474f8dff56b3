package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/go-logr/logr"
	lru "github.com/hashicorp/golang-lru/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
)

// Keys of a bound token's extra (KEP-1205 and the API server's serviceaccount package).
const (
	extraPodName = "authentication.kubernetes.io/pod-name"
	extraPodUID  = "authentication.kubernetes.io/pod-uid"
)

// maxToken bounds a token, in bytes.
const maxToken = 16 << 10

const proxyUserPrefix = "system:serviceaccount:" + v1alpha1.ProxyNamespace + ":"

// ErrUnknownPod is a pod that does not live, or is no proxy.
var ErrUnknownPod = errors.New("no proxy pod of that name and UID")

// caller is a proxy that has proved itself.
type caller struct {
	pod        Pod
	requestUID string
}

type callerKey struct{}

// authenticator proves callers: token, TokenReview, pod, request.
type authenticator struct {
	reviewer *reviewer
	resolver Resolver
	now      func() time.Time
	timing   Timing
	log      logr.Logger
	// peers bounds what an address may ask before it has proved anything.
	peers *limits
	known *lru.Cache[[sha256.Size]byte, answer]
}

// answer is what a TokenReview said of a token: a pod, or that it is nobody's.
type answer struct {
	pod   Pod
	err   error
	until time.Time
}

func newAuthenticator(reviewer *reviewer, resolver Resolver, now func() time.Time, timing Timing, log logr.Logger) (*authenticator, error) {
	// Where the cluster masquerades, many proxies share an address.
	peers, err := newLimits(50, 500)
	if err != nil {
		return nil, err
	}
	known, err := lru.New[[sha256.Size]byte, answer](maxKeys)
	if err != nil {
		return nil, fmt.Errorf("make the cache of TokenReviews: %w", err)
	}
	return &authenticator{reviewer: reviewer, resolver: resolver, now: now, timing: timing, log: log, peers: peers, known: known}, nil
}

func (a *authenticator) unary(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	// Reading caller and client, each of which may wait for the API server.
	ctx, cancel := context.WithTimeout(ctx, 3*a.timing.Read)
	defer cancel()
	ctx, err := a.authenticate(ctx)
	if err != nil {
		return nil, err
	}
	return handler(ctx, request)
}

func (a *authenticator) stream(server any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx, err := a.authenticate(stream.Context())
	if err != nil {
		return err
	}
	return handler(server, &authenticatedStream{ServerStream: stream, ctx: ctx})
}

type authenticatedStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *authenticatedStream) Context() context.Context { return s.ctx }

// authenticate puts the caller into the context, or returns the status that refuses.
func (a *authenticator) authenticate(ctx context.Context) (context.Context, error) {
	from := peerAddress(ctx)
	if !a.peers.allow(from) {
		return nil, status.Error(codes.ResourceExhausted, "too many calls from this address: slow down")
	}
	token, err := bearerToken(ctx)
	if err != nil {
		return nil, err
	}
	pod, err := a.pod(ctx, token)
	if err != nil {
		a.log.Info("refused a caller", "from", from, "reason", err.Error())
		if errors.Is(err, errNotAuthentic) {
			return nil, status.Error(codes.Unauthenticated, errNotAuthentic.Error())
		}
		return nil, status.Error(codes.Unavailable, "the caller cannot be authenticated now: try again")
	}
	requestUID, err := a.resolve(ctx, pod)
	if err != nil {
		a.log.Info("refused a proxy", "pod", pod.Name, "podUID", pod.UID, "reason", err.Error())
		return nil, err
	}
	return context.WithValue(ctx, callerKey{}, caller{pod: pod, requestUID: requestUID}), nil
}

func (a *authenticator) resolve(ctx context.Context, pod Pod) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, a.timing.Read)
	defer cancel()
	requestUID, err := a.resolver.Resolve(ctx, pod)
	switch {
	case errors.Is(err, ErrUnknownPod):
		return "", status.Error(codes.PermissionDenied, ErrUnknownPod.Error())
	case err != nil:
		return "", status.Error(codes.Unavailable, "the caller's pod cannot be looked up now: try again")
	case requestUID == "":
		return "", status.Error(codes.PermissionDenied, "the caller's pod serves no request")
	}
	return requestUID, nil
}

// pod is the pod that the token was made for. Answers of the API server are
// remembered for a moment, keyed by a hash; failures to ask are not.
func (a *authenticator) pod(ctx context.Context, token string) (Pod, error) {
	key := sha256.Sum256([]byte(token))
	if known, ok := a.known.Get(key); ok && a.now().Before(known.until) {
		return known.pod, known.err
	}
	user, err := a.reviewer.review(ctx, token, control.Audience)
	if err != nil && !errors.Is(err, errNotAuthentic) {
		return Pod{}, err
	}
	var pod Pod
	if err == nil {
		pod, err = podOf(user)
	}
	a.known.Add(key, answer{pod: pod, err: err, until: a.now().Add(a.timing.ReviewCache)})
	return pod, err
}

// podOf reads the pod of a bound token of the proxies' namespace.
func podOf(user authenticationv1.UserInfo) (Pod, error) {
	account, ok := strings.CutPrefix(user.Username, proxyUserPrefix)
	if !ok || account == "" || strings.Contains(account, ":") {
		return Pod{}, fmt.Errorf("%w: its user is not a service account of %s", errNotAuthentic, v1alpha1.ProxyNamespace)
	}
	name, uid := user.Extra[extraPodName], user.Extra[extraPodUID]
	if len(name) != 1 || len(uid) != 1 || name[0] == "" || uid[0] == "" {
		return Pod{}, fmt.Errorf("%w: it is not bound to a pod", errNotAuthentic)
	}
	return Pod{Name: name[0], UID: uid[0], ServiceAccount: account}, nil
}

func bearerToken(ctx context.Context) (string, error) {
	values := metadata.ValueFromIncomingContext(ctx, "authorization")
	if len(values) != 1 {
		return "", status.Error(codes.Unauthenticated, "one bearer token is needed")
	}
	token, ok := strings.CutPrefix(values[0], "Bearer ")
	if !ok || token == "" || len(token) > maxToken {
		return "", status.Error(codes.Unauthenticated, "one bearer token is needed")
	}
	return token, nil
}

func peerAddress(ctx context.Context) string {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return ""
	}
	host, _, err := net.SplitHostPort(p.Addr.String())
	if err != nil {
		return p.Addr.String()
	}
	return host
}

func callerOf(ctx context.Context) (caller, error) {
	c, ok := ctx.Value(callerKey{}).(caller)
	if !ok {
		return caller{}, status.Error(codes.Unauthenticated, "the caller has not been authenticated")
	}
	return c, nil
}
