// Package sftp judges SFTP version 3 (draft-ietf-secsh-filexfer-02) and OpenSSH's
// extensions to it (its file PROTOCOL): a relay stands in one channel, tells by what path
// each request reaches its file, has that judged, and forwards that very path.
//
// Data are neither copied nor judged packet by packet: what was opened may be read or
// written, within limits.
//
// A path is canonical when a walk along it met no symbolic link and no "..", name by name,
// by the target's own word. Between the walk and the request another program on the target
// may swap a folder for a link; version 3 has no way to refuse that (no O_NOFOLLOW, no
// inode numbers). What the client itself does in the channel cannot: requests that change
// names are waited for, and a link may lead only to where the client may go by itself.
package sftp
