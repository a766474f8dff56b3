package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/hack/cluster/internal/component"
	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
	"github.com/sallyport/sallyport/hack/cluster/internal/sandbox"
	"github.com/sallyport/sallyport/hack/images/archive"
)

func loadImages(ctx context.Context, c layout.Cluster, args []string) error {
	if len(args) == 0 {
		return errors.New("load-image: want docker archives, as hack/images/images.sh makes them")
	}
	record, err := c.Running()
	if err != nil {
		return err
	}
	for _, path := range args {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		err = importImage(ctx, c, record, file)
		_ = file.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// importImage hands an archive to containerd by a pipe: inside the cluster its
// path may be another file's.
func importImage(ctx context.Context, c layout.Cluster, r layout.Record, from io.Reader) error {
	snapshotter, err := component.Snapshotter(c)
	if err != nil {
		return err
	}
	_, err = ctr(ctx, r, from, "images", "import", "--snapshotter", snapshotter, "-")
	return err
}

func importPause(ctx context.Context, c layout.Cluster, r layout.Record, binary string) error {
	var tar bytes.Buffer
	image := archive.Image{
		Name:       layout.PauseImage,
		Files:      []archive.File{{Source: binary, Target: "/pause", Mode: 0o755}},
		Entrypoint: []string{"/pause"},
		User:       archive.Nonroot,
	}
	if err := image.Write(&tar); err != nil {
		return err
	}
	return importImage(ctx, c, r, &tar)
}

func hasImage(ctx context.Context, r layout.Record, name string) (bool, error) {
	names, err := ctr(ctx, r, nil, "images", "list", "--quiet")
	return slices.Contains(strings.Fields(names), name), err
}

func ctr(ctx context.Context, r layout.Record, stdin io.Reader, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	full := append([]string{"ctr", "--address", layout.ContainerdSocket, "--namespace", layout.ContainerdSpace}, args...)
	command := sandbox.Command(ctx, r, full...)
	command.Stdin = stdin
	var output, problem bytes.Buffer
	command.Stdout, command.Stderr = &output, &problem
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("ctr %s: %w: %s", args[0], err, strings.TrimSpace(problem.String()))
	}
	return output.String(), nil
}
