package server

import (
	"fmt"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// maxKeys bounds what is remembered of callers.
const maxKeys = 8192

// limits is a rate limit for each key, the least recently seen forgotten first.
type limits struct {
	perSecond rate.Limit
	burst     int
	known     *lru.Cache[string, *rate.Limiter]
}

func newLimits(perSecond rate.Limit, burst int) (*limits, error) {
	known, err := lru.New[string, *rate.Limiter](maxKeys)
	if err != nil {
		return nil, fmt.Errorf("make a rate limit: %w", err)
	}
	return &limits{perSecond: perSecond, burst: burst, known: known}, nil
}

func (l *limits) allow(key string) bool {
	limiter := rate.NewLimiter(l.perSecond, l.burst)
	if existing, ok, _ := l.known.PeekOrAdd(key, limiter); ok {
		l.known.Get(key)
		limiter = existing
	}
	return limiter.Allow()
}
