// Package ssh is the engine for SSH: a server towards the client, a client towards the
// target, and one policy over every channel and request between them. What is not
// known is refused: nothing passes because nobody thought of it.
package ssh
