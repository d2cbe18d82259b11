// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// copyTree copies a directory. Blocks of zeros become holes: etcd's log is
// laid out at full length before it is written.
func copyTree(from, to string) error {
	return filepath.WalkDir(from,
		func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			name, err := filepath.Rel(from, path)
			if err != nil {
				return err
			}
			target := filepath.Join(to, name)
			if entry.IsDir() {
				return os.MkdirAll(target, 0o700)
			}
			if !entry.Type().IsRegular() {
				return nil
			}
			return copyFile(path, target)
		})
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	size, err := copySparse(in, out)
	if err == nil {
		err = out.Truncate(size)
	}
	if closed := out.Close(); err == nil {
		err = closed
	}
	return err
}

func copySparse(in io.Reader, out io.WriterAt) (int64, error) {
	block, zeros := make([]byte, 1<<16), make([]byte, 1<<16)
	var at int64
	for {
		n, err := io.ReadFull(in, block)
		if n > 0 && !bytes.Equal(block[:n], zeros[:n]) {
			if _, err := out.WriteAt(block[:n], at); err != nil {
				return at, err
			}
		}
		at += int64(n)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return at, nil
		}
		if err != nil {
			return at, err
		}
	}
}
