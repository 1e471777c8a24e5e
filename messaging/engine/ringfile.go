// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/quorate/quorate/internal/atomicfile"
	"github.com/quorate/quorate/messaging"
)

// A RingFile is the ring sequence number in a file, as corosync keeps it:
// `ringid_<node>` with eight bytes.
type RingFile struct {
	path string
	wall func() time.Time
}

// NewRingFile names the file of a node in the state folder. wall is asked only
// where the file is lost.
func NewRingFile(dir string, self messaging.NodeID, wall func() time.Time) *RingFile {
	return &RingFile{path: filepath.Join(dir, fmt.Sprintf("ringid_%d", self)), wall: wall}
}

// Load reads the number. Where there is none it is made from the calendar, which
// only grows: a ring id must never be used twice.
func (f *RingFile) Load() (uint64, error) {
	b, err := os.ReadFile(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(filepath.Dir(f.path)); errors.Is(err, fs.ErrNotExist) {
			if err := os.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
				return 0, fmt.Errorf("engine: make the state folder: %w", err)
			}
		}
		return 0, f.Save(0)
	case err != nil:
		return 0, fmt.Errorf("engine: read the ring id: %w", err)
	case len(b) != 8:
		return uint64(max(f.wall().Unix(), 0)) << 8, nil
	}
	return binary.LittleEndian.Uint64(b), nil
}

// Save replaces the file; the number is durable when it returns.
func (f *RingFile) Save(seq uint64) error {
	if err := atomicfile.WriteFile(f.path, binary.LittleEndian.AppendUint64(nil, seq), 0o600); err != nil {
		return fmt.Errorf("engine: save the ring id: %w", err)
	}
	return nil
}
