// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cibtool

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/beevik/etree"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/cibsource"
	"github.com/quorate/quorate/internal/cli/exit"
)

// adminFlags are the options of cibadmin.
type adminFlags struct {
	upgrade, query, erase, bump, create, modify, patch, replace, remove, removeAll bool
	empty, md5, md5Versioned, feature                                              bool
	force, sync, local, allowCreate, noChildren, nodePath, score, pipe             bool
	timeout, verbose                                                               int
	user, text, file, scope, xpath, node, access                                   string
}

func cibadmin(ctx context.Context, io *cli.IO, args []string) int {
	var f adminFlags
	cmd := &cobra.Command{
		Use: "cibadmin", Short: "query and edit the Pacemaker configuration", Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, operands []string) error { return f.run(cmd.Context(), io, operands) },
	}
	f.declare(cmd.Flags())
	return cli.Execute(ctx, io, cmd, args)
}

func (f *adminFlags) declare(fs *pflag.FlagSet) {
	fs.BoolVarP(&f.upgrade, "upgrade", "u", false, "Upgrade the configuration to the latest syntax (needs --force)")
	fs.BoolVarP(&f.query, "query", "Q", false, "Query the contents of the CIB")
	fs.BoolVarP(&f.erase, "erase", "E", false, "Erase the contents of the whole CIB (needs --force)")
	fs.BoolVarP(&f.bump, "bump", "B", false, "Increase the CIB's epoch value by 1")
	fs.BoolVarP(&f.create, "create", "C", false, "Create an object in the CIB (fails if it exists)")
	fs.BoolVarP(&f.modify, "modify", "M", false, "Find an object in the CIB and update it (fails if there is none, unless -c is given)")
	fs.BoolVarP(&f.patch, "patch", "P", false, "Supply an update in the form of a patchset (see crm_diff)")
	fs.BoolVarP(&f.replace, "replace", "R", false, "Recursively replace an object in the CIB")
	fs.BoolVarP(&f.remove, "delete", "D", false, "Delete the first object that matches: element name and all attributes given")
	fs.BoolVarP(&f.removeAll, "delete-all", "d", false, "With --xpath, remove all matching objects instead of just the first (needs --force)")
	fs.BoolVarP(&f.empty, "empty", "a", false, "Output an empty CIB")
	fs.BoolVarP(&f.md5, "md5-sum", "5", false, "Calculate the on-disk digest of the data")
	fs.BoolVarP(&f.md5Versioned, "md5-sum-versioned", "6", false, "Calculate the on-the-wire digest of the data")
	fs.StringVarP(&f.access, "show-access", "S", "", "Accepted; access rules are not shown")
	fs.Lookup("show-access").NoOptDefVal = "auto"
	fs.BoolVarP(&f.force, "force", "f", false, "Do what is dangerous")
	fs.IntVarP(&f.timeout, "timeout", "t", 0, "Time (in seconds) to wait before declaring the operation failed")
	fs.StringVarP(&f.user, "user", "U", "", "Run with the permissions of the named user (root and hacluster only)")
	fs.BoolVarP(&f.sync, "sync-call", "s", false, "Wait for the call to complete (always so)")
	fs.BoolVarP(&f.local, "local", "l", false, "Work on the local node (always so)")
	fs.BoolVarP(&f.allowCreate, "allow-create", "c", false, "Let --modify create the object if it does not exist")
	fs.BoolVarP(&f.noChildren, "no-children", "n", false, "Leave out the children of queried objects")
	fs.StringVarP(&f.text, "xml-text", "X", "", "Take XML from the supplied string")
	fs.StringVarP(&f.file, "xml-file", "x", "", "Take XML from the named file")
	fs.BoolVarP(&f.pipe, "xml-pipe", "p", false, "Take XML from stdin")
	fs.StringVarP(&f.scope, "scope", "o", "", "Limit the operation to a section: configuration, nodes, resources, constraints,\n"+
		"crm_config, rsc_defaults, op_defaults, acls, fencing-topology, tags, alerts, status")
	fs.StringVarP(&f.xpath, "xpath", "A", "", "A valid XPath to use instead of --scope")
	fs.BoolVarP(&f.nodePath, "node-path", "e", false, "With XPath queries, return the paths of the matches")
	fs.StringVarP(&f.node, "node", "N", "", "Send the command to the named node (all have the same CIB)")
	fs.CountVarP(&f.verbose, "verbose", "V", "Increase debug output")
	fs.BoolVar(&f.score, "score", false, "Compute value++ and value+=n")
	fs.BoolVarP(&f.feature, "feature-list", "!", false, "Version and features")
	fs.StringVar(&f.scope, "obj_type", "", "")
	for _, hidden := range []string{"feature-list", "obj_type", "score"} {
		_ = fs.MarkHidden(hidden)
	}
}

// op gives the operation that the flags ask for, "" if none.
func (f *adminFlags) op() cib.Op {
	for _, c := range []struct {
		set bool
		op  cib.Op
	}{
		{f.query, cib.OpQuery},
		{f.create, cib.OpCreate},
		{f.modify, cib.OpModify},
		{f.replace, cib.OpReplace},
		{f.removeAll, cib.OpDeleteAll},
		{f.remove, cib.OpDelete},
		{f.patch, cib.OpApplyPatch},
		{f.erase, cib.OpErase},
		{f.bump, cib.OpBump},
		{f.upgrade, cib.OpUpgrade},
	} {
		if c.set {
			return c.op
		}
	}
	return ""
}

