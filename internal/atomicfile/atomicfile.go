// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteFile replaces path by data with mode perm (not lessened by the umask):
// it writes a new file beside it, syncs it, renames it over path and syncs the
// folder. Owner and group of a file that is replaced are kept where the caller
// may do so. On an error path is as it was, except after a failed sync of the
// folder, when the new content is visible but may not survive a power loss.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("atomicfile: create beside %s: %w", path, err)
	}
	tmp := f.Name()
	if err := fill(f, data, perm, path); err != nil {
		return errors.Join(fmt.Errorf("atomicfile: write %s: %w", path, err), os.Remove(tmp))
	}
	if err := os.Rename(tmp, path); err != nil {
		return errors.Join(fmt.Errorf("atomicfile: replace %s: %w", path, err), os.Remove(tmp))
	}
	return SyncDir(dir)
}

// fill writes and syncs f and closes it in any case.
func fill(f *os.File, data []byte, perm fs.FileMode, old string) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Chmod(perm)
	}
	if err == nil {
		keepOwner(f, old)
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// SyncDir makes the names in a folder durable: files made, renamed or removed
// in it.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("atomicfile: open folder: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("atomicfile: sync folder %s: %w", dir, err)
	}
	return nil
}
