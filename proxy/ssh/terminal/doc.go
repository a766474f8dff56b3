// Package terminal is what the output of a program goes through on its way to a person:
// masked across the pieces that it comes in, without making a prompt wait.
package terminal
