// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package ipc

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// A direct connection carries one stream of one method: first a greeting, the
// magic and the method's full name behind its length, then frames in both
// directions: a kind (1 byte), a length (4 bytes, big endian), a protobuf message.
// gRPC's connections begin with 'P'.
const (
	directMagic = "QRT1"
	maxMethod   = 256
	frameHead   = 5
)

// The kinds of frames.
const (
	frameMessage = iota // a message of the method
	frameEnd            // a google.rpc.Status; the server's last
	frameDone           // empty; the client sends no more
)

// Buffers of a direct connection.
const (
	readAhead = 64 << 10
	// maxPending bounds the bytes that were sent and that the socket has not
	// taken; one message more than it fits.
	maxPending = 1 << 20
	// burst is the time between two messages below which they go out together.
	burst = 20 * time.Microsecond
)

// greet encodes the beginning of a connection.
func greet(method string) []byte {
	b := append([]byte(directMagic), 0, 0)
	binary.BigEndian.PutUint16(b[len(directMagic):], uint16(len(method)))
	return append(b, method...)
}

// readGreeting reads what follows the magic.
func readGreeting(r io.Reader) (string, error) {
	var head [len(directMagic) + 2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return "", fmt.Errorf("ipc: read greeting: %w", err)
	}
	n := int(binary.BigEndian.Uint16(head[len(directMagic):]))
	if string(head[:len(directMagic)]) != directMagic || n > maxMethod {
		return "", fmt.Errorf("ipc: not a greeting: %q", head)
	}
	name := make([]byte, n)
	if _, err := io.ReadFull(r, name); err != nil {
		return "", fmt.Errorf("ipc: read greeting: %w", err)
	}
	return string(name), nil
}

// appendFrame encodes a message behind b.
func appendFrame(b []byte, kind byte, m proto.Message) ([]byte, error) {
	at := len(b)
	b = append(b, kind, 0, 0, 0, 0)
	if m != nil {
		var err error
		if b, err = (proto.MarshalOptions{}).MarshalAppend(b, m); err != nil {
			return b[:at], fmt.Errorf("ipc: encode message: %w", err)
		}
	}
	size := len(b) - at - frameHead
	if size > MaxMessage {
		return b[:at], grpcstatus.Errorf(codes.ResourceExhausted, "ipc: message of %d bytes, the most is %d", size, MaxMessage)
	}
	binary.BigEndian.PutUint32(b[at+1:], uint32(size))
	return b, nil
}

// A frameReader reads frames. It is for one goroutine.
type frameReader struct{ r *bufio.Reader }

func newFrameReader(r io.Reader) frameReader { return frameReader{bufio.NewReaderSize(r, readAhead)} }

// errEnd is the end of a stream that ended well.
var errEnd = errors.New("ipc: end of stream")

// next reads one frame into m. At the end of the stream it gives the status as an
// error, errEnd if that is no error; io.EOF means that the connection ended.
func (f frameReader) next(m proto.Message) error {
	head, err := f.r.Peek(frameHead)
	if err != nil {
		return err
	}
	kind, size := head[0], int(binary.BigEndian.Uint32(head[1:]))
	if size > MaxMessage {
		return fmt.Errorf("ipc: frame of %d bytes, the most is %d", size, MaxMessage)
	}
	if _, err := f.r.Discard(frameHead); err != nil {
		return err
	}
	if size <= readAhead {
		body, err := f.r.Peek(size)
		if err != nil {
			return midway(err)
		}
		if err := decodeFrame(kind, body, m); err != nil {
			return err
		}
		_, err = f.r.Discard(size)
		return err
	}
	buf := buffers.Get(size)
	defer buffers.Put(buf)
	if _, err := io.ReadFull(f.r, *buf); err != nil {
		return midway(err)
	}
	return decodeFrame(kind, *buf, m)
}

// midway says that an end came within a frame.
func midway(err error) error {
	if err == io.EOF { //nolint:errorlint // what Peek gives is not wrapped
		return io.ErrUnexpectedEOF
	}
	return err
}

