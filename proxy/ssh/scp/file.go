package scp

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/proxy/ssh/sftp"
)

// file hands on a file: no byte more than it announced.
func (r *relay) file(l *line, admission sftp.Admission, path string) error {
	if err := r.toTheSink(l.text); err != nil {
		return err
	}
	if ok, err := r.answer(); !ok {
		return errors.Join(r.done(admission, 0, "the other side refuses it"), err)
	}
	event := record.File{Operation: admission.Operation, Path: path, Op: "read", Direction: string(sftp.Download)}
	if r.Upload {
		event.Op, event.Direction = "write", string(sftp.Upload)
	}
	moved, sum, err := r.move(l.size, admission.Operation)
	event.Bytes, event.SHA256 = moved, sum
	failure := ""
	if err == nil {
		failure, err = r.after()
	}
	if err != nil {
		failure = "it ended before its end"
	}
	return errors.Join(r.Gate.File(event), r.done(admission, moved, failure), err)
}

// after is what both say of a file behind its end.
func (r *relay) after() (failure string, err error) {
	read, err := hand(r.source, r.toSink)
	if err != nil {
		return "", err
	}
	written, err := r.answer()
	switch {
	case err != nil:
		return "", err
	case !read:
		return "it could not be read whole", nil
	case !written:
		return "it could not be written whole", nil
	}
	return "", nil
}

// move hands on so many bytes, and hashes them; those to the target are recorded before.
func (r *relay) move(size, operation int64) (moved int64, sum string, err error) {
	if r.buffer == nil {
		r.buffer = make([]byte, bufferSize)
	}
	hash := sha256.New()
	keep := r.Gate.KeepBytes()
	for moved < size && err == nil {
		var n int
		if n, err = r.source.Read(r.buffer[:min(size-moved, bufferSize)]); n == 0 {
			continue
		}
		chunk := r.buffer[:n]
		_, _ = hash.Write(chunk)
		if moved < keep {
			if failed := r.Gate.Content(operation, chunk[:min(int64(n), keep-moved)]); failed != nil {
				return moved, "", failed
			}
		}
		if r.Upload {
			if failed := r.Gate.Stream(operation, int64(n), hex.EncodeToString(hash.Sum(nil))); failed != nil {
				return moved, "", failed
			}
		}
		if failed := r.toTheSink(chunk); failed != nil {
			return moved, "", failed
		}
		moved += int64(n)
	}
	if moved == size {
		err = nil
	}
	return moved, hex.EncodeToString(hash.Sum(nil)), err
}

// done records what came of an operation that was admitted.
func (r *relay) done(admission sftp.Admission, bytes int64, failure string) error {
	if admission.Operation == 0 {
		return nil
	}
	tag := "OK"
	if failure != "" {
		tag = "failed"
	}
	return r.Gate.Result(record.Result{Operation: admission.Operation, Tag: tag, Bytes: bytes, Error: failure})
}

// lastName is a path's, as scp tells it.
func lastName(path string) string {
	path = strings.TrimRight(path, "/")
	return path[strings.LastIndexByte(path, '/')+1:]
}
