package audit

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// Bounds on a webhook's secret (Standard Webhooks 1.0.0, signature scheme), in bytes.
const (
	minSecret = 24
	maxSecret = 64
)

// readSecrets reads a file of secrets, one a line, whsec_ and base64: while one is
// replaced by the next, both sign.
func readSecrets(path string) ([][]byte, error) {
	opened, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the webhook's secret: %w", err)
	}
	defer func() { _ = opened.Close() }()
	content, err := io.ReadAll(io.LimitReader(opened, 4<<10))
	if err != nil {
		return nil, fmt.Errorf("read the webhook's secret: %w", err)
	}
	var secrets [][]byte
	for line := range bytes.Lines(content) {
		word := strings.TrimSpace(string(line))
		if word == "" {
			continue
		}
		encoded, ok := strings.CutPrefix(word, "whsec_")
		secret, err := base64.StdEncoding.DecodeString(encoded)
		// The decoder's error quotes nothing of the secret, but says nothing useful either.
		if !ok || err != nil || len(secret) < minSecret || len(secret) > maxSecret {
			return nil, fmt.Errorf("%s: a line is not whsec_ followed by base64 of %d to %d random bytes", path, minSecret, maxSecret)
		}
		secrets = append(secrets, secret)
	}
	if len(secrets) == 0 {
		return nil, errors.New(path + " holds no secret: write whsec_ followed by base64 of 32 random bytes into it")
	}
	return secrets, nil
}

// sign is the webhook-signature header: one signature a secret.
func sign(secrets [][]byte, id string, at time.Time, payload []byte) string {
	signatures := make([]string, 0, len(secrets))
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, secret)
		_, _ = mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		_, _ = mac.Write(payload)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(signatures, " ")
}
