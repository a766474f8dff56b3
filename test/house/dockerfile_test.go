package house

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var copied = regexp.MustCompile(`(?m)^COPY ([a-z/]+) [a-z/]+$`)

func TestTheDockerfileCopiesWhatItsBinariesAreMadeOf(t *testing.T) {
	t.Parallel()
	dockerfile, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	ignore, err := os.ReadFile("../../.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	folders := []string{}
	for _, match := range copied.FindAllStringSubmatch(string(dockerfile), -1) {
		folders = append(folders, match[1])
		if !strings.Contains(string(ignore), "\n!"+match[1]+"\n") {
			t.Errorf(".dockerignore keeps %s from the Dockerfile", match[1])
		}
	}
	for _, pkg := range packages(t) {
		binary := strings.TrimPrefix(pkg.ImportPath, module+"/cmd/")
		if !strings.Contains(string(dockerfile), "./cmd/"+binary) {
			continue
		}
		for _, dependency := range pkg.Deps {
			path, ours := strings.CutPrefix(dependency, module+"/")
			if ours && !slices.ContainsFunc(folders, func(folder string) bool { return below(path, folder) }) {
				t.Errorf("%s needs %s, which the Dockerfile does not copy", binary, path)
			}
		}
	}
}
