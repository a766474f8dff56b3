// Package wire is PostgreSQL's protocol 3.0 and 3.2 as it looks on the wire.
//
// Everything that a peer sends is framed, bounded and read by the small readers
// here, one file per message: each takes the body of one message, copies nothing
// it need not, and fails on anything that the protocol does not allow. What we
// originate is written with pgproto3/v2, whose decoders are not used: hostile
// bytes make them panic or loop (GO-2026-4518).
//
// https://www.postgresql.org/docs/current/protocol-message-formats.html
package wire
