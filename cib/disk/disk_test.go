// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package disk

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/beevik/etree"
	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/cib/document"
)

func doc(epoch uint64) *etree.Element {
	root := document.Empty("")
	document.SetVersions(root, 0, epoch, 7)
	document.Add(document.Section(root, "status"), "node_state", "id", "1")
	return root
}

func epoch(t *testing.T, root *etree.Element) uint64 {
	t.Helper()
	if root == nil {
		t.Fatal("no document")
	}
	_, e, _ := document.Versions(root)
	return e
}

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir, 5)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWhatIsSavedIsLoadedWithoutStatus(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "cib"))
	if root, notes := s.Load(); root != nil || len(notes) != 0 {
		t.Fatalf("an empty folder gives %v, %v", root, notes)
	}
	for e := range uint64(12) {
		if err := s.Save(doc(e)); err != nil {
			t.Fatal(err)
		}
	}
	root, notes := open(t, s.dir).Load()
	if epoch(t, root) != 11 || len(notes) != 0 {
		t.Errorf("epoch %d, %v", epoch(t, root), notes)
	}
	if len(document.Child(root, "status").Child) != 0 {
		t.Error("the status was stored")
	}
	if raws, _ := filepath.Glob(filepath.Join(s.dir, "cib-*.raw")); len(raws) != 5 {
		t.Errorf("%d older files are kept, want 5", len(raws))
	}
	if info, err := os.Stat(s.path()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestADamagedFileGivesWayToTheNewestGoodOne(t *testing.T) {
	for name, harm := range map[string]func(string) error{
		"flipped bit": func(p string) error { return alter(p, func(b []byte) []byte { b[len(b)/2] ^= 1; return b }) },
		"truncated":   func(p string) error { return alter(p, func(b []byte) []byte { return b[:len(b)/2] }) },
		"empty":       func(p string) error { return os.Truncate(p, 0) },
		"edited": func(p string) error {
			return alter(p, func(b []byte) []byte { return []byte(strings.Replace(string(b), `epoch="3"`, `epoch="9"`, 1)) })
		},
		"symbolic link": func(p string) error { return errors.Join(os.Remove(p), os.Symlink("/etc/passwd", p)) },
		"pipe":          func(p string) error { return errors.Join(os.Remove(p), unix.Mkfifo(p, 0o600)) },
		"folder":        func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o700)) },
		"no CIB":        func(p string) error { return os.WriteFile(p, []byte("<other/>"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir())
			for e := range uint64(4) {
				if err := s.Save(doc(e)); err != nil {
					t.Fatal(err)
				}
			}
			if err := harm(s.path()); err != nil {
				t.Fatal(err)
			}
			root, notes := s.Load()
			if epoch(t, root) != 2 || len(notes) != 2 || notes[0].Err == nil {
				t.Errorf("epoch %d, %v", epoch(t, root), notes)
			}
			if aside, _ := filepath.Glob(s.path() + ".broken.*"); len(aside) != 1 {
				t.Errorf("set aside: %v", aside)
			}
			if err := s.Save(doc(7)); err != nil {
				t.Fatal(err)
			}
			if root, notes := s.Load(); epoch(t, root) != 7 || len(notes) != 0 {
				t.Errorf("after a save: %v", notes)
			}
		})
	}
}

func alter(path string, f func([]byte) []byte) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, f(b), 0o600)
}

func TestNothingGoodIsAnEmptyStartThatIsTold(t *testing.T) {
	s := open(t, t.TempDir())
	for _, f := range []string{"cib.xml", "cib-0.raw", "cib-1.raw"} {
		if err := os.WriteFile(filepath.Join(s.dir, f), []byte("junk"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	root, notes := s.Load()
	if root != nil || len(notes) != 4 || !strings.Contains(notes[3].Text, "empty configuration") {
		t.Errorf("%v, %v", root, notes)
	}
}

func TestAMissingFileGivesWayToo(t *testing.T) {
	s := open(t, t.TempDir())
	for e := range uint64(3) {
		if err := s.Save(doc(e)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(s.path()); err != nil {
		t.Fatal(err)
	}
	if root, notes := s.Load(); epoch(t, root) != 1 || len(notes) != 2 {
		t.Errorf("epoch %d, %v", epoch(t, root), notes)
	}
}

func TestAFileWithoutDigestIsAccepted(t *testing.T) {
	s := open(t, t.TempDir())
	if err := os.WriteFile(s.path(), document.Format(doc(42)), 0o600); err != nil {
		t.Fatal(err)
	}
	if root, notes := s.Load(); epoch(t, root) != 42 || len(notes) != 0 {
		t.Errorf("epoch %d, %v", epoch(t, root), notes)
	}
}

func TestNoRoomIsTold(t *testing.T) {
	s := open(t, t.TempDir())
	if err := s.Room(100); err != nil {
		t.Fatal(err)
	}
	if err := s.Room(1 << 60); !errors.Is(err, ErrFull) {
		t.Errorf("%v", err)
	}
	gone := open(t, filepath.Join(t.TempDir(), "x"))
	if err := os.Remove(gone.dir); err != nil {
		t.Fatal(err)
	}
	if err := gone.Save(doc(1)); err == nil {
		t.Error("saved into a folder that is gone")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Encode(doc(1)))
	f.Add([]byte(`<cib/>`))
	f.Fuzz(func(t *testing.T, in []byte) {
		root, err := Decode(in)
		if err != nil {
			return
		}
		back, err := Decode(Encode(root))
		if err != nil || back.Tag != "cib" {
			t.Fatalf("%q: %v", in, err)
		}
	})
}

func BenchmarkSave(b *testing.B) {
	s, err := Open(b.TempDir(), 0)
	if err != nil {
		b.Fatal(err)
	}
	root := doc(1)
	for i := range 200 {
		document.Add(document.Section(root, "resources"), "primitive", "id", "r"+strconv.Itoa(i), "class", "lsb", "type", "x")
	}
	for b.Loop() {
		if err := s.Save(root); err != nil {
			b.Fatal(err)
		}
	}
}
