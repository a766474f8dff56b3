// Package bench measures the life of tasks on a cluster with Sallyport on it.
// make bench-lifecycle brings all of it up, and prints the table.
package bench
