// Package canary tries to get masked values past the masks. Columns of a scratch
// database hold canaries: values that stand nowhere else. A generator writes
// statements that try whatever SQL has to bring them out, as they are or changed, and
// every byte that reaches the client, the recording or a reviewer is searched for
// them. make fuzz-mask runs it over ten million values.
package canary
