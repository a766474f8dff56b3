// Package policy compiles access policies and decides actions by them. It is
// pure: the same policy and action always give the same decision, with its
// explanation.
//
// Decide asks four questions, in this order.
//
//  1. Is the action understood? One with Unknown set is denied, rule "understood".
//  2. Is it within the grant? What is not is denied, rule "grant", whatever the
//     rules say: every relation that it names, with every privilege, every function
//     and every sequence must be named, and the kind must be one that the grant
//     covers: reading and writing rows, COPY with the client, EXPLAIN, cursors,
//     transaction control, and the settings that the engine lets through.
//     Reading the system catalogs is granted implicitly, but for those that hold
//     secrets or samples of the data. What is reached behind something else (Via)
//     need not be named, a function that cannot be looked into must be, wherever it
//     runs. An unrestricted grant covers all that is understood.
//     An SSHGrant names logins, commands by their words, files by canonical path and
//     access, repositories, hosts, sockets and variables; a kind of operation that is
//     not among sshKinds is outside of every grant.
//  3. Would it carry a masked value past its mask? Then it is denied, rule "masking".
//  4. What do the rules say? Every rule is evaluated, in any order with the same
//     effect: Deny wins over Hold, Hold over HoldCommit, HoldCommit over Allow. A rule
//     that cannot be evaluated denies; HoldCommit outside of a transaction denies, too.
//     A policy without an Allow rule allows the rest, rule "grant". With one, what no
//     rule names is denied, rule "default"; only what steers the session and touches
//     nothing (transaction control, SET, SHOW, FETCH, CLOSE) needs no Allow rule, so
//     that a refusal never leaves a transaction that cannot be rolled back.
package policy
