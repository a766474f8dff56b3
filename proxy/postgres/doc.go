// Package postgres is the engine that speaks PostgreSQL's protocol.
//
// What reaches the target, and when. A Query is admitted statement by statement;
// if one is refused, none of the message is forwarded. In the extended protocol
// the operation is the portal, a prepared statement with its values: it is admitted
// at Bind, because planning, which Bind does, can already run functions; Execute
// then runs what was admitted, and no other text or value. A Parse waits for the
// message after it: where that is its Bind, both are one operation; else the
// statement is admitted alone, without values, and its result is PREPARE. The data
// of a COPY are recorded before they are forwarded.
//
// A refused message is replaced by one that must fail on the target, and the
// target's error by ours: so transactions and pipelines end up in just the state
// that PostgreSQL itself would leave them in.
//
// An operation that is held waits in the frontend's goroutine: what came before is
// answered, and the client is watched. Its frame stays in the read buffer, and goes out
// from there. A COMMIT is held where what its transaction did asks for it (gate).
//
// The engine asks the target itself between the client's messages (own): search_path
// and catalogs, so that names mean to the judge what they mean to the target (view), and
// the counters that a held COMMIT is reviewed by (effects, images).
//
// Which text a prepared statement's name stands for is learnt from the target's
// answers, in order, never from what a client hopes for.
package postgres
