// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package crmnode

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/beevik/etree"
	"github.com/spf13/cobra"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/crmd"
	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/cibsource"
	"github.com/quorate/quorate/internal/cli/exit"
	"github.com/quorate/quorate/internal/cli/output"
	"github.com/quorate/quorate/internal/iso8601"
	"github.com/quorate/quorate/pengine/status"
)

// adminOptions are the command line of crmadmin.
type adminOptions struct {
	verb, arg, timeout, as string
	quiet, bash            bool
	request                []string
	body                   []*etree.Element
}

// RunAdmin is crmadmin.
func RunAdmin(ctx context.Context, io *cli.IO, args []string) int {
	o := adminOptions{request: append([]string{"crmadmin"}, args...)}
	cmd := &cobra.Command{
		Use: "crmadmin", Short: "ask the controllers", Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.verb == "nodes" && o.arg == "all" && len(args) > 0 {
				o.arg = args[0] // -N TYPE in two words
			}
			return o.run(cmd.Context(), io)
		},
	}
	fs := cmd.Flags()
	addVerb(fs, &o.verb, &o.arg, "status", "S", true, "show the state of the controller of a `node`")
	addVerb(fs, &o.verb, &o.arg, "pacemakerd", "P", false, "show the state of the daemons of this node")
	addVerb(fs, &o.verb, &o.arg, "dc_lookup", "D", false, "show which node is the designated controller")
	addVerb(fs, &o.verb, &o.arg, "nodes", "N", true, "list nodes, of a `type`: all, cluster, guest, remote").NoOptDefVal = "all"
	fs.StringVarP(&o.timeout, "timeout", "t", "30s", "`time` to wait for an answer")
	fs.BoolVarP(&o.bash, "bash-export", "B", false, "with -N: as shell exports")
	fs.BoolVarP(&o.quiet, "quiet", "q", false, "show the answer alone")
	fs.StringVar(&o.as, "output-as", "", "output format: text, xml")
	fs.String("output-to", "", "accepted for compatibility")
	fs.BoolP("ipc-name", "i", false, "accepted for compatibility")
	_ = fs.MarkHidden("ipc-name")
	fs.CountP("verbose", "V", "accepted for compatibility")
	return cli.Execute(ctx, io, cmd, args)
}

func (o *adminOptions) run(ctx context.Context, io *cli.IO) error {
	if _, err := output.ParseFormat(o.as, output.Text, output.XML); err != nil {
		return exit.Errorf(exit.Usage, "crmadmin: %v", err)
	}
	ms, err := iso8601.ParseInterval(o.timeout)
	if err != nil || ms == 0 {
		return exit.Errorf(exit.Usage, "crmadmin: invalid timeout: %s", o.timeout)
	}
	err = o.ask(ctx, io, time.Duration(ms)*time.Millisecond)
	if err != nil {
		err = commandFailed(err, ms)
	}
	if o.as != "xml" || o.verb == "" {
		return err
	}
	res := output.Result{Request: o.request, Body: o.body, Code: exit.Of(err)}
	if err != nil {
		res.Errors = strings.Split(err.Error(), "\n")
		return errors.Join(res.Write(io.Stdout), exit.Silent(exit.Of(err)))
	}
	return res.Write(io.Stdout)
}

func (o *adminOptions) ask(ctx context.Context, io *cli.IO, timeout time.Duration) error {
	switch o.verb {
	case "":
		return exit.Errorf(exit.Usage, "error: Must specify a command option")
	case "nodes":
		return o.nodes(ctx, io)
	}
	return withController(ctx, io, timeout, func(ctx context.Context, c crmd.Controller) error {
		st, err := c.Status(ctx)
		if err != nil {
			return err
		}
		switch o.verb {
		case "dc_lookup":
			return o.dc(io, st)
		case "pacemakerd":
			return o.daemons(io)
		}
		return o.state(ctx, io, c, st)
	})
}

