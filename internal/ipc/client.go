// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package ipc

import (
	"context"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/experimental"
)

// Reconnection of a client. A daemon that died is back within moments, and what
// waits for it is failover; so the delays are short and bounded low.
const (
	dialBase    = 10 * time.Millisecond
	dialMax     = 250 * time.Millisecond
	dialFactor  = 1.6
	dialJitter  = 0.2
	dialTimeout = 2 * time.Second
)

// Dial returns a connection to the daemon at a Unix socket. It connects at the
// first call and again whenever the daemon has gone; a call while the daemon is
// away fails at once with Unavailable. The server must run as root, as the
// daemons' user or as the caller's.
func Dial(path string) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient("passthrough:///"+path,
		grpc.WithContextDialer(dialUnix),
		grpc.WithTransportCredentials(peerTransport{trusted: trustedServer()}),
		grpc.WithAuthority("localhost"),
		grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(),
		grpc.WithInitialWindowSize(windowBytes),
		grpc.WithInitialConnWindowSize(windowBytes),
		experimental.WithBufferPool(&buffers),
		grpc.WithReadBufferSize(bufferBytes),
		grpc.WithWriteBufferSize(bufferBytes),
		grpc.WithIdleTimeout(0),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: dialBase, Multiplier: dialFactor, Jitter: dialJitter, MaxDelay: dialMax},
			MinConnectTimeout: dialTimeout,
		}),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(MaxMessage),
			grpc.MaxCallSendMsgSize(MaxMessage),
		),
	)
	if err != nil {
		return nil, fmt.Errorf("ipc: dial %s: %w", path, err)
	}
	return conn, nil
}

func dialUnix(ctx context.Context, path string) (net.Conn, error) {
	addr, done, err := sockAddr(path)
	if err != nil {
		return nil, err
	}
	defer done()
	var d net.Dialer
	return d.DialContext(ctx, "unix", addr.Name)
}