const dangerous = "The supplied command is considered dangerous.  To prevent accidental destruction of the cluster, " +
	"the --force flag is required in order to proceed."

func (f *adminFlags) run(ctx context.Context, io *cli.IO, operands []string) error {
	if f.feature {
		cli.PrintVersion(io)
		return nil
	}
	if f.empty {
		schema := ""
		if len(operands) > 0 {
			schema = operands[0]
		}
		_, err := io.Stdout.Write(document.Format(document.Empty(schema)))
		return err
	}
	if f.md5 || f.md5Versioned {
		return f.digest(io)
	}
	op := f.op()
	switch {
	case op == "":
		return exit.Errorf(exit.Usage, "cibadmin: no command is given, such as --query; see --help")
	case !f.force && (op == cib.OpErase || op == cib.OpUpgrade || op == cib.OpDeleteAll):
		return exit.Errorf(exit.Unsafe, "%s", dangerous)
	}
	data, err := f.input(io)
	if err != nil {
		return err
	}
	req := cib.Request{
		Op: op, Section: f.scope, XPath: f.xpath, Data: data, CanCreate: f.allowCreate, NoChildren: f.noChildren,
		NodePath: f.nodePath, Score: f.score, Force: f.force, User: f.user, Client: "cibadmin",
	}
	if user := io.Env("CIB_user"); req.User == "" && user != "" {
		req.User = user
	}
	return f.send(ctx, io, req)
}

func (f *adminFlags) input(io *cli.IO) ([]byte, error) {
	var text []byte
	var err error
	source := ""
	switch {
	case f.text != "":
		text, source = []byte(f.text), "string"
		if len(f.text) > maxInput {
			err = errTooLarge
		}
	case f.file != "":
		source = f.file
		text, err = readFile(io, f.file)
	case f.pipe:
		source = "STDIN"
		text, err = readAll(io.Stdin)
	default:
		return nil, nil
	}
	if _, err := parse(text, err, source); err != nil {
		return nil, err
	}
	return text, nil
}

func (f *adminFlags) digest(io *cli.IO) error {
	data, err := f.input(io)
	if err != nil {
		return err
	}
	if data == nil {
		return exit.Errorf(exit.Usage, "Please supply XML to process with -X, -x or -p")
	}
	root, err := document.Parse(data)
	if err != nil {
		return exit.Errorf(exit.DataErr, "%w", err)
	}
	label := "Digest: "
	if f.md5Versioned {
		label = "Versioned (" + document.FeatureSet + ") digest: "
	}
	io.Errorf("%s", label)
	io.Printf("%s\n", document.MD5(root))
	return nil
}

func (f *adminFlags) send(ctx context.Context, io *cli.IO, req cib.Request) error {
	ctx, cancel := limited(ctx, f.timeout)
	defer cancel()
	store, err := cibsource.Open(io)
	if err != nil {
		return noConnection(err)
	}
	defer func() { _ = store.Close() }()
	if f.node != "" {
		if err := knownNode(ctx, store, f.node); err != nil {
			return err
		}
	}
	res, err := store.Do(ctx, req)
	if err != nil {
		return f.refused(io, req.Op, err)
	}
	if req.Op == cib.OpUpgrade && !res.Applied {
		io.Errorf("Upgrade unnecessary: Schema is already the latest available\n")
	}
	if len(res.Output) > 0 {
		return f.print(io, res.Output)
	}
	return nil
}

func noConnection(err error) error {
	if cibsource.Code(err) == exit.Disconnect {
		return exit.Errorf(exit.Disconnect, "Could not connect to the CIB: %s\nInit failed, could not perform requested operations", words(err))
	}
	return err
}

// knownNode tells whether the CIB knows a node. All nodes have the same CIB, so
// that the answer of this one is that of the node.
func knownNode(ctx context.Context, store cib.Store, name string) error {
	root, err := cibsource.Read(ctx, store)
	if err != nil {
		return noConnection(err)
	}
	if document.ChildWith(document.Section(root, "nodes"), "node", "uname", name) == nil {
		host, err := os.Hostname()
		if err == nil && strings.EqualFold(host, name) {
			return nil
		}
		return exit.Errorf(exit.Timeout, "cibadmin: node %q is not known to the cluster and does not answer", name)
	}
	return nil
}

func (f *adminFlags) refused(io *cli.IO, op cib.Op, err error) error {
	code := cibsource.Code(err)
	var ce *cib.Error
	refused := errors.As(err, &ce)
	if code == exit.Disconnect && !refused {
		return noConnection(err)
	}
	if refused && len(ce.Output) > 0 {
		if _, err := io.Stdout.Write(ce.Output); err != nil {
			return err
		}
	}
	return exit.Errorf(code, "Call %s failed: %s", op, words(err))
}

func (f *adminFlags) print(io *cli.IO, output []byte) error {
	if !f.nodePath {
		_, err := io.Stdout.Write(output)
		return err
	}
	root, err := document.Parse(output)
	if err != nil {
		return exit.Errorf(exit.DataErr, "%w", err)
	}
	for e := range document.All(root, "xpath-query-path") {
		printPath(io, e)
	}
	return nil
}

func printPath(io *cli.IO, e *etree.Element) { io.Printf("%s\n", document.ID(e)) }
