// Package presigned writes recordings into an object store without a credential: a
// manager signs, ahead of time, permissions to write certain objects once. It is all
// that a proxy has.
package presigned

import "time"

// Place is the permission to write one object, once.
type Place struct {
	// Name of the object: "<session>/00000001.seg".
	Name string
	// URL to PUT to. It holds a signature: do not log it.
	URL string
	// Headers that are signed too, and must be sent as they are.
	Headers map[string]string
	// Check is a URL to GET the same object from, to tell an answer that was lost from
	// another writer; "" if there is none. Do not log it.
	Check string
}

// Grant is places, and how their store is reached.
type Grant struct {
	Places []Place
	// Addresses to dial, "IP" or "IP:port"; the URL's host is resolved if there are none.
	Addresses []string
	// CABundle (PEM) vouches for the store; the system's authorities if empty.
	CABundle []byte
	// Expires is when the places are no longer valid.
	Expires time.Time
}
