// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package archive

import (
	"bytes"
	"compress/bzip2"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

func open(t *testing.T, dir string) *Archive {
	t.Helper()
	a, err := New(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestInputsAreNumberedAcrossRestarts(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		a := open(t, dir)
		data := []byte("<cib epoch=\"" + strconv.Itoa(i) + "\"/>")
		path := a.Save(Input, 4000, data)
		if again := a.Save(Input, 4000, data); again != path {
			t.Errorf("the same input went to %s and %s", path, again)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		if want := filepath.Join(dir, "pe-input-"+strconv.Itoa(i)+".bz2"); path != want {
			t.Errorf("input %d went to %s", i, path)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(bzip2.NewReader(bytes.NewReader(text))); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s reads %q, %v", path, got, err)
		}
	}
}

func TestSeriesBeginsAnewAfterItsMaximum(t *testing.T) {
	a := open(t, t.TempDir())
	var names []string
	for i := range 4 {
		names = append(names, filepath.Base(a.Save(Warn, 3, []byte{byte(i)})))
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if names[2] != "pe-warn-2.bz2" || names[3] != "pe-warn-0.bz2" {
		t.Errorf("names are %v", names)
	}
	if path := a.Save(Error, 0, []byte("x")); path != "" && filepath.Base(path) == "pe-error-0.bz2" {
		t.Errorf("an input of a series of none went to %s", path)
	}
}
