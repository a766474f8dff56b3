// Package restricted is a shell of the proxy's own: it reads lines, and has each of them
// judged and run as a command of its own. Nothing on the target reads what is typed but
// the commands that were granted.
package restricted
