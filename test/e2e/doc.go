// Package e2e holds the end-to-end tests, one story a file: real people with client
// certificates, kubectl, psql and PostgreSQL, against a cluster with Sallyport on it.
// make test-e2e brings all of it up.
//
// A test without t.Parallel breaks something that others stand on: the managers, or
// the target.
package e2e
