// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package atomicfile

import (
	"os"
	"syscall"
)

// keepOwner gives f the owner and group of the file that it will replace. It is
// a courtesy: who may not do so keeps his own.
func keepOwner(f *os.File, old string) {
	fi, err := os.Stat(old)
	if err != nil {
		return
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		_ = f.Chown(int(st.Uid), int(st.Gid))
	}
}