func decodeFrame(kind byte, body []byte, m proto.Message) error {
	switch kind {
	case frameMessage:
		if err := proto.Unmarshal(body, m); err != nil {
			return fmt.Errorf("ipc: decode message: %w", err)
		}
		return nil
	case frameDone:
		return errEnd
	case frameEnd:
		var s status.Status
		if err := proto.Unmarshal(body, &s); err != nil {
			return fmt.Errorf("ipc: decode status: %w", err)
		}
		if codes.Code(s.GetCode()) == codes.OK {
			return errEnd
		}
		return grpcstatus.FromProto(&s).Err()
	}
	return fmt.Errorf("ipc: frame of kind %d", kind)
}

// A frameWriter writes frames in the order of its calls, from any goroutine. A
// frame that comes alone is written by its caller, those of a burst together by
// the writer's own goroutine.
type frameWriter struct {
	conn *net.UnixConn
	raw  interface {
		Write(f func(fd uintptr) bool) error
	}
	room chan struct{} // has room for one: some of pending was taken
	work chan struct{} // has room for one: pending is to be written
	stop chan struct{} // closed when the connection ends

	mu      sync.Mutex
	pending []byte    // guarded by mu
	spare   []byte    // guarded by mu; what pending was before
	writing bool      // guarded by mu; somebody writes, or will
	last    time.Time // guarded by mu; when the last frame came
	err     error     // guarded by mu; why no more can be written
}

func newFrameWriter(conn *net.UnixConn) (*frameWriter, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("ipc: reach socket: %w", err)
	}
	return &frameWriter{conn: conn, raw: raw, room: make(chan struct{}, 1), work: make(chan struct{}, 1), stop: make(chan struct{})}, nil
}

// run writes what callers leave behind until the connection ends.
func (w *frameWriter) run() {
	for {
		select {
		case <-w.stop:
			return
		case <-w.work:
		}
		for {
			b := w.take()
			if b == nil {
				break
			}
			_, err := w.conn.Write(b)
			w.written(b, err)
		}
	}
}

// take gives what is to be written, nil if there is nothing: then nobody writes.
func (w *frameWriter) take() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.pending) == 0 || w.err != nil {
		w.writing = false
		return nil
	}
	b := w.pending
	w.pending, w.spare = w.spare[:0], nil
	signal(w.room)
	return b
}

// written takes a buffer back.
func (w *frameWriter) written(b []byte, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil && w.err == nil {
		w.err = err
		signal(w.room)
	}
	if cap(b) <= 2*maxPending {
		w.spare = b
	}
}

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// send writes a frame, or leaves it behind to be written. It waits while too much
// is left behind; net.ErrClosed says that the connection has ended.
func (w *frameWriter) send(ctx context.Context, kind byte, m proto.Message) error {
	select {
	case <-w.stop:
		return net.ErrClosed
	default:
	}
	w.mu.Lock()
	for len(w.pending) > maxPending && w.err == nil {
		w.mu.Unlock()
		select {
		case <-w.room:
		case <-w.stop:
			return net.ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
		w.mu.Lock()
		if len(w.pending) <= maxPending {
			signal(w.room) // for the next one who waits
		}
	}
	if w.err != nil {
		defer w.mu.Unlock()
		return w.err
	}
	var err error
	if w.pending, err = appendFrame(w.pending, kind, m); err != nil {
		w.mu.Unlock()
		return err
	}
	if w.writing {
		w.mu.Unlock()
		return nil
	}
	w.writing = true
	now := time.Now()
	alone := now.Sub(w.last) > burst
	w.last = now
	if alone {
		w.mu.Unlock()
		w.try()
		w.mu.Lock()
	}
	defer w.mu.Unlock()
	if w.writing = len(w.pending) > 0 && w.err == nil; w.writing {
		signal(w.work)
	}
	return nil
}

// try writes what the socket takes without waiting, and puts the rest back.
func (w *frameWriter) try() {
	b := w.take()
	if b == nil {
		return
	}
	n := 0
	var failed error
	err := w.raw.Write(func(fd uintptr) bool {
		for n < len(b) {
			k, err := unix.SendmsgN(int(fd), b[n:], nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
			if err == unix.EINTR {
				continue
			}
			if err != nil {
				if err != unix.EAGAIN {
					failed = err
				}
				break
			}
			n += k
		}
		return true
	})
	if err == nil {
		err = failed
	}
	if n < len(b) && err == nil {
		w.mu.Lock()
		w.pending = append(b[n:len(b):len(b)], w.pending...)
		w.mu.Unlock()
		b = nil
	}
	w.written(b, err)
}
