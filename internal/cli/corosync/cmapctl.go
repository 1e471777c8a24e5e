// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package corosync

import (
	"bufio"
	"context"
	"errors"
	"os"
	"strings"

	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/client"
)

const cmapctlUsage = `
usage:  corosync-cmapctl [-b] [-DdghsqTCt] [-p filename] [-m map] [params...]

    -b show binary values

    -m select map to use
          The  default  map is 'icmap' which contains configuration information and some runtime variables used by corosync. 
          A 'stats' map is also available which displays network statistics - in great detail when knet is used as the transport.
Set key:
    corosync-cmapctl -s key_name type value

    where type is one of ([i|u][8|16|32|64] | flt | dbl | str | bin)
    for bin, value is file name (or - for stdin)

    map can be either 'icmap' (the default) which contains corosync
    configuration information, or 'stats' which contains statistics
    about the networking and IPC traffic in some detail.

Clear stats:
    corosync-cmapctl -C [knet|ipc|totem|schedmiss|all]
    The 'stats' map is implied

Load settings from a file:
    corosync-cmapctl -p filename

    the format of the file is:
    [^[^]]<key_name>[ <type> <value>]
    Keys prefixed with single caret ('^') are deleted (see -d).
    Keys (actually prefixes) prefixed with double caret ('^^') are deleted by prefix (see -D).
    <type> and <value> are optional (not checked) in above cases.
    Other keys are set (see -s) so both <type> and <value> are required.

Delete key:
    corosync-cmapctl -d key_name...

Delete multiple keys with prefix:
    corosync-cmapctl -D key_prefix...

Get key:
    corosync-cmapctl [-b] -g key_name...

Quiet mode:
    corosync-cmapctl [-b] -q -g key_name...

Display all keys:
    corosync-cmapctl [-b]

Display keys with prefix key_name:
    corosync-cmapctl [-b] key_name...

Track changes on keys with key_name:
    corosync-cmapctl [-b] -t key_name

Track changes on keys with key prefix:
    corosync-cmapctl [-b] -T key_prefix

`

// cmapTypes are the types that a key may be set to.
const cmapTypes = " i8 u8 i16 u16 i32 u32 i64 u64 flt dbl str "

func runCmapctl(ctx context.Context, io *cli.IO, args []string) int {
	opts, operands, err := getopt("corosync-cmapctl", args, "m:hgsdDtTbqp:C:", nil)
	if err != nil {
		io.Errorf("%s\n", err)
		return exitError
	}
	c := &cmapctl{io: io, action: "list"}
	for _, o := range opts {
		switch o.name {
		case "m":
			c.stats = o.arg == "stats"
			if o.arg != "icmap" && o.arg != "stats" {
				io.Errorf("invalid map name %s\n", o.arg)
				return exitError
			}
		case "b":
		case "q":
			c.quiet = true
		case "h":
			io.Printf("%s", cmapctlUsage)
			return exitOK
		case "p":
			c.action, operands = "p", []string{o.arg}
		default:
			c.action = o.name
		}
	}
	bus, _, err := dial(ctx, io)
	if err != nil {
		io.Errorf("Failed to initialize the cmap API. Error CS_ERR_LIBRARY\n")
		return exitError
	}
	defer func() { _ = bus.Close() }()
	c.bus = bus
	return c.run(ctx, operands)
}

type cmapctl struct {
	io     *cli.IO
	bus    *client.Bus
	action string
	stats  bool
	quiet  bool
}

func (c *cmapctl) run(ctx context.Context, operands []string) int {
	if len(operands) == 0 && c.action != "list" && c.action != "C" {
		c.io.Errorf("Expected key after options\n")
		return exitError
	}
	switch c.action {
	case "list":
		return c.list(ctx, operands)
	case "g":
		return c.each(operands, func(k string) int { return c.get(ctx, k) })
	case "s":
		if len(operands) < 3 {
			c.io.Errorf("Key, type and value are needed\n")
			return exitError
		}
		return c.set(ctx, operands[0], operands[1], operands[2])
	case "d":
		return c.each(operands, func(k string) int { return c.remove(ctx, k) })
	case "D":
		return c.each(operands, func(k string) int { return c.removePrefix(ctx, k) })
	case "p":
		return c.load(ctx, operands[0])
	case "C":
		return exitOK // counters are Prometheus's business: they only grow
	}
	c.io.Errorf("Tracking keys is not supported: watch the metrics, or corosync-quorumtool -m\n")
	return exitError
}

