// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package ocf

import (
	"path/filepath"
	"slices"
	"strings"
)

// Where agents are: those of the distribution, then the copies that Quorate
// ships for machines that have none.
const (
	installedDir = "/usr/lib/ocf/resource.d"
	shippedDir   = "/usr/lib/quorate/ocf"
)

// Dirs returns the folders to look for agents in, for a node whose paths are
// under root ("" is /). An agent path (folders separated by colons, as in
// OCF_RA_PATH) takes the place of the distribution's. A relocated node falls
// back to the machine's agents.
func Dirs(root, agentPath string) []string {
	var dirs []string
	if agentPath != "" {
		dirs = slices.DeleteFunc(strings.Split(agentPath, ":"), func(d string) bool { return !filepath.IsAbs(d) })
	} else {
		dirs = append(dirs, filepath.Join(root, installedDir))
	}
	if root == "" || root == "/" {
		return append(dirs, shippedDir)
	}
	dirs = append(dirs, filepath.Join(root, shippedDir))
	for _, d := range []string{installedDir, shippedDir} {
		if !slices.Contains(dirs, d) {
			dirs = append(dirs, d)
		}
	}
	return dirs
}
