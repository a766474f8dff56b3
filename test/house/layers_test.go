// Package house holds the tests of the house itself: which folder may import
// which, and that documents link to what is there.
package house

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sallyport/sallyport"

type listed struct {
	ImportPath string
	Imports    []string

	Deps []string
}

// layer says what packages below a folder must not import: directly, or at all.
type layer struct {
	folder string
	direct []string
	deep   []string
	why    string
}

var layers = []layer{
	{folder: "api", deep: []string{module + "/internal", module + "/controllers", module + "/proxy", module + "/cmd"}, why: "api imports nothing of ours"},
	{folder: "internal/policy", direct: impure, why: "policy is pure"},
	{folder: "internal/approval", direct: impure, why: "counting is pure"},
	{folder: "internal/manifest", direct: impure, why: "builders are pure"},
	{folder: "internal/digest", direct: impure, why: "digests are pure"},
	{folder: "internal/mask", direct: impure, why: "masks are pure"},
	{folder: "proxy/postgres/reach", direct: impure, why: "what is read of a target is looked at, not asked for"},
	{folder: "proxy/postgres/masking", direct: impure, why: "rows come in, rows go out"},
	{folder: "controllers", deep: []string{module + "/proxy"}, why: "controllers do not import the proxy"},
	{folder: "proxy", deep: []string{"k8s.io/client-go"}, why: "a proxy has no Kubernetes API rights, and no client"},
	{folder: "cmd/proxy", deep: []string{"k8s.io/client-go"}, why: "a proxy has no Kubernetes API rights, and no client"},
	{folder: "proxy/postgres", direct: []string{module + "/internal/credential", module + "/internal/record/store"}, why: "an engine sees no store and no credential"},
	{folder: "proxy/ssh", direct: []string{module + "/internal/credential", module + "/internal/record/store"}, why: "an engine sees no store and no credential"},
	{folder: "proxy/ssh/argv", direct: impure, why: "a command line is read, not run"},
	{folder: "internal", deep: []string{module + "/cmd"}, why: "nothing imports cmd"},
}

var impure = []string{"os", "net", "net/http", "k8s.io/client-go", "github.com/go-logr/logr", "log", "log/slog"}

var forbiddenNames = []string{"util", "utils", "common", "helpers", "helper", "misc"}

func packages(t *testing.T) []listed {
	t.Helper()
	command := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", "../../...")
	output, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(output)))
	var all []listed
	for {
		var one listed
		err := decoder.Decode(&one)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
}

func below(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

func TestEveryFolderImportsOnlyWhatItsLayerMay(t *testing.T) {
	t.Parallel()
	for _, pkg := range packages(t) {
		for _, layer := range layers {
			if !below(pkg.ImportPath, module+"/"+layer.folder) {
				continue
			}
			for _, imported := range pkg.Imports {
				if slices.ContainsFunc(layer.direct, func(no string) bool { return below(imported, no) && !pureOf(no, imported) }) {
					t.Errorf("%s imports %s: %s", pkg.ImportPath, imported, layer.why)
				}
			}
			for _, imported := range pkg.Deps {
				if slices.ContainsFunc(layer.deep, func(no string) bool { return below(imported, no) }) {
					t.Errorf("%s depends on %s: %s", pkg.ImportPath, imported, layer.why)
				}
			}
		}
	}
}

// pureOf are packages below an impure path that compute and nothing else.
func pureOf(forbidden, imported string) bool {
	return forbidden == "net" && (imported == "net/netip" || imported == "net/url")
}

func TestNoPackageIsNamedForNothing(t *testing.T) {
	t.Parallel()
	for _, pkg := range packages(t) {
		name := pkg.ImportPath[strings.LastIndex(pkg.ImportPath, "/")+1:]
		if slices.Contains(forbiddenNames, name) {
			t.Errorf("%s: name a package for what it holds", pkg.ImportPath)
		}
	}
}

func TestEnginesDoNotImportEachOther(t *testing.T) {
	t.Parallel()
	engines := []string{"postgres", "ssh", "kubernetes"}
	for _, pkg := range packages(t) {
		for _, engine := range engines {
			if !below(pkg.ImportPath, module+"/proxy/"+engine) {
				continue
			}
			for _, other := range engines {
				if other != engine && slices.ContainsFunc(pkg.Deps, func(dep string) bool { return below(dep, module+"/proxy/"+other) }) {
					t.Errorf("%s depends on engine %s", pkg.ImportPath, other)
				}
			}
		}
	}
}