func (c *cmapctl) each(keys []string, f func(string) int) int {
	code := exitOK
	for _, k := range keys {
		code = max(code, f(k))
	}
	return code
}

func (c *cmapctl) print(e messaging.CmapEntry) {
	if e.Type == "bin" {
		c.io.Printf("%s (bin)\n", e.Key)
		return
	}
	if c.quiet {
		c.io.Printf("%s\n", e.Value)
		return
	}
	c.io.Printf("%s (%s) = %s\n", e.Key, e.Type, e.Value)
}

// list prints keys by prefix; no match is an error without words.
func (c *cmapctl) list(ctx context.Context, prefixes []string) int {
	if len(prefixes) == 0 {
		prefixes = []string{""}
		if c.stats {
			prefixes = []string{"stats."}
		}
	}
	code := exitOK
	for _, p := range prefixes {
		es, err := c.bus.Cmap(ctx, p)
		if err != nil {
			return c.failed(err)
		}
		if len(es) == 0 {
			code = exitError
		}
		for _, e := range es {
			c.print(e)
		}
	}
	return code
}

func (c *cmapctl) failed(err error) int {
	c.io.Errorf("cmap: %s\n", err)
	return exitError
}

func (c *cmapctl) find(ctx context.Context, key string) (messaging.CmapEntry, bool) {
	es, err := c.bus.Cmap(ctx, key)
	if err != nil {
		return messaging.CmapEntry{}, false
	}
	for _, e := range es {
		if e.Key == key {
			return e, true
		}
	}
	return messaging.CmapEntry{}, false
}

func (c *cmapctl) get(ctx context.Context, key string) int {
	e, ok := c.find(ctx, key)
	if !ok {
		c.io.Errorf("Can't get key %s. Error CS_ERR_NOT_EXIST\n", key)
		return exitError
	}
	c.print(e)
	return exitOK
}

func (c *cmapctl) set(ctx context.Context, key, typ, value string) int {
	if !strings.Contains(cmapTypes, " "+typ+" ") {
		c.io.Errorf("Unknown type %s\n", typ)
		return exitError
	}
	if err := c.bus.SetCmap(ctx, messaging.CmapEntry{Key: key, Type: typ, Value: value}); err != nil {
		if errors.Is(err, messaging.ErrInvalid) {
			c.io.Errorf("Failed to set key %s. Error CS_ERR_INVALID_PARAM\n", key)
			return exitError
		}
		return c.failed(err)
	}
	return exitOK
}

func (c *cmapctl) remove(ctx context.Context, key string) int {
	if _, ok := c.find(ctx, key); !ok {
		c.io.Errorf("Can't delete key %s. Error CS_ERR_NOT_EXIST\n", key)
		return exitError
	}
	if err := c.bus.SetCmap(ctx, messaging.CmapEntry{Key: key}); err != nil {
		return c.failed(err)
	}
	return exitOK
}

func (c *cmapctl) removePrefix(ctx context.Context, prefix string) int {
	es, err := c.bus.Cmap(ctx, prefix)
	if err != nil {
		return c.failed(err)
	}
	for _, e := range es {
		if code := c.remove(ctx, e.Key); code != exitOK {
			return code
		}
	}
	return exitOK
}

// load carries out the lines of a file.
func (c *cmapctl) load(ctx context.Context, path string) int {
	f := c.io.Stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			c.io.Errorf("Failed to open file %s: %s\n", path, err)
			return exitError
		}
		defer func() { _ = file.Close() }()
		f = file
	}
	code := exitOK
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		switch {
		case len(words) == 0 || strings.HasPrefix(words[0], "#"):
		case strings.HasPrefix(words[0], "^^"):
			code = max(code, c.removePrefix(ctx, words[0][2:]))
		case strings.HasPrefix(words[0], "^"):
			code = max(code, c.remove(ctx, words[0][1:]))
		case len(words) < 3:
			c.io.Errorf("Missing type or value: %s\n", lines.Text())
			code = exitError
		default:
			code = max(code, c.set(ctx, words[0], words[1], strings.Join(words[2:], " ")))
		}
	}
	if err := lines.Err(); err != nil {
		return c.failed(err)
	}
	return code
}
