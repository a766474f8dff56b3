// Command postgres measures what the PostgreSQL engine costs, beside no proxy at all,
// pgbouncer and a bare io.Copy relay, in interleaved rounds of one run: make
// bench-postgres builds what it needs and runs it.
//
// Every number is a ratio to the bare relay of the same client leg (plain or TLS);
// absolutes are the machine's. Medians over the rounds.
package main
