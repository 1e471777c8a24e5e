// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/quorate/quorate/internal/ipc"
	"github.com/quorate/quorate/messaging/cmap"
	"github.com/quorate/quorate/messaging/conf"
)

// access writes a corosync.conf and files beside it, and loads them.
func access(t *testing.T, main string, files map[string]string) (*conf.Config, error) {
	t.Helper()
	dir := t.TempDir()
	write := func(path, text string) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(dir, "corosync.conf"), "totem {\n\tversion: 2\n\ttransport: udp\n\tinterface {\n\t\tbindnetaddr: 127.0.0.0\n\t}\n}\n"+main)
	for name, text := range files {
		write(filepath.Join(dir, "uidgid.d", name), text)
	}
	return conf.Load(filepath.Join(dir, "corosync.conf"))
}

func TestUsersAndGroupsAreThoseOfTheFileAndTheFolder(t *testing.T) {
	c, err := access(t, "uidgid {\n\tuid: 1001\n\tgid: root\n}\n", map[string]string{
		"b": "uidgid {\n\tgid: 4242\n}\n", "a": "# of a package\nuidgid {\n\tuid: root\n}\nuidgid {\n\tuid: 7\n}\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := accessKeys(c)
	if err != nil {
		t.Fatal(err)
	}
	m := cmap.New()
	if err := m.SetAll(keys); err != nil {
		t.Fatal(err)
	}
	want := "[{uidgid.config.gid.0 u8 1} {uidgid.config.gid.4242 u8 1} {uidgid.config.uid.0 u8 1} {uidgid.config.uid.1001 u8 1} {uidgid.config.uid.7 u8 1}]"
	if got := fmt.Sprint(m.Prefix("uidgid.")); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	allowed := Allowed(m)
	if err := m.Set(cmap.Uint("uidgid.uid.55", 8, 1)); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		cred ipc.Cred
		want bool
	}{
		{ipc.Cred{UID: 1001, GID: 9}, true},
		{ipc.Cred{UID: 1002, GID: 9}, false},
		{ipc.Cred{UID: 1002, GID: 4242}, true},
		{ipc.Cred{UID: 1002, GID: 9, Groups: []uint32{8, 4242}}, true},
		{ipc.Cred{UID: 4242, GID: 9}, false},
		{ipc.Cred{UID: 55, GID: 9}, true},
	} {
		if got := allowed(tc.cred); got != tc.want {
			t.Errorf("%+v: %v", tc.cred, got)
		}
	}
}

func TestFaultsOfUsersAndGroupsHaveTheirLine(t *testing.T) {
	for _, tc := range []struct{ main, file, want string }{
		{"uidgid {\n\tuid: nobody-of-that-name\n}\n", "", "corosync.conf:9: uid: nobody-of-that-name is not known on this machine"},
		{"", "uidgid {\n\tgid: no-such-group\n}\n", "uidgid.d/x:2: gid: no-such-group is not known on this machine"},
		{"", "uidgid {\n\tuser: x\n}\n", "uidgid.d/x:2: uidgid: Only uid and gid are allowed items"},
		{"", "totem {\n}\n", "uidgid.d/x:1: totem: only uidgid sections are allowed in this file"},
		{"", "uidgid {\n", "uidgid.d/x:1: Missing closing brace"},
	} {
		files := map[string]string{}
		if tc.file != "" {
			files["x"] = tc.file
		}
		c, err := access(t, tc.main, files)
		if err == nil {
			_, err = accessKeys(c)
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v, want %s", err, tc.want)
		}
	}
}

func TestSocketIsOpenWhileSomebodyIsLetIn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "messagingd.sock")
	if err := os.Mkdir(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chmod(path, closedSocket)); err != nil { // for its mode
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		m := cmap.New()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- KeepSocket(ctx, m, path) }()
		modes := func(want string) {
			t.Helper()
			synctest.Wait()
			dir, err := os.Stat(filepath.Dir(path))
			if err != nil {
				t.Fatal(err)
			}
			file, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprintf("%o %o", dir.Mode().Perm(), file.Mode().Perm()); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
		modes("750 660")
		if err := m.Set(cmap.Uint("uidgid.config.uid.7", 8, 1)); err != nil {
			t.Fatal(err)
		}
		modes("751 666")
		m.Delete("uidgid.config.uid.7")
		modes("751 660")
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
