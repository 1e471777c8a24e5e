// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package disk

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/beevik/etree"
	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/internal/atomicfile"
)

// Bounds of what is kept.
const (
	DefaultBackups = 100
	maxBroken      = 10
	maxFile        = 80 << 20
	reserve        = 64 << 10 // free bytes that a write leaves
)

// Errors of the store.
var (
	// ErrDamaged: a file is no CIB, or not what was written.
	ErrDamaged = errors.New("disk: damaged CIB file")
	// ErrFull: there is no room for another document.
	ErrFull = errors.New("disk: no space left for the CIB")
)

// A Store is the folder of one node's CIB.
type Store struct {
	dir     string
	backups int
	next    int // number of the next cib-N.raw
}

// A Note tells what Load met.
type Note struct {
	File string
	Text string
	Err  error
}

// Open makes the folder if need be. backups is how many older documents are
// kept, 0 the default.
func Open(dir string, backups int) (*Store, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("disk: make CIB folder: %w", err)
	}
	if backups <= 0 {
		backups = DefaultBackups
	}
	return &Store{dir: dir, backups: backups}, nil
}

func (s *Store) path() string { return filepath.Join(s.dir, "cib.xml") }

// Load gives the newest undamaged document, nil where there is none.
func (s *Store) Load() (*etree.Element, []Note) {
	var notes []Note
	older := s.older()
	s.next = 0
	if len(older) > 0 {
		s.next = (older[0].n + 1) % s.backups
	}
	s.tidy()
	root, err := Read(s.path())
	switch {
	case err == nil:
		return root, nil
	case errors.Is(err, fs.ErrNotExist):
		if len(older) == 0 {
			return nil, nil
		}
		notes = append(notes, Note{s.path(), "cib file is missing", err})
	default:
		aside := s.setAside()
		notes = append(notes, Note{s.path(), "cib file is damaged and set aside as " + filepath.Base(aside), err})
	}
	for _, o := range older {
		root, err := Read(filepath.Join(s.dir, o.name))
		if err == nil {
			return root, append(notes, Note{o.name, "older cib file is used", nil})
		}
		notes = append(notes, Note{o.name, "older cib file is damaged", err})
	}
	return nil, append(notes, Note{s.dir, "no undamaged cib file is left, beginning with an empty configuration", nil})
}

type backup struct {
	name string
	n    int
	time int64
}

// older lists the older documents, newest first.
func (s *Store) older() []backup {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil
	}
	var list []backup
	for _, e := range entries {
		num, ok := strings.CutPrefix(e.Name(), "cib-")
		if !ok {
			continue
		}
		num, ok = strings.CutSuffix(num, ".raw")
		n, err := strconv.Atoi(num)
		if !ok || err != nil || n < 0 {
			continue
		}
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		list = append(list, backup{e.Name(), n, info.ModTime().UnixNano()})
	}
	slices.SortFunc(list, func(a, b backup) int {
		if a.time != b.time {
			return int(min(1, max(-1, b.time-a.time)))
		}
		return b.n - a.n
	})
	return list
}

// tidy removes what an interrupted write left.
func (s *Store) tidy() {
	left, err := filepath.Glob(filepath.Join(s.dir, ".cib.xml.*"))
	if err != nil {
		return
	}
	for _, f := range left {
		_ = os.Remove(f) // a leftover that stays does no harm
	}
}

func (s *Store) setAside() string {
	to := s.path() + ".broken"
	for n := range maxBroken {
		name := fmt.Sprintf("%s.%d", to, n)
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) || n == maxBroken-1 {
			to = name
			break
		}
	}
	_ = os.Rename(s.path(), to) // if it fails, the next Save replaces the file
	return to
}

// Save replaces the stored document. When it returns nil, the document
// survives a power loss.
func (s *Store) Save(root *etree.Element) error {
	data := Encode(root)
	if err := s.Room(len(data)); err != nil {
		return err
	}
	if _, err := os.Lstat(s.path()); err == nil {
		old := filepath.Join(s.dir, fmt.Sprintf("cib-%d.raw", s.next))
		_ = os.Remove(old)
		// Without the link there is one older document less, no harm to this one.
		if os.Link(s.path(), old) == nil {
			s.next = (s.next + 1) % s.backups
		}
	}
	if err := atomicfile.WriteFile(s.path(), data, 0o600); err != nil {
		if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
			return fmt.Errorf("%w in %s: %w", ErrFull, s.dir, err)
		}
		return fmt.Errorf("disk: save CIB: %w", err)
	}
	return nil
}

// Room tells whether a document of n bytes can be stored, or why not.
func (s *Store) Room(n int) error {
	var st unix.Statfs_t
	if err := unix.Statfs(s.dir, &st); err != nil {
		return fmt.Errorf("disk: CIB folder %s is not usable: %w", s.dir, err)
	}
	free := st.Bavail
	if os.Geteuid() == 0 {
		free = st.Bfree
	}
	if free*uint64(st.Bsize) < uint64(n+reserve) || (st.Files > 0 && st.Ffree == 0) { //nolint:gosec // sizes are not negative
		return fmt.Errorf("%w in %s: free some and try again", ErrFull, s.dir)
	}
	return nil
}

const (
	sealBegin = "<!-- quorate sha256 "
	sealEnd   = " -->\n"
)

// Encode gives the content of a file: document without status, and digest.
func Encode(root *etree.Element) []byte {
	bare := *root
	bare.Child = nil
	for _, t := range root.Child {
		if e, ok := t.(*etree.Element); ok && e.Tag == "status" {
			t = document.New("status")
		}
		bare.Child = append(bare.Child, t)
	}
	data := document.Format(&bare)
	sum := sha256.Sum256(data)
	return append(data, sealBegin+hex.EncodeToString(sum[:])+sealEnd...)
}

// Decode is the way back; it verifies the digest if there is one.
func Decode(data []byte) (*etree.Element, error) {
	if i := bytes.LastIndex(data, []byte(sealBegin)); i >= 0 {
		want := string(bytes.TrimSpace(data[i+len(sealBegin):]))
		sum := sha256.Sum256(data[:i])
		if strings.TrimSuffix(want, " -->") != hex.EncodeToString(sum[:]) {
			return nil, fmt.Errorf("%w: the digest does not match: it was changed by hand or by a fault of the disk", ErrDamaged)
		}
	}
	root, err := document.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if root.Tag != "cib" {
		return nil, fmt.Errorf("%w: the root is %s, not cib", ErrDamaged, root.Tag)
	}
	return root, nil
}

// Read reads one file. It follows no symbolic link and waits for no pipe.
func Read(path string) (*etree.Element, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("disk: open: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("disk: stat: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fmt.Errorf("%w: %s is no file of at most %d bytes", ErrDamaged, path, maxFile)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, fmt.Errorf("disk: read %s: %w", path, err)
	}
	return Decode(data)
}
