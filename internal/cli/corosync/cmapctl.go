// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package corosync

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/client"
	"github.com/quorate/quorate/messaging/cmap"
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
const cmapTypes = " i8 u8 i16 u16 i32 u32 i64 u64 flt dbl str bin "

func runCmapctl(ctx context.Context, tool *cli.IO, args []string) int {
	opts, operands, err := getopt("corosync-cmapctl", args, "m:hgsdDtTbqp:C:", nil)
	if err != nil {
		tool.Errorf("%s\n", err)
		return exitError
	}
	c := &cmapctl{io: tool, action: "list"}
	for _, o := range opts {
		if done, code := c.option(o); done {
			return code
		}
	}
	if len(operands) == 0 && strings.Contains("gsdDtT", c.action) {
		tool.Errorf("Expected key after options\n")
		return exitError
	}
	bus, _, err := dial(ctx, tool)
	if err != nil {
		tool.Errorf("Failed to initialize the cmap API. Error CS_ERR_LIBRARY\n")
		return exitError
	}
	defer func() { _ = bus.Close() }()
	c.bus = bus
	return c.run(ctx, operands)
}

type cmapctl struct {
	io     *cli.IO
	bus    *client.Bus
	action string // the last of the options, or list
	arg    string // of -p and -C
	stats  bool
	quiet  bool
	binary bool
}

// option takes one option; done tells that the run ends with it.
func (c *cmapctl) option(o option) (done bool, code int) {
	switch o.name {
	case "m":
		switch o.arg {
		case "icmap", "default":
			c.stats = false
		case "stats":
			c.stats = true
		default:
			c.io.Errorf("invalid map name, must be 'default', 'icmap' or 'stats'\n")
			return true, exitError
		}
	case "b":
		c.binary = true
	case "q":
		c.quiet = true
	case "h":
		c.io.Printf("%s", cmapctlUsage)
		return true, exitOK
	case "C":
		if !slices.Contains([]string{"knet", "totem", "ipc", "schedmiss", "all"}, o.arg) {
			c.io.Errorf("argument to -C should be 'knet', 'totem', 'ipc', 'schedmiss' or 'all'\n")
			return true, exitError
		}
		c.action, c.arg, c.stats = "C", o.arg, true
	case "p":
		c.action, c.arg = "p", o.arg
	default:
		c.action = o.name
	}
	return false, 0
}

func (c *cmapctl) run(ctx context.Context, operands []string) int {
	switch c.action {
	case "g":
		return c.each(operands, func(k string) int { return c.get(ctx, k) })
	case "s":
		if len(operands) < 3 {
			c.io.Errorf("At least 3 parameters are expected for set\n")
			return exitError
		}
		return c.set(ctx, operands[0], operands[1], operands[2])
	case "d":
		return c.each(operands, func(k string) int { return c.remove(ctx, k) })
	case "D":
		return c.each(operands, func(k string) int { return c.removePrefix(ctx, k) })
	case "p":
		return c.load(ctx, c.arg)
	case "C":
		if err := c.bus.ClearStats(ctx, c.arg); err != nil {
			c.io.Errorf("Can't set cmap stats clear key stats.clear.%s. Error %s\n", c.arg, csError(err))
			return exitError
		}
		return exitOK
	case "t", "T":
		return c.track(ctx, operands, c.action == "T")
	}
	return c.list(ctx, operands)
}

// each stops at the first key that fails.
func (c *cmapctl) each(keys []string, f func(string) int) int {
	for _, k := range keys {
		if code := f(k); code != exitOK {
			return code
		}
	}
	return exitOK
}

func (c *cmapctl) print(e messaging.CmapEntry) {
	value := e.Value
	switch e.Type {
	case "bin":
		// As corosync's tool prints it, -q or not.
		head := e.Key + " ("
		if c.quiet {
			head = ""
		}
		c.io.Printf("%sbin)", head)
		if c.binary {
			c.io.Printf(" = %s", binaryText(e.Value))
		}
		c.io.Printf("\n")
		return
	case "flt", "dbl":
		if f, err := strconv.ParseFloat(value, 64); err == nil {
			value = strconv.FormatFloat(f, 'f', 6, 64)
		}
	}
	if c.quiet {
		c.io.Printf("%s\n", value)
		return
	}
	c.io.Printf("%s (%s) = %s\n", e.Key, e.Type, value)
}

// binaryText shows the bytes of a value of type bin.
func binaryText(value string) string {
	b, err := hex.DecodeString(value)
	if err != nil || len(b) == 0 {
		return "*empty*"
	}
	return escapeName(string(b))
}

// wanted tells whether a key is in the map that the options choose.
func (c *cmapctl) wanted(key string) bool { return strings.HasPrefix(key, "stats.") == c.stats }

