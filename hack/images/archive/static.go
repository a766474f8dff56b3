package archive

import (
	"bytes"
	"debug/elf"
	"fmt"
)

// checkStatic refuses a program that needs a loader: the image has none, and at
// run time the error would be a puzzling "no such file or directory".
func checkStatic(path string, contents []byte) error {
	if !bytes.HasPrefix(contents, []byte(elf.ELFMAG)) {
		return nil
	}
	program, err := elf.NewFile(bytes.NewReader(contents))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, segment := range program.Progs {
		if segment.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is linked dynamically; an image needs a static binary (CGO_ENABLED=0, or -linkmode external -extldflags -static)", path)
		}
	}
	return nil
}
