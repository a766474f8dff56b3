// Package mask masks values: columns by name, and whatever has the form of a payment
// card, an e-mail address, a key. It is pure: bytes in, bytes out.
package mask