// list prints keys by prefix; it is an error without words if none matches.
func (c *cmapctl) list(ctx context.Context, prefixes []string) int {
	if len(prefixes) == 0 {
		prefixes = []string{""}
	}
	empty := 0
	for _, p := range prefixes {
		ask := p
		if c.stats && p == "" {
			ask = "stats."
		}
		es, err := c.bus.Cmap(ctx, ask)
		if err != nil {
			return c.failed(err)
		}
		es = slices.DeleteFunc(es, func(e messaging.CmapEntry) bool { return !c.wanted(e.Key) })
		if len(es) == 0 {
			empty++
		}
		for _, e := range es {
			c.print(e)
		}
	}
	if empty == len(prefixes) {
		return exitError
	}
	return exitOK
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
		if e.Key == key && c.wanted(key) {
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

func (c *cmapctl) set(ctx context.Context, key, typ, word string) int {
	if !strings.Contains(cmapTypes, " "+typ+" ") {
		c.io.Errorf("Unknown type %s\n", typ)
		return exitError
	}
	var value string
	if typ == "bin" {
		b, err := c.file(word)
		if err != nil {
			c.io.Errorf("Can't open input file: %s\n", reason(err))
			return exitError
		}
		value = hex.EncodeToString(b)
	} else {
		var err error
		if value, err = scanValue(typ, word); err != nil {
			c.io.Errorf("%s\n", err)
			return exitError
		}
	}
	var why string
	switch _, clears := strings.CutPrefix(key, "stats.clear."); {
	case cmap.CheckKey(key) != nil:
		why = "CS_ERR_NAME_TOO_LONG" // of any name that a key cannot have
	case typ == "bin" && value == "":
		why = "CS_ERR_INVALID_PARAM"
	default:
		err := c.bus.SetCmap(ctx, messaging.CmapEntry{Key: key, Type: typ, Value: value})
		if err == nil {
			return exitOK
		}
		if why = csError(err); clears && errors.Is(err, messaging.ErrInvalid) {
			why = "CS_ERR_NOT_SUPPORTED"
		}
	}
	c.io.Errorf("Failed to set key %s. Error %s\n", key, why)
	return exitError
}

// maxBinary bounds a value of type bin, in bytes.
const maxBinary = 1 << 20

// file reads a file, or standard input for "-".
func (c *cmapctl) file(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(io.LimitReader(c.io.Stdin, maxBinary))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, maxBinary))
}

func (c *cmapctl) remove(ctx context.Context, key string) int {
	err := c.bus.SetCmap(ctx, messaging.CmapEntry{Key: key})
	if err == nil {
		return exitOK
	}
	c.io.Errorf("Can't delete key %s. Error %s\n", key, csError(err))
	return exitError
}

func (c *cmapctl) removePrefix(ctx context.Context, prefix string) int {
	es, err := c.bus.Cmap(ctx, prefix)
	if err != nil {
		return c.failed(err)
	}
	for _, e := range es {
		if err := c.bus.SetCmap(ctx, messaging.CmapEntry{Key: e.Key}); err != nil {
			c.io.Errorf("Can't delete key %s. Error %s\n", e.Key, csError(err))
		}
	}
	return exitOK
}

// track prints changes of keys until standard input ends or has a line that
// begins with q.
func (c *cmapctl) track(ctx context.Context, keys []string, prefix bool) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changes, ended := make(chan []messaging.CmapChange), make(chan error, len(keys))
	for _, k := range keys {
		w, err := c.bus.WatchCmap(ctx, k)
		if err == nil {
			_, err = w.Next(ctx) // the keys as they are
		}
		if err != nil {
			c.io.Errorf("Failed to add tracking function. Error %s\n", csError(err))
			return exitError
		}
		defer func() { _ = w.Close() }()
		go func() { ended <- follow(ctx, w, changes) }()
	}
	c.io.Printf("Type \"q\" to finish\n")
	quit := make(chan struct{})
	go func() {
		defer close(quit)
		for lines := bufio.NewScanner(c.io.Stdin); lines.Scan() && !strings.HasPrefix(lines.Text(), "q"); {
		}
	}()
	words := map[messaging.CmapEvent]string{messaging.CmapAdded: "create> ", messaging.CmapModified: "modify> ", messaging.CmapDeleted: "delete> "}
	for {
		select {
		case <-quit:
			return exitOK
		case <-ctx.Done():
			return exitOK
		case err := <-ended:
			c.io.Errorf("Dispatch error %s\n", csError(err))
			return exitOK
		case cs := <-changes:
			for _, x := range cs {
				if prefix || slices.Contains(keys, x.Entry.Key) {
					c.io.Printf("%s", words[x.Event])
					c.print(x.Entry)
				}
			}
		}
	}
}

// follow hands the changes of one watch on.
func follow(ctx context.Context, w messaging.CmapWatch, changes chan<- []messaging.CmapChange) error {
	for {
		cs, err := w.Next(ctx)
		if err != nil {
			return err
		}
		select {
		case changes <- cs:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// load carries out the lines of a file. Like corosync's tool it fails for a line
// that is not complete only.
func (c *cmapctl) load(ctx context.Context, path string) int {
	b, err := c.file(path)
	if err != nil {
		c.io.Errorf("Couldn't open file.: %s\n", reason(err))
		return exitOK
	}
	for line := range strings.Lines(string(b)) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || strings.HasPrefix(words[0], "#"):
		case strings.HasPrefix(words[0], "^^"):
			c.removePrefix(ctx, words[0][2:])
		case strings.HasPrefix(words[0], "^"):
			c.remove(ctx, words[0][1:])
		case len(words) < 3:
			c.io.Errorf("Both type and value for key %s are required\n", words[0])
			return exitError
		default:
			c.set(ctx, words[0], words[1], words[2])
		}
	}
	return exitOK
}
