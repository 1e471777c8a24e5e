// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package ipc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// A Cred is what the kernel knows of the process at the other end of a
// connection, as of the moment when the connection was made.
type Cred struct {
	UID, GID uint32
	PID      int32
	Groups   []uint32 // supplementary groups
}

// maxGroups bounds the supplementary groups that are read; the kernel allows
// 65536.
const maxGroups = 65536

// PeerCred returns the credentials of the caller whose request ctx belongs to.
func PeerCred(ctx context.Context) (Cred, bool) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return Cred{}, false
	}
	info, ok := p.AuthInfo.(authInfo)
	return info.Cred, ok
}

type authInfo struct {
	credentials.CommonAuthInfo
	Cred
}

func (authInfo) AuthType() string { return "unix-peercred" }

// readCred asks the kernel about the peer of c, which must be a Unix socket.
func readCred(c net.Conn) (authInfo, error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return authInfo{}, errors.New("ipc: not a unix socket")
	}
	rc, err := u.SyscallConn()
	if err != nil {
		return authInfo{}, fmt.Errorf("ipc: reach socket: %w", err)
	}
	var cred Cred
	var inner error
	err = rc.Control(func(fd uintptr) {
		var uc *unix.Ucred
		if uc, inner = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); inner != nil {
			return
		}
		cred = Cred{UID: uc.Uid, GID: uc.Gid, PID: uc.Pid}
		cred.Groups, inner = peerGroups(fd)
	})
	if err := errors.Join(err, inner); err != nil {
		return authInfo{}, fmt.Errorf("ipc: read peer credentials: %w", err)
	}
	return authInfo{
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
		Cred:           cred,
	}, nil
}

// peerGroups reads SO_PEERGROUPS, for which x/sys has no wrapper. The kernel
// answers ERANGE and the size it needs when the buffer is too small.
func peerGroups(fd uintptr) ([]uint32, error) {
	buf := make([]uint32, 64)
	for {
		size := uint32(len(buf) * 4)
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&buf[0])), uintptr(unsafe.Pointer(&size)), 0)
		n := int(size / 4)
		switch {
		case errno == 0:
			return buf[:n], nil
		case errno == unix.ERANGE && n > len(buf) && n <= maxGroups:
			buf = make([]uint32, n)
		default:
			return nil, errno
		}
	}
}

// peerTransport is the transport security of both sides: none on the wire,
// which is inside the kernel, but each side knows the other.
type peerTransport struct {
	// trusted tells a client whether a server may run as uid; nil on a server.
	trusted func(uid uint32) bool
}

func (t peerTransport) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	info, err := readCred(c)
	return c, info, err
}

func (t peerTransport) ClientHandshake(_ context.Context, _ string, c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	info, err := readCred(c)
	if err == nil && (t.trusted == nil || !t.trusted(info.UID)) {
		err = fmt.Errorf("ipc: server runs as uid %d, which is not trusted", info.UID)
	}
	return c, info, err
}

func (t peerTransport) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "unix-peercred"}
}

func (t peerTransport) Clone() credentials.TransportCredentials { return t }

func (t peerTransport) OverrideServerName(string) error { return nil }

// trustedServer accepts root, the daemons' user and the caller's own user.
var trustedServer = sync.OnceValue(func() func(uint32) bool {
	own := uint32(os.Geteuid())
	hacluster, ok := lookupUser(UserName)
	return func(uid uint32) bool {
		return uid == 0 || uid == own || ok && uid == hacluster
	}
})
