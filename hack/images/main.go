// Command images makes container images from static binaries, as docker archives.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/hack/images/archive"
)

const usage = `usage: images build --name IMAGE:TAG --output FILE.tar --file SOURCE:TARGET[:MODE]...
                    [--entrypoint PATH]... [--env NAME=value]... [--user UID:GID]

Each --file is a file of the image; MODE is octal, 755 unless given. Without
--entrypoint the first file is what runs. The user is 65532:65532 unless given.
`

func main() {
	if len(os.Args) < 2 || os.Args[1] != "build" {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if err := build(os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

type list []string

func (l *list) String() string { return strings.Join(*l, " ") }

// Set takes one value of a flag that may be repeated.
func (l *list) Set(value string) error {
	*l = append(*l, value)
	return nil
}

func build(args []string) error {
	var image archive.Image
	var files, entrypoint, env list
	flags := flag.NewFlagSet("build", flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	flags.StringVar(&image.Name, "name", "", "name and tag")
	flags.StringVar(&image.User, "user", archive.Nonroot, "account to run as")
	output := flags.String("output", "", "the archive to write")
	flags.Var(&files, "file", "SOURCE:TARGET[:MODE]")
	flags.Var(&entrypoint, "entrypoint", "what runs")
	flags.Var(&env, "env", "NAME=value")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if image.Name == "" || *output == "" || len(files) == 0 {
		return errors.New("want --name, --output and at least one --file")
	}
	for _, text := range files {
		file, err := parseFile(text)
		if err != nil {
			return err
		}
		image.Files = append(image.Files, file)
	}
	image.Entrypoint, image.Env = entrypoint, env
	if len(entrypoint) == 0 {
		image.Entrypoint = []string{image.Files[0].Target}
	}
	return write(image, *output)
}

func parseFile(text string) (archive.File, error) {
	parts := strings.Split(text, ":")
	if len(parts) < 2 || len(parts) > 3 || !filepath.IsAbs(parts[1]) {
		return archive.File{}, fmt.Errorf("--file %q: want SOURCE:/TARGET[:MODE]", text)
	}
	file := archive.File{Source: parts[0], Target: parts[1], Mode: 0o755}
	if len(parts) == 3 {
		mode, err := strconv.ParseInt(parts[2], 8, 32)
		if err != nil {
			return archive.File{}, fmt.Errorf("--file %q: the mode is not octal", text)
		}
		file.Mode = mode
	}
	return file, nil
}

// write leaves either a whole archive or none.
func write(image archive.Image, output string) error {
	if err := os.MkdirAll(filepath.Dir(output), 0o755); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(output), ".image-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	if err := errors.Join(image.Write(file), file.Close()); err != nil {
		return fmt.Errorf("%s: %w", image.Name, err)
	}
	if err := os.Chmod(file.Name(), 0o644); err != nil {
		return err
	}
	return os.Rename(file.Name(), output)
}
