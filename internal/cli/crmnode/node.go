// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package crmnode

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/quorate/quorate/crmd"
	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/exit"
)

// nodeOptions are the command line of crm_node; the last verb given counts.
type nodeOptions struct {
	verb, arg string
	force     bool
}

// verbFlag is an option that chooses the verb.
type verbFlag struct {
	verb, arg *string
	name      string
	value     bool
}

func (f *verbFlag) String() string { return "" }

func (f *verbFlag) Type() string {
	if f.value {
		return "string"
	}
	return "bool"
}

func (f *verbFlag) Set(v string) error {
	*f.verb = f.name
	if f.value {
		*f.arg = v
	}
	return nil
}

// addVerb adds an option that chooses a verb; takes tells whether it has an
// argument.
func addVerb(fs *pflag.FlagSet, verb, arg *string, name, short string, takes bool, usage string) *pflag.Flag {
	f := fs.VarPF(&verbFlag{verb, arg, name, takes}, name, short, usage)
	if !takes {
		f.NoOptDefVal = "true"
	}
	return f
}

// RunNode is crm_node.
func RunNode(ctx context.Context, io *cli.IO, args []string) int {
	var o nodeOptions
	cmd := &cobra.Command{
		Use: "crm_node", Short: "show what membership knows of the nodes", Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), io) },
	}
	fs := cmd.Flags()
	addVerb(fs, &o.verb, &o.arg, "cluster-id", "i", false, "show this node's id")
	addVerb(fs, &o.verb, &o.arg, "list", "l", false, "list all nodes that are known")
	addVerb(fs, &o.verb, &o.arg, "name", "n", false, "show the name of this node")
	addVerb(fs, &o.verb, &o.arg, "partition", "p", false, "list the members of this partition")
	addVerb(fs, &o.verb, &o.arg, "quorum", "q", false, "show 1 if the partition has quorum, else 0")
	addVerb(fs, &o.verb, &o.arg, "name-for-id", "N", true, "show the name of the node with this `id`")
	addVerb(fs, &o.verb, &o.arg, "remove", "R", true, "forget the stopped node with this `name`")
	fs.BoolVarP(&o.force, "force", "f", false, "do it although it is dangerous")
	fs.CountP("verbose", "V", "accepted for compatibility")
	fs.BoolP("quiet", "Q", false, "accepted for compatibility")
	return cli.Execute(ctx, io, cmd, args)
}

func (o *nodeOptions) run(ctx context.Context, io *cli.IO) error {
	switch o.verb {
	case "":
		return exit.Errorf(exit.Usage, "crm_node: give one of -i, -l, -n, -p, -q, -N, -R; crm_node --help explains them")
	case "remove":
		if !o.force {
			return exit.Errorf(exit.Usage, "The supplied command is considered dangerous.  To prevent accidental destruction of the cluster, "+
				"the --force flag is required in order to proceed.")
		}
	case "name":
		if name := io.Env("OCF_RESKEY_CRM_meta_on_node"); name != "" {
			io.Printf("%s\n", name)
			return nil
		}
	}
	return withController(ctx, io, defaultTimeout, func(ctx context.Context, c crmd.Controller) error {
		switch o.verb {
		case "cluster-id", "name", "quorum":
			return o.self(ctx, io, c)
		case "remove":
			return c.RemoveNode(ctx, o.arg)
		}
		return o.peers(ctx, io, c)
	})
}

// self answers about this node.
func (o *nodeOptions) self(ctx context.Context, io *cli.IO, c crmd.Controller) error {
	st, err := c.Status(ctx)
	if err != nil {
		return err
	}
	switch o.verb {
	case "cluster-id":
		io.Printf("%d\n", st.ID)
	case "name":
		io.Printf("%s\n", st.Node)
	default:
		quorate := 0
		if st.Quorate {
			quorate = 1
		}
		io.Printf("%d\n", quorate)
	}
	return nil
}

// peers answers about all nodes.
func (o *nodeOptions) peers(ctx context.Context, io *cli.IO, c crmd.Controller) error {
	peers, err := c.Peers(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(peers, func(a, b crmd.Peer) int { return cmp.Compare(a.ID, b.ID) })
	for _, p := range peers {
		switch o.verb {
		case "list":
			io.Printf("%d %s %s\n", p.ID, p.Name, p.State)
		case "partition":
			if p.State == "member" {
				io.Printf("%s ", p.Name)
			}
		case "name-for-id":
			if strconv.FormatUint(uint64(p.ID), 10) == o.arg {
				io.Printf("%s\n", p.Name)
				return nil
			}
		}
	}
	switch o.verb {
	case "partition":
		io.Printf("\n")
	case "name-for-id":
		return exit.Errorf(exit.NoHost, "Node is not known to cluster")
	}
	return nil
}
