package postgres

import (
	"cmp"
	"fmt"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/proxy/postgres/catalog"
)

// present refuses a session whose policy masks a column that the target does not have:
// misspelt or renamed, what it was meant for would come out as it is.
func present(masking *v1alpha1.MaskingPolicy, database string, snapshot *catalog.Snapshot) error {
	if masking == nil {
		return nil
	}
	for _, c := range masking.Columns {
		schema := cmp.Or(c.Schema, "public")
		relation := snapshot.Resolve(nil, schema, c.Relation)
		if relation == nil || relation.Column(c.Column) == nil {
			return &fault{code: codeNotSupported,
				message: fmt.Sprintf("the policy masks %s.%s.%s, which database %q does not have", printable(schema), printable(c.Relation), printable(c.Column), printable(database)),
				hint:    "Tell the policy's owner: a mask that is misspelt, or whose column was renamed, would show what it was meant to hide."}
		}
	}
	return nil
}
