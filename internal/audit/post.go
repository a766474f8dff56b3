package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// verdict is what an attempt to deliver came to.
type verdict int

const (
	taken verdict = iota
	// later: the endpoint does not answer, or not as it should.
	later
	// never: the endpoint has read this event and does not want it.
	never
)

// maxRetryAfter bounds what an endpoint may ask for.
const maxRetryAfter = 10 * time.Minute

// endpoint is a webhook's receiver.
type endpoint struct {
	url        *url.URL
	secretFile string
	client     *http.Client
	now        func() time.Time
}

// head is what of an event's line delivery needs.
type head struct {
	ID   string `json:"id"`
	Type Type   `json:"type"`
}

// post makes one attempt. The error says why it was not taken, and wait for how long
// the endpoint wants to be left alone.
func (e *endpoint) post(ctx context.Context, line []byte) (result verdict, wait time.Duration, err error) {
	var h head
	if err := json.Unmarshal(line, &h); err != nil || h.ID == "" {
		return never, 0, errors.New("the spool holds a line that is no event")
	}
	secrets, err := readSecrets(e.secretFile)
	if err != nil {
		return later, 0, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url.String(), bytes.NewReader(line))
	if err != nil {
		return later, 0, errors.New("the webhook's address cannot be called")
	}
	now := e.now()
	request.Header.Set("Content-Type", "application/cloudevents+json; charset=utf-8")
	request.Header.Set("User-Agent", "sallyport")
	request.Header.Set("Webhook-Id", h.ID)
	request.Header.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
	request.Header.Set("Webhook-Signature", sign(secrets, h.ID, now, line))
	response, err := e.client.Do(request)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			// Its text holds the whole address, which may hold a token.
			err = failed.Err
		}
		return later, 0, fmt.Errorf("call %s: %w", e.url.Host, err)
	}
	// Read to its end, so that the connection is used again.
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	_ = response.Body.Close()
	if result = judge(response.StatusCode); result == taken {
		return taken, 0, nil
	}
	return result, retryAfter(response.Header.Get("Retry-After"), now), fmt.Errorf("%s answered %d", e.url.Host, response.StatusCode)
}

// judge tells an event that is not wanted from an endpoint that is not well: a wrong
// secret or an address that moved would else make dead letters of everything.
func judge(status int) verdict {
	switch {
	case status >= 200 && status < 300:
		return taken
	case status < 400 || status >= 500:
		return later
	}
	switch status {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed,
		http.StatusProxyAuthRequired, http.StatusRequestTimeout, http.StatusGone, http.StatusMisdirectedRequest, http.StatusLocked,
		http.StatusTooEarly, http.StatusUpgradeRequired, http.StatusTooManyRequests:
		return later
	}
	return never
}

// retryAfter reads the header (RFC 9110 §10.2.3), bounded.
func retryAfter(header string, now time.Time) time.Duration {
	wait := time.Duration(0)
	if seconds, err := strconv.ParseUint(header, 10, 16); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}
