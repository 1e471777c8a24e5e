// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package simulate

import (
	"bytes"
	"compress/bzip2"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/internal/atomicfile"
	bzip "github.com/quorate/quorate/internal/bzip2"
	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/cibsource"
	"github.com/quorate/quorate/internal/cli/exit"
	"github.com/quorate/quorate/pengine/sched"
	"github.com/quorate/quorate/pengine/simulate"
	"github.com/quorate/quorate/transition/graph"
)

// textOutput writes what is told as soon as there is something to complain of,
// and at the end: so both streams, put together, are in order.
type textOutput struct {
	simulate.TextOutput

	out, err io.Writer
}

// Error implements [simulate.Output]. As with the classic tool, a header without
// anything below it comes after the errors where both go to the same place.
func (t *textOutput) Error(line string) {
	_, _ = io.WriteString(t.out, t.TakeItems())
	_, _ = io.WriteString(t.err, line+"\n")
}

func (t *textOutput) flush() { _, _ = io.WriteString(t.out, t.Take()) }

// maxInput bounds what is read.
const maxInput = 64 << 20

// badInput is the answer to what is no XML, with the reason behind it.
func badInput(err error) error {
	return exit.Errorf(exit.DataErr, "crm_simulate: Could not read input XML: Bad input value provided\ncrm_simulate: %w", err)
}

// read gets the CIB from where the command line says.
func (f *flags) read(ctx context.Context, stdio *cli.IO) (*etree.Element, error) {
	if f.live {
		return readLive(ctx, stdio)
	}
	var text []byte
	var err error
	if f.file == "-" {
		text, err = io.ReadAll(io.LimitReader(stdio.Stdin, maxInput+1))
	} else {
		text, err = ReadFile(f.file)
	}
	if err != nil {
		return nil, badInput(err)
	}
	root, err := document.Parse(text)
	if err != nil {
		return nil, badInput(err)
	}
	return root, nil
}

func readLive(ctx context.Context, stdio *cli.IO) (*etree.Element, error) {
	store, err := cibsource.Open(stdio)
	if err != nil {
		return nil, noLive(err)
	}
	defer store.Close()
	root, err := cibsource.Read(ctx, store)
	if err != nil {
		return nil, noLive(err)
	}
	return root, nil
}

// noLive is the answer where the cluster does not give its CIB.
func noLive(err error) error {
	if code := cibsource.Code(err); code != exit.Disconnect {
		return exit.Errorf(code, "Could not query the CIB: %s", err)
	}
	return exit.Errorf(exit.Disconnect, "Could not connect to the CIB: Transport endpoint is not connected\ncrm_simulate: %w", err)
}

// errTooLarge is the answer to a file beyond all measure.
var errTooLarge = errors.New("the file is too large")

// ReadFile reads a CIB file, bzip2 compressed or not.
func ReadFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	head := make([]byte, 3)
	n, _ := io.ReadFull(file, head)
	r := io.MultiReader(bytes.NewReader(head[:n]), file)
	var text bytes.Buffer
	if string(head[:n]) == "BZh" {
		r = bzip2.NewReader(r)
	} else if st, err := file.Stat(); err == nil && st.Size() <= maxInput {
		text.Grow(int(st.Size()) + bytes.MinRead)
	}
	_, err = text.ReadFrom(io.LimitReader(r, maxInput+1))
	if err == nil && text.Len() > maxInput {
		err = errTooLarge
	}
	return text.Bytes(), err
}

// writeCIB writes a CIB, compressed where the name asks for it; "" is no file.
func writeCIB(path string, root *etree.Element) error {
	if path == "" {
		return nil
	}
	text := document.Format(root)
	if strings.HasSuffix(path, ".bz2") {
		text = bzip.Compress(text)
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return os.WriteFile(path, text, 0o600)
	}
	return atomicfile.WriteFile(path, text, 0o644)
}

// saveInput saves the state that is decided on.
func (f *flags) saveInput(root *etree.Element) error {
	if err := writeCIB(f.input, root); err != nil {
		return exit.Errorf(codeOf(err), "crm_simulate: Could not create '%s': %s", f.input, reason(err))
	}
	return nil
}

// saveResult saves the decision as graph and as picture.
func (f *flags) saveResult(res *sched.Result) error {
	write := func(path string, data func() []byte) error {
		if path == "" {
			return nil
		}
		if err := os.WriteFile(path, data(), 0o644); err != nil { //nolint:gosec // as the classic tool does
			return exit.Errorf(exit.IOErr, "crm_simulate: Could not create '%s': %s", path, reason(err))
		}
		return nil
	}
	if err := write(f.graph, func() []byte { return graph.Marshal(res.Graph) }); err != nil {
		return err
	}
	return write(f.dot, func() []byte { return []byte(simulate.Dot(res.Picture(f.allActions, f.verbose > 0))) })
}

// reason is what the operating system says, without the name of the file.
func reason(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	s := err.Error()
	return strings.ToUpper(s[:1]) + s[1:]
}

// codeOf is the exit code for an error of the operating system.
func codeOf(err error) exit.Code {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return exit.NoSuch
	case errors.Is(err, fs.ErrPermission):
		return exit.InsufficientPriv
	}
	return exit.Error
}

// simulationError gives an error of a simulation the exit code that belongs to
// it.
func simulationError(err error) error {
	var coded *exit.ErrorCode
	switch {
	case errors.As(err, &coded):
		return err
	case errors.Is(err, simulate.ErrNoNode):
		return exit.Errorf(exit.NoHost, "crm_simulate: %s", strings.TrimPrefix(err.Error(), "simulate: "))
	}
	return exit.Errorf(exit.DataErr, "crm_simulate: %s", err)
}
