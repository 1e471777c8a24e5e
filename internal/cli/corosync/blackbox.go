// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package corosync

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/messaging/recorder"
	"github.com/quorate/quorate/messaging/recorder/ring"
)

const blackboxUsage = `corosync-blackbox [-f <file>] [-o] [-r] [-h]

Lets the messaging daemon write down what it recorded of the last minutes, and prints it.
Where the daemon is gone the newest recording that is there is printed.
options:
	-f	Print this recording. No daemon is asked.
	-o	Print the newest recording that is there. No daemon is asked.
	-r	Play the recording on a fresh core and tell whether it does the same again.
	-h	Print basic usage.
`

func runBlackbox(ctx context.Context, io *cli.IO, args []string) int {
	opts, _, err := getopt("corosync-blackbox", args, "f:orh", nil)
	if err != nil {
		io.Errorf("%s\n", err)
		return exitError
	}
	newest := filepath.Join(io.Paths.StateDir(), "fdata")
	file, replay := "", false
	for _, o := range opts {
		switch o.name {
		case "f":
			file = o.arg
		case "o":
			file = newest
		case "r":
			replay = true
		case "h":
			io.Printf("%s", blackboxUsage)
			return exitOK
		}
	}
	if file == "" {
		var code int
		if file, code = dumped(ctx, io, newest); code != exitOK {
			return code
		}
	}
	return printRecording(io, file, replay)
}

// dumped lets the daemon write its recording. One that has died has left one, or
// there is an older one.
func dumped(ctx context.Context, io *cli.IO, newest string) (file string, code int) {
	bus, _, err := dial(ctx, io)
	if err != nil {
		io.Errorf("Failed to initialize the cmap API. Error CS_ERR_LIBRARY\n")
		return newest, exitOK
	}
	defer func() { _ = bus.Close() }()
	if file, err = bus.Dump(ctx); err != nil {
		io.Errorf("Could not write the recording: %s\n", csError(err))
		return "", exitError
	}
	return file, exitOK
}

// printRecording prints a file in the manner of qb-blackbox.
func printRecording(io *cli.IO, file string, replay bool) int {
	f, err := os.Open(file)
	if err != nil {
		io.Errorf("Could not open %s: %s\n", file, reason(err))
		return exitError
	}
	defer func() { _ = f.Close() }()
	rec, err := recorder.Read(f)
	if err != nil {
		io.Errorf("Could not read %s: %s\n", file, err)
		return exitError
	}
	h := rec.Header
	io.Printf("Recording of node %d, %s, by %s (%s)\n", h.Node, h.Wall.Format(time.RFC3339), h.Program, h.Why)
	n, from, to := 0, time.Duration(0), time.Duration(0)
	for i := range rec.Segments {
		for _, r := range rec.Segments[i].Records {
			if n == 0 {
				from = r.At
			}
			n++
			to = r.At
			if !replay {
				io.Printf("rec=[%d] %s Log Message=%s\n", n, (r.At - from).Round(time.Microsecond), ring.Text(r))
			}
		}
	}
	io.Printf("Finishing replay: records found [%d], %s\n", n, (to - from).Round(time.Millisecond))
	if !replay {
		return exitOK
	}
	report, err := ring.Replay(rec, nil)
	if err != nil {
		io.Errorf("The replay is not what was recorded: %s\n", err)
		return exitError
	}
	io.Printf("The replay of %d events did what was recorded\n", report.Events)
	return exitOK
}
