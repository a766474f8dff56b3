// Package argv tells what a command line would run: the words of each of its simple
// commands, or why only a shell could tell. It is pure: a string in, words out.
//
// A line is read by the rules that the POSIX shells share (POSIX.1-2024, Shell Command
// Language: sh, dash, bash, ksh, zsh). Whatever one of them would expand, redirect, run
// in the background or read as grammar makes the line opaque: then nothing is said of
// its commands, and a grant that names commands does not cover it.
//
// Words that run other words are words like any others: who grants `sudo **`, `env **`
// or `sh -c *` grants everything. Accounts whose login shell is none of the POSIX
// family (csh, fish) must not be granted commands.
package argv
