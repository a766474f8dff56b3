package pgtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// VersionEnv, when set to a major version of PostgreSQL, is the version of servers
// whose options name none: the same tests run on another server.
const VersionEnv = "SALLYPORT_TEST_POSTGRES"

// packaged is the version that hack/postgres18/install.sh brings.
const packaged = 18

// Versions are the major versions that what must hold on every server is tested on.
func Versions() []int { return []int{15, packaged} }

// LibraryDir is the folder of a version's client library, libpq.
func LibraryDir(version int) (string, error) {
	binaries, err := findBinaries(version)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(filepath.Dir(binaries), "lib")
	if _, err := os.Stat(filepath.Join(dir, "libpq.so.5")); err != nil {
		return "", fmt.Errorf("%w: %w", missing(version), err)
	}
	return dir, nil
}

// findBinaries finds the folder of a version's initdb and postgres. Version 0 is
// that of VersionEnv, else whatever PG_BINDIR or pg_config name, else Debian's newest.
func findBinaries(version int) (string, error) {
	if asked := os.Getenv(VersionEnv); version == 0 && asked != "" {
		var err error
		if version, err = strconv.Atoi(asked); err != nil {
			return "", fmt.Errorf("%s=%q is no major version of PostgreSQL", VersionEnv, asked)
		}
	}
	candidates := anyVersion()
	if version != 0 {
		candidates = oneVersion(version)
	}
	for _, dir := range candidates {
		if executable(filepath.Join(dir, "initdb")) && executable(filepath.Join(dir, "postgres")) {
			return dir, nil
		}
	}
	return "", missing(version)
}

func missing(version int) error {
	switch version {
	case 0:
		return ErrMissing
	case packaged:
		return fmt.Errorf("%w: this needs version 18: run hack/postgres18/install.sh, or point PG18_BINDIR at such a folder", ErrMissing)
	default:
		return fmt.Errorf("%w: this needs version %d (PG%[2]d_BINDIR)", ErrMissing, version)
	}
}

func oneVersion(version int) []string {
	if dir := os.Getenv(fmt.Sprintf("PG%d_BINDIR", version)); dir != "" {
		return []string{dir}
	}
	candidates := []string{fmt.Sprintf("/usr/lib/postgresql/%d/bin", version)}
	if version == packaged {
		for _, cache := range caches() {
			candidates = append(candidates, filepath.Join(cache, "postgres18", "native", "bin"))
		}
	}
	return candidates
}

// caches are where hack/postgres18/install.sh puts PostgreSQL: root's copy is where
// others can read it.
func caches() []string {
	if dir := os.Getenv("SALLYPORT_CACHE"); dir != "" {
		return []string{dir}
	}
	var list []string
	if user, err := os.UserCacheDir(); err == nil && os.Geteuid() != 0 {
		list = append(list, filepath.Join(user, "sallyport"))
	}
	return append(list, "/var/cache/sallyport")
}

func anyVersion() []string {
	if dir := os.Getenv("PG_BINDIR"); dir != "" {
		return []string{dir}
	}
	var candidates []string
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		candidates = append(candidates, strings.TrimSpace(string(out)))
	}
	debian, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	sort.Slice(debian, func(i, j int) bool { return folderVersion(debian[i]) > folderVersion(debian[j]) })
	return append(candidates, debian...)
}

func folderVersion(dir string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
	return n
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir() && info.Mode()&0o111 != 0
}
