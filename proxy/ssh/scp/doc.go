// Package scp judges the legacy protocol of scp (rcp's, with OpenSSH's T lines), which
// has no specification but its programs: a relay reads both directions in lock step, has
// each file and folder judged by where its path leads, and lets pass no byte more than a
// file announced, and no name that leaves its folder (CVE-2018-20685, CVE-2019-6110,
// CVE-2019-6111).
package scp
