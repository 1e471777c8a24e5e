// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package corosync

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/quorate/quorate/internal/atomicfile"
	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/messaging/auth"
)

const keygenUsage = `Usage: corosync-keygen [-k <keyfile>] [-s size] [-m <randomfile>] [-l] [-h]
     -k / --key-file=<filename> -  Write to the specified keyfile
            instead of the default /etc/corosync/authkey.
     -r / --random-file -  Random number source file. Default is 
            /dev/urandom. As an example /dev/random may be requested
            (that may require user input for entropy).
     -l / --less-secure - Not used, option is kept only
            for compatibility.
     -s / --size -  Length of key.
     -h / --help -  Print basic usage.

`

// Exit codes of corosync-keygen.
const (
	keygenArguments = 1
	keygenCreate    = 2
	keygenWrite     = 4
)

func runKeygen(_ context.Context, tool *cli.IO, args []string) int {
	path, source, size := tool.Paths.Authkey(), "/dev/urandom", auth.DefaultKey
	opts, _, err := getopt("corosync-keygen", args, "k:s:r:lh", map[string]string{
		"key-file": "k", "size": "s", "random-file": "r", "less-secure": "l", "help": "h",
	})
	if err != nil {
		tool.Errorf("%s\n", err)
		tool.Printf("Error parsing command line options.\n")
		return keygenArguments
	}
	for _, o := range opts {
		switch o.name {
		case "k":
			path = o.arg
		case "r":
			source = o.arg
		case "s":
			n, err := strconv.Atoi(o.arg)
			if err != nil || n < auth.MinKey || n > auth.MaxKey {
				tool.Errorf("corosync-keygen: Unsupported key size (supported <%d,%d>)\n\n", auth.MinKey, auth.MaxKey)
				return keygenArguments
			}
			size = n
		case "h":
			tool.Printf("%s", keygenUsage)
			return exitOK
		}
	}
	return keygen(tool, path, source, size)
}

func keygen(tool *cli.IO, path, source string, size int) int {
	tool.Printf("Corosync Cluster Engine Authentication key generator.\n")
	tool.Printf("Gathering %d bits for key from %s.\n", size*8, source)
	key := make([]byte, size)
	f, err := os.Open(source)
	if err != nil {
		tool.Errorf("corosync-keygen: Failed to open random source: %s\n", reason(err))
		return keygenArguments
	}
	_, err = io.ReadFull(f, key)
	_ = f.Close()
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		tool.Errorf("corosync-keygen: Unexpected end of %s\n", source)
		return keygenArguments
	case err != nil:
		tool.Errorf("corosync-keygen: Could not read %s: %s\n", source, reason(err))
		return keygenArguments
	}
	if path == tool.Paths.Authkey() {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			tool.Errorf("corosync-keygen: Could not create %s: %s\n", filepath.Dir(path), reason(err))
			return keygenCreate
		}
	}
	if st, err := os.Stat(filepath.Dir(path)); err != nil || !st.IsDir() {
		tool.Errorf("corosync-keygen: Could not create %s: %s\n", path, reason(errors.Join(err)))
		return keygenCreate
	}
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		tool.Errorf("corosync-keygen: Could not create %s: Is a directory\n", path)
		return keygenCreate
	}
	tool.Printf("Writing corosync key to %s.\n", path)
	if err := atomicfile.WriteFile(path, key, 0o400); err != nil {
		tool.Errorf("corosync-keygen: Could not write %s: %s\n", path, reason(err))
		return keygenWrite
	}
	clear(key)
	return exitOK
}

// reason words an error as strerror(3) does.
func reason(err error) string {
	var errno syscall.Errno
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "No such file or directory"
	case errors.Is(err, fs.ErrPermission):
		return "Permission denied"
	case errors.As(err, &errno):
		return errno.Error()
	case err == nil:
		return "Not a directory"
	}
	return err.Error()
}
