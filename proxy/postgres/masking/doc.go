// Package masking decides which values of a target's answers are masked, and puts
// others in their place that are legal for type and format. It is pure: messages in,
// messages out.
//
// A column of a result is masked
//   - when its origin, as RowDescription has it, is a masked column of a table, of a
//     table that the masked one inherits from or is a partition of, or the other way
//     round;
//   - when its origin is a column of a view that comes from a masked column, or the
//     whole row of a relation with one;
//   - without an origin that is known: when what the statement says of the column
//     (sql.Output) names a masked column, or when nothing is known of it and the
//     statement touches a relation with masked columns.
//
// Of several masks that apply the strictest holds: Null, Redact, Constant, Hash, then
// Partial, the fewer characters kept the stricter; of two equal ones that whose reason
// comes first in the alphabet.
//
// Other columns are scanned by detectors unless their type holds no text. NULL stays
// NULL.
package masking
