// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package secret

import (
	"crypto/md5" //nolint:gosec // the format
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func put(t *testing.T, dir, resource, name, text, sum string) {
	t.Helper()
	path := filepath.Join(dir, resource, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(path, []byte(text+"\n"), 0o600), os.WriteFile(path+".sign", []byte(sum+"\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func md5sum(s string) string {
	b := md5.Sum([]byte(s)) //nolint:gosec // the format
	return hex.EncodeToString(b[:])
}

func TestSecretsTakeTheirPlaces(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "db", "passwd", "geheim", md5sum("geheim"))
	params := map[string]string{"passwd": "lrm://", "user": "root"}
	got, err := Resolve(dir, "db:1", params)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"passwd": "geheim", "user": "root"}, got); d != "" {
		t.Error(d)
	}
	if params["passwd"] != "lrm://" {
		t.Error("the caller's parameters were changed")
	}
	if got, err := Resolve(dir, "web", map[string]string{"ip": "192.0.2.1"}); err != nil || got["ip"] != "192.0.2.1" {
		t.Error(got, err)
	}
}

func TestMissingAndSpoiledSecretsAreErrors(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "db", "bad", "geheim", md5sum("other"))
	put(t, dir, "db", "huge", strings.Repeat("x", maxSecret+1), "")
	for _, c := range [][2]string{{"db", "bad"}, {"db", "huge"}, {"db", "none"}, {"..", "db"}, {"db", "../db/bad"}} {
		if got, err := Resolve(dir, c[0], map[string]string{c[1]: "lrm://"}); !errors.Is(err, ErrMissing) {
			t.Errorf("%v: %v, %v", c, got, err)
		}
	}
}
