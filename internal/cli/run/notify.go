// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package run

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
)

// A notifySocket takes the sd_notify(3) messages of one child.
type notifySocket struct {
	path  string
	conn  *net.UnixConn
	ready chan struct{} // closed at the first READY=1
	once  sync.Once
}

// maxNotify bounds one message; longer ones are cut by the kernel.
const maxNotify = 4096

func listenNotify(dir, name string) (*notifySocket, error) {
	path := filepath.Join(dir, name+".notify")
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("quorate run: %w", err)
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("quorate run: %w (is the path of the node's root too long?)", err)
	}
	n := &notifySocket{path: path, conn: conn, ready: make(chan struct{})}
	go n.read()
	return n, nil
}

func (n *notifySocket) read() {
	buf := make([]byte, maxNotify)
	for {
		k, err := n.conn.Read(buf)
		if err != nil {
			return
		}
		for line := range bytes.SplitSeq(buf[:k], []byte("\n")) {
			if string(line) == "READY=1" {
				n.once.Do(func() { close(n.ready) })
			}
		}
	}
}

func (n *notifySocket) close() {
	n.conn.Close()
	_ = os.Remove(n.path)
}
