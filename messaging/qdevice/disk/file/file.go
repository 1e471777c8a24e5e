// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/messaging/qdevice/disk"
)

// A Store is the shared disk; tests have others.
type Store interface {
	// Read fills the buffer from the disk's beginning.
	Read(b []byte) error
	// Write puts a block in its place; it is on the disk when Write returns.
	Write(block int, data []byte) error
	Close() error
}

// A shared is a file or block device.
type shared struct {
	f      *os.File
	direct bool
}

// Open opens a file or block device of all nodes. It must be there and large
// enough: a file made by each node for itself, because a file system was not
// mounted, would be worse than none.
func Open(path string) (s Store, direct bool, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_DSYNC|unix.O_DIRECT, 0)
	direct = err == nil
	if errors.Is(err, unix.EINVAL) {
		f, err = os.OpenFile(path, os.O_RDWR|unix.O_DSYNC, 0)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, fmt.Errorf("file: quorum disk: %w (make a file with: truncate -s 2M %s, on a file system that all nodes share)", err, path)
	}
	if err != nil {
		return nil, false, fmt.Errorf("file: open the quorum disk: %w", err)
	}
	size, err := f.Seek(0, 2)
	if err == nil && size < disk.Blocks*disk.BlockSize {
		err = fmt.Errorf("%s has %d bytes, %d are needed", path, size, disk.Blocks*disk.BlockSize)
	}
	if err != nil {
		return nil, false, errors.Join(fmt.Errorf("file: quorum disk: %w", err), f.Close())
	}
	return &shared{f, direct}, direct, nil
}

func (s *shared) Close() error { return s.f.Close() }

func (s *shared) Read(b []byte) error {
	buf := b
	if s.direct {
		buf = aligned(len(b))
	}
	if _, err := s.f.ReadAt(buf, 0); err != nil {
		return fmt.Errorf("file: read the quorum disk: %w", err)
	}
	copy(b, buf)
	return nil
}

func (s *shared) Write(block int, data []byte) error {
	buf := data
	if s.direct {
		buf = aligned(len(data))
		copy(buf, data)
	}
	if _, err := s.f.WriteAt(buf, int64(block)*disk.BlockSize); err != nil {
		return fmt.Errorf("file: write the quorum disk: %w", err)
	}
	return nil
}

// aligned makes a buffer that O_DIRECT takes.
func aligned(n int) []byte {
	b := make([]byte, n+disk.BlockSize)
	off := disk.BlockSize - int(uintptr(unsafe.Pointer(&b[0]))%disk.BlockSize)
	return b[off%disk.BlockSize : off%disk.BlockSize+n : off%disk.BlockSize+n]
}
