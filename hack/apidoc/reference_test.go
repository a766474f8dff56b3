package main

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheReferenceIsThatOfTheSchemas(t *testing.T) {
	t.Parallel()
	want, err := reference("../../config/crd/bases")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("docs/api.md is stale: run make generate (-want +got):\n%s", diff)
	}
}
