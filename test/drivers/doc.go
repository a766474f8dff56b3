// Package drivers runs the test suites of PostgreSQL drivers, and of an SSH library, against a server
// directly and through the proxy, and compares what passes: with a grant that
// allows everything, a driver must not notice the proxy. Differences that are meant
// stand in testdata with their reason; any other fails, and so does one that is gone.
//
// `go test` runs a short share. With -all it runs every suite in every mode on every
// version (hack/test-drivers.sh), and prints the table of docs/drivers.md.
package drivers
