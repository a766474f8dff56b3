package stores

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// parser collects what is wrong with a ConfigMap, so that one look mends it.
type parser struct {
	data  map[string]string
	wrong []string
}

func (p *parser) fail(key, format string, args ...any) {
	p.wrong = append(p.wrong, key+" "+fmt.Sprintf(format, args...))
}

func (p *parser) value(key string) string { return strings.TrimSpace(p.data[key]) }

// known refuses keys that nothing reads: a typing error would silently weaken a store.
func (p *parser) known() {
	keys := []string{
		KeyKind, KeyEndpoint, KeyBucket, KeyPrefix, KeyRegion, KeyCABundle, KeyAddressing, KeyLockMode, KeyCredentials, KeyEgress,
	}
	for _, key := range slices.Sorted(maps.Keys(p.data)) {
		if !slices.Contains(keys, key) {
			p.fail(key, "is no key of a store: there are %s", strings.Join(keys, ", "))
		}
	}
}

func (p *parser) choice(key, absent string, choices ...string) string {
	value := p.value(key)
	if value == "" {
		value = absent
	}
	if !slices.Contains(choices, value) {
		p.fail(key, "must be %s", strings.Join(choices, " or "))
	}
	return value
}

func (p *parser) matching(key string, pattern *regexp.Regexp, what string, required bool) string {
	value := p.value(key)
	if value == "" && !required {
		return ""
	}
	if !pattern.MatchString(value) {
		p.fail(key, "must be %s", what)
	}
	return value
}

// endpoint is the URL of the service alone: neither user, nor path, nor query.
func (p *parser) endpoint() *url.URL {
	parsed, err := url.Parse(p.value(KeyEndpoint))
	if err != nil || parsed.Scheme != "https" && parsed.Scheme != "http" || parsed.Hostname() == "" ||
		strings.Trim(parsed.Path, "/") != "" || parsed.User != nil || parsed.RawQuery != "" || parsed.Fragment != "" {
		// Not quoted: a URL may hold a password.
		p.fail(KeyEndpoint, "must be https://HOST[:PORT] (http:// only where the network is trusted: recordings cross it)")
		return &url.URL{}
	}
	parsed.Path = ""
	return parsed
}

func (p *parser) egress() []netip.Prefix {
	found := []netip.Prefix{}
	for word := range strings.FieldsSeq(p.data[KeyEgress]) {
		prefix, err := netip.ParsePrefix(word)
		if err != nil {
			p.fail(KeyEgress, "must be prefixes like 192.0.2.0/24, not %.64q", word)
			continue
		}
		found = append(found, prefix.Masked())
	}
	if len(found) > maxEgress {
		p.fail(KeyEgress, "has more than %d prefixes", maxEgress)
	}
	return found
}

// maxEgress bounds a network policy.
const maxEgress = 64

// Credential is what the bucket knows the manager and the reader by. No format verb
// prints it.
type Credential struct {
	accessKeyID, secretAccessKey, sessionToken string
}

// ParseCredential reads a store's Secret.
func ParseCredential(name string, data map[string][]byte) (Credential, error) {
	// Files made by hand end in a newline.
	value := func(key string) string { return strings.TrimSpace(string(data[key])) }
	c := Credential{value(KeyAccessKeyID), value(KeySecretAccessKey), value(KeySessionToken)}
	if c.accessKeyID == "" || c.secretAccessKey == "" {
		return Credential{}, misconfigured("Secret %s must have %s and %s", ObjectName(name), KeyAccessKeyID, KeySecretAccessKey)
	}
	return c, nil
}

// Reveal returns the parts, for the one place that opens the bucket.
func (c Credential) Reveal() (accessKeyID, secretAccessKey, sessionToken string) {
	return c.accessKeyID, c.secretAccessKey, c.sessionToken
}

// String hides the value.
func (Credential) String() string { return "[secret]" }

// GoString hides the value from %#v.
func (Credential) GoString() string { return "[secret]" }