// commandFailed adds the line with which the tool ends when a command failed.
func commandFailed(err error, ms uint) error {
	code := exit.Of(err)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return exit.Errorf(exit.Timeout, "error: No reply received from controller before timeout (%dms)\nerror: Command failed: Connection timed out", ms)
	case code == exit.Disconnect:
		return exit.Errorf(code, "%s\nerror: Command failed: Connection refused", err.Error())
	case code == exit.NoInput:
		return exit.Errorf(code, "error: Command failed: Input file not available")
	}
	return err
}

func (o *adminOptions) dc(io *cli.IO, st crmd.Status) error {
	switch {
	case o.as == "xml":
		o.body = []*etree.Element{document.New("dc", "node_name", st.DC)}
	case st.DC == "":
		return exit.Errorf(exit.NoSuch, "DC is not yet elected")
	case o.quiet:
		io.Printf("%s\n", st.DC)
	default:
		io.Printf("Designated Controller is: %s\n", st.DC)
	}
	return nil
}

func (o *adminOptions) daemons(io *cli.IO) error {
	now := time.Now().UTC().Format("2006-01-02 15:04:05Z")
	switch {
	case o.as == "xml":
		o.body = []*etree.Element{document.New("pacemakerd", "sys_from", "pacemakerd", "state", "running", "last_updated", now)}
	case o.quiet:
		io.Printf("running\n")
	default:
		io.Printf("Status of pacemakerd: 'Pacemaker is running' (last updated %s)\n", now)
	}
	return nil
}

// state shows the state of a node's controller.
func (o *adminOptions) state(ctx context.Context, io *cli.IO, c crmd.Controller, st crmd.Status) error {
	if !strings.EqualFold(o.arg, st.Node) {
		var err error
		if st, err = c.NodeStatus(ctx, o.arg); errors.Is(err, crmd.ErrNoNode) {
			err = context.DeadlineExceeded // the classic tool waits for an answer in vain
		}
		if err != nil {
			return err
		}
	}
	state := st.State
	switch {
	case o.as == "xml":
		o.body = []*etree.Element{document.New("crmd", "node_name", o.arg, "state", state, "result", "ok")}
	case o.quiet:
		io.Printf("%s\n", state)
	default:
		io.Printf("Controller on %s in state %s: ok\n", o.arg, state)
	}
	return nil
}

// nodes lists the nodes of the configuration by kind.
func (o *adminOptions) nodes(ctx context.Context, io *cli.IO) error {
	store, err := cibsource.Open(io)
	if err != nil {
		return exit.Silent(exit.NoInput)
	}
	defer func() { _ = store.Close() }()
	root, err := cibsource.Read(ctx, store)
	if err != nil {
		return &exit.ErrorCode{Code: exit.NoInput, Err: err, Msg: err.Error()}
	}
	c, err := status.Unpack(root, status.Settings{Now: time.Now()})
	if err != nil {
		return exit.Errorf(exit.DataErr, "crmadmin: %w", err)
	}
	list := document.New("nodes")
	shown := 0
	for _, n := range c.Nodes {
		kind := "cluster"
		switch {
		case n.IsGuest():
			kind = "guest"
		case n.IsRemote():
			kind = "remote"
		}
		if o.arg != "" && o.arg != "all" && o.arg != "true" && !strings.Contains(","+o.arg+",", ","+kind+",") {
			continue
		}
		shown++
		id := string(n.ID)
		document.Add(list, "node", "type", kind, "name", n.Name, "id", id)
		if o.as != "xml" {
			io.Printf("%s\n", nodeLine(o, kind, n.Name, id))
		}
	}
	o.body = []*etree.Element{list}
	if shown == 0 && o.as != "xml" {
		io.Printf("No nodes configured\n")
	}
	return nil
}

func nodeLine(o *adminOptions, kind, name, id string) string {
	switch {
	case o.bash:
		return fmt.Sprintf("export %s=%s", name, id)
	case o.quiet:
		return name
	}
	return fmt.Sprintf("%s node: %s (%s)", kind, name, id)
}
