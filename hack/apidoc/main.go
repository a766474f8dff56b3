// Command apidoc writes the reference of the API from its CRDs: go run ./hack/apidoc
// from the repository's root writes docs/api.md.
package main

import (
	"fmt"
	"os"
)

func main() {
	text, err := reference("config/crd/bases")
	if err == nil {
		err = os.WriteFile("docs/api.md", text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "apidoc:", err)
		os.Exit(1)
	}
}
