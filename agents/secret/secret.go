// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package secret

import (
	"crypto/md5" //nolint:gosec // the format of cibsecret; it finds copies cut short, not forgeries
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/quorate/quorate/agents"
)

const (
	// placeholder stands for a secret in the configuration.
	placeholder = "lrm://"
	// maxSecret bounds a secret in bytes.
	maxSecret = 64 << 10
)

// ErrMissing tells that a secret is not on this node, or not whole.
var ErrMissing = errors.New("secret: not available on this node")

// Resolve returns the parameters of a resource with its secrets in place; they
// are params itself where none is secret. Dir is the folder of the secrets.
func Resolve(dir, resource string, params map[string]string) (map[string]string, error) {
	var out map[string]string
	for name, value := range params {
		if value != placeholder {
			continue
		}
		s, err := read(dir, resource, name)
		if err != nil {
			return nil, err
		}
		if out == nil {
			out = maps.Clone(params)
		}
		out[name] = s
	}
	if out == nil {
		return params, nil
	}
	return out, nil
}

func read(dir, resource, name string) (string, error) {
	// Instances of a clone share the secrets of what is cloned.
	resource, _, _ = strings.Cut(resource, ":")
	if !agents.ValidName(resource) || !agents.ValidName(name) {
		return "", fmt.Errorf("%w: parameter %q of %q", ErrMissing, name, resource)
	}
	path := filepath.Join(dir, resource, name)
	text, err := readFile(path)
	if err != nil {
		return "", fmt.Errorf("%w: parameter %s of %s: %w", ErrMissing, name, resource, err)
	}
	sum, err := readFile(path + ".sign")
	if err != nil {
		return "", fmt.Errorf("%w: parameter %s of %s: %w", ErrMissing, name, resource, err)
	}
	want := md5.Sum([]byte(text)) //nolint:gosec // see the import
	if !strings.EqualFold(sum, hex.EncodeToString(want[:])) {
		return "", fmt.Errorf("%w: parameter %s of %s does not have the sum in %s.sign", ErrMissing, name, resource, path)
	}
	return text, nil
}

// readFile reads a file without the white space at its end.
func readFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", err
	}
	if len(b) > maxSecret {
		return "", fmt.Errorf("%s is larger than %d bytes", path, maxSecret)
	}
	return strings.TrimRight(string(b), " \t\r\n"), nil
}
