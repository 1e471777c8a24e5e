// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// layer is the folder that holds what all nodes have and this machine has not.
// It is a file system of its own, because two lower layers of an overlay may not
// lie within each other, and the other one is this machine's root.
func (l *Lab) layer() string { return filepath.Join(l.dir, "layer") }

func (l *Lab) install(ctx context.Context) error {
	if err := os.Mkdir(l.layer(), 0o755); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	if err := unix.Mount("tmpfs", l.layer(), "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("lab: file system for the installation: %w", err)
	}
	cmd := exec.CommandContext(ctx, "cp", "-a", l.opt.Image+"/.", l.layer())
	if l.opt.Image == "" {
		top, err := moduleRoot()
		if err != nil {
			return err
		}
		cmd = exec.CommandContext(ctx, "make", "-s", "-C", top, "install", "DESTDIR="+l.layer(), "PREFIX=/usr")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("lab: %s: %w\n%s", cmd, err, out)
	}
	return writeFiles(l.layer(), commonFiles())
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("lab: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("lab: no go.mod above the working directory")
		}
		dir = up
	}
}

// A file is what a node is given before it boots.
type file struct {
	path string
	mode os.FileMode
	text string
}

func writeFiles(root string, files []file) error {
	for _, f := range files {
		p := filepath.Join(root, f.path)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			return fmt.Errorf("lab: %w", err)
		}
		// A symbolic link there (to /dev/null, to another unit) is replaced, not
		// followed out of the node.
		if err := os.RemoveAll(p); err != nil {
			return fmt.Errorf("lab: %w", err)
		}
		if err := os.WriteFile(p, []byte(f.text), f.mode); err != nil {
			return fmt.Errorf("lab: %w", err)
		}
		if err := os.Chmod(p, f.mode); err != nil {
			return fmt.Errorf("lab: %w", err)
		}
	}
	return nil
}
