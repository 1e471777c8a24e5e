// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cibtool

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/cibsource"
	"github.com/quorate/quorate/internal/cli/exit"
)

// Options are what the tools take from layers that they do not know.
type Options struct {
	// Schedule is the scheduler's opinion on a configuration, for crm_verify: what
	// it would log as errors and as warnings. nil leaves it out.
	Schedule func(root *etree.Element) (errors, warnings []string)
}

// Tools lists the tools.
func Tools(opts Options) []cli.Tool {
	return []cli.Tool{
		{Name: "cibadmin", Short: "query and edit the cluster configuration", Run: cibadmin},
		{Name: "crm_attribute", Short: "query and update cluster options and node attributes", Run: crmAttribute},
		{Name: "crm_standby", Short: "query or set the standby mode of a node", Run: crmStandby},
		{Name: "crm_master", Short: "query or set a promotion score", Run: crmMaster},
		{Name: "crm_failcount", Short: "query or delete fail counts", Run: crmFailcount},
		{Name: "attrd_updater", Short: "query and update node attributes", Run: attrdUpdater},
		{Name: "crm_verify", Short: "check a configuration for errors", Run: func(ctx context.Context, io *cli.IO, args []string) int {
			return crmVerify(ctx, io, args, opts.Schedule)
		}},
		{Name: "crm_diff", Short: "compare configurations, or apply the difference", Run: crmDiff},
	}
}

// maxInput bounds what is read from a file or standard input.
const maxInput = 64 << 20

var errTooLarge = errors.New("input exceeds 64 MiB")

func readAll(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	if err == nil && len(text) > maxInput {
		return nil, errTooLarge
	}
	return text, err
}

// readFile reads a file, or standard input for "-".
func readFile(sys *cli.IO, path string) ([]byte, error) {
	if path == "-" {
		return readAll(sys.Stdin)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f)
}

// parse reads XML and names its source in the error as the classic tools do.
func parse(text []byte, err error, source string) (*etree.Element, error) {
	if err == nil {
		var root *etree.Element
		if root, err = document.Parse(text); err == nil {
			return root, nil
		}
	}
	return nil, exit.Errorf(exit.Config, "Couldn't parse input from %s.\n  %w", source, err)
}

// limited gives a context that ends after a number of seconds, if it is
// positive.
func limited(ctx context.Context, seconds int) (context.Context, context.CancelFunc) {
	if seconds <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Duration(seconds)*time.Second)
}

// words gives Pacemaker's text for an error of the CIB.
func words(err error) string {
	if refused, ok := errors.AsType[*cib.Error](err); ok {
		return refused.Msg
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "Timer expired"
	}
	if cibsource.Code(err) == exit.Disconnect {
		return "Transport endpoint is not connected"
	}
	return err.Error()
}

// failed makes the usual error of a tool: "TOOL: Error performing operation: …".
func failed(tool string, err error) error {
	if err == nil {
		return nil
	}
	code := cibsource.Code(err)
	if code == exit.Disconnect {
		return exit.Errorf(code, "%s: Could not connect to the CIB: %s", tool, words(err))
	}
	return exit.Errorf(code, "%s: Error performing operation: %s", tool, words(err))
}

// silent keeps the code of an error whose text was given already.
func silent(err error) error {
	if err == nil {
		return nil
	}
	return exit.Errorf(exit.Of(err), "")
}
