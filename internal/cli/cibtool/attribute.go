// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cibtool

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/beevik/etree"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/attrs"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/cibsource"
	"github.com/quorate/quorate/internal/cli/exit"
	"github.com/quorate/quorate/internal/cli/output"
)

// attrFlags are the options of crm_attribute.
type attrFlags struct {
	name, id, pattern, set, update, fallback, lifetime, node, scope, as, promotion, old string
	remove, query, quiet, utilization, oldQuiet                                         bool
	verbose                                                                             int
	changed                                                                             func(string) bool
	args                                                                                []string
}

// noInstance stands for --promotion without a resource.
const noInstance = "\x00"

func crmAttribute(ctx context.Context, io *cli.IO, args []string) int {
	f := attrFlags{args: append([]string{"crm_attribute"}, args...)}
	cmd := &cobra.Command{Use: "crm_attribute", Short: "query and update Pacemaker cluster options and node attributes"}
	f.declare(cmd.Flags())
	f.changed = func(name string) bool { return cmd.Flags().Changed(name) }
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), io) }
	return cli.Execute(ctx, io, cmd, joinOptional(args, "-p", "--promotion"))
}

// joinOptional lets an option with an optional value take the next word as its
// value, unless that is an option itself.
func joinOptional(args []string, short, long string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		if (args[i] == short || args[i] == long) && i+1 < len(args) && args[i+1] != "" && args[i+1][0] != '-' {
			out = append(out, long+"="+args[i+1])
			i++
			continue
		}
		out = append(out, args[i])
	}
	return out
}

func (f *attrFlags) declare(fs *pflag.FlagSet) {
	fs.StringVarP(&f.id, "id", "i", "", "(Advanced) Operate on the attribute with this XML ID")
	fs.StringVarP(&f.name, "name", "n", "", "Operate on the attribute or option with this name; queries may leave it out")
	fs.StringVarP(&f.pattern, "pattern", "P", "", "Operate on all attributes matching this pattern (with -G, or with -v/-D and -l reboot)")
	fs.StringVarP(&f.promotion, "promotion", "p", "", "Operate on the promotion score of this resource, or of $OCF_RESOURCE_INSTANCE")
	fs.Lookup("promotion").NoOptDefVal = noInstance
	fs.StringVarP(&f.set, "set-name", "s", "", "(Advanced) Operate on the attribute within the set with this XML ID")
	fs.BoolVarP(&f.remove, "delete", "D", false, "Delete the attribute/option")
	fs.BoolVarP(&f.query, "query", "G", false, "Query the current value of the attribute/option")
	fs.StringVarP(&f.update, "update", "v", "", "Update the value of the attribute/option")
	fs.StringVarP(&f.fallback, "default", "d", "", "(Advanced) Value to display if none is found")
	fs.StringVarP(&f.lifetime, "lifetime", "l", "", "Lifetime of the node attribute: reboot, forever")
	fs.StringVarP(&f.node, "node", "N", "", "Operate on an attribute of the named node (instead of a cluster option)")
	fs.StringVarP(&f.scope, "type", "t", "", "Where the option is: crm_config, rsc_defaults, op_defaults, tickets")
	fs.BoolVarP(&f.utilization, "utilization", "z", false, "Operate on a utilization attribute of the node")
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "Print only the value on stdout")
	fs.CountVarP(&f.verbose, "verbose", "V", "Increase debug output")
	fs.StringVar(&f.as, "output-as", "text", "Output format: text, xml")
	// Spellings of the past that scripts still use.
	fs.StringVar(&f.name, "attr-name", "", "")
	fs.StringVar(&f.update, "attr-value", "", "")
	fs.StringVar(&f.id, "attr-id", "", "")
	fs.BoolVar(&f.remove, "delete-attr", false, "")
	fs.BoolVar(&f.query, "get-value", false, "")
	fs.StringVarP(&f.node, "node-uname", "U", "", "")
	fs.BoolVarP(&f.oldQuiet, "old-quiet", "Q", false, "")
	fs.StringVarP(&f.old, "inhibit-policy-engine", "!", "", "")
	fs.Lookup("inhibit-policy-engine").NoOptDefVal = "true"
	for _, hidden := range []string{"attr-name", "attr-value", "attr-id", "delete-attr", "get-value", "node-uname", "old-quiet", "inhibit-policy-engine"} {
		_ = fs.MarkHidden(hidden)
	}
}

// answer is what is printed.
type answer struct {
	scope, id, name, value string
}

func (f *attrFlags) run(ctx context.Context, io *cli.IO) error {
	as, err := output.ParseFormat(f.as, output.Text, output.XML)
	if err != nil {
		return exit.Errorf(exit.Usage, "crm_attribute: %w", err)
	}
	var found []answer
	err = f.work(ctx, io, &found)
	if as == output.XML {
		res := output.Result{Request: f.args, Code: exit.Of(err)}
		for _, a := range found {
			e := document.New("attribute", "name", a.name, "value", a.value, "scope", a.scope)
			if f.id != "" {
				document.Set(e, "id", a.id)
			}
			res.Body = append(res.Body, e)
		}
		if err != nil {
			res.Errors = []string{err.Error()}
		}
		if werr := res.Write(io.Stdout); werr != nil {
			return werr
		}
		return silent(err)
	}
	for _, a := range found {
		switch {
		case f.quiet || f.oldQuiet:
			io.Printf("%s\n", a.value)
		case f.id != "":
			io.Printf("scope=%s id=%s name=%s value=%s\n", a.scope, a.id, a.name, a.value)
		default:
			io.Printf("scope=%s  name=%s value=%s\n", a.scope, a.name, a.value)
		}
	}
	return err
}

func (f *attrFlags) updates() bool {
	return f.changed("update") || f.changed("attr-value")
}

func (f *attrFlags) work(ctx context.Context, io *cli.IO, found *[]answer) error {
	if err := f.resolve(io); err != nil {
		return err
	}
	store, err := cibsource.Open(io)
	if err != nil {
		return failed("crm_attribute", err)
	}
	defer func() { _ = store.Close() }()
	root, err := cibsource.Read(ctx, store)
	if err != nil {
		return failed("crm_attribute", err)
	}
	place, err := f.place(ctx, io, root)
	if err != nil {
		return err
	}
	switch {
	case f.remove:
		return f.delete(ctx, io, store, root, place)
	case f.updates():
		return failed("crm_attribute", f.change(ctx, store, root, place))
	}
	return f.read(root, place, found)
}

// resolve settles what the options mean together.
func (f *attrFlags) resolve(io *cli.IO) error {
	if f.promotion != "" {
		rsc := f.promotion
		if rsc == noInstance {
			rsc = io.Env("OCF_RESOURCE_INSTANCE")
		}
		if rsc == "" {
			return exit.Errorf(exit.Usage, "crm_attribute: -p/--promotion must be called from an OCF resource agent or with a resource ID specified")
		}
		if i := strings.LastIndexByte(rsc, ':'); i > 0 && strings.Trim(rsc[i+1:], "0123456789") == "" {
			rsc = rsc[:i] // the instance number of a clone
		}
		f.name = "master-" + rsc
		if f.lifetime == "" {
			f.lifetime = "reboot"
		}
	}
	switch f.lifetime {
	case "", "reboot", "forever":
	default:
		return exit.Errorf(exit.Protocol, "crm_attribute: Error performing operation: No message of desired type\n"+
			"  lifetime %q is neither reboot nor forever", f.lifetime)
	}
	if f.scope == "" {
		switch {
		case f.lifetime == "reboot":
			f.scope = "status"
		case f.lifetime == "forever", f.node != "", f.utilization:
			f.scope = "nodes"
		default:
			f.scope = "crm_config"
		}
	}
	if f.scope == "node" {
		f.scope = "nodes"
	}
	known := []string{"crm_config", "rsc_defaults", "op_defaults", "tickets", "nodes", "status"}
	if !slices.Contains(known, f.scope) {
		return exit.Errorf(exit.Protocol, "crm_attribute: Error performing operation: No message of desired type\n"+
			"  type %q is none of %s", f.scope, strings.Join(known, ", "))
	}
	if (f.updates() || f.remove) && f.name == "" && f.id == "" && f.pattern == "" {
		return exit.Errorf(exit.Usage, "crm_attribute: must specify an attribute name or pattern to update or delete")
	}
	if f.pattern != "" && f.scope != "status" && (f.updates() || f.remove) {
		return exit.Errorf(exit.Usage, "crm_attribute: pattern can only be used to update or delete with lifetime reboot")
	}
	return nil
}

func (f *attrFlags) place(ctx context.Context, io *cli.IO, root *etree.Element) (attrs.Place, error) {
	p := attrs.Place{Scope: attrs.Scope(f.scope), Set: f.set, ID: f.id, Name: f.name}
	if f.scope != "nodes" && f.scope != "status" {
		return p, nil
	}
	if f.utilization {
		p.Scope = attrs.ScopeUtilization
	}
	p.NodeName = f.node
	if p.NodeName == "" {
		p.NodeName = localNode(ctx, io)
	}
	if p.NodeID = attrs.NodeID(root, p.NodeName); p.NodeID == "" {
		return p, exit.Errorf(exit.NoSuch, "crm_attribute: Could not map name=%s to a UUID", p.NodeName)
	}
	return p, nil
}

func (f *attrFlags) read(root *etree.Element, place attrs.Place, found *[]answer) error {
	scope := string(place.Scope)
	if place.Scope == attrs.ScopeUtilization {
		scope = "nodes"
	}
	var match *regexp.Regexp
	if f.pattern != "" {
		re, err := regexp.Compile(f.pattern)
		if err != nil {
			return exit.Errorf(exit.Usage, "crm_attribute: pattern: %w", err)
		}
		match, place.Name = re, ""
	}
	pairs := attrs.Find(root, place)
	for _, nv := range pairs {
		name := document.Get(nv, "name")
		if match == nil || match.MatchString(name) {
			*found = append(*found, answer{scope, document.ID(nv), name, document.Get(nv, "value")})
		}
	}
	switch {
	case len(*found) > 0:
		return nil
	case f.changed("default"):
		*found = append(*found, answer{scope, f.id, f.name, f.fallback})
		return nil
	}
	return exit.Errorf(exit.NoSuch, "crm_attribute: Error performing operation: No such device or address")
}

// transient tells whether the attribute manager is to be asked.
func (f *attrFlags) transient(place attrs.Place) bool {
	return place.Scope == attrs.ScopeStatus && f.id == ""
}

func (f *attrFlags) attrUpdate(place attrs.Place) cib.AttrUpdate {
	up := cib.AttrUpdate{Node: place.NodeName, Name: place.Name, Set: place.Set, Value: f.update, Delete: f.remove}
	if f.pattern != "" {
		up.Name, up.Pattern = f.pattern, true
	}
	return up
}

func (f *attrFlags) change(ctx context.Context, store cib.Store, root *etree.Element, place attrs.Place) error {
	if f.transient(place) {
		return store.SetAttr(ctx, f.attrUpdate(place))
	}
	if place.Set == "" && place.ID == "" {
		if pairs := attrs.Find(root, place); len(pairs) > 1 {
			var b strings.Builder
			for _, nv := range pairs {
				b.WriteString("\n  Value: " + document.Get(nv, "value") + " \t(id=" + document.ID(nv) + ")")
			}
			return &cib.Error{Code: cib.CodeMultiple, Op: cib.OpModify, Msg: "Multiple attributes match name=" + place.Name + b.String() +
				"\nPlease choose from one of the matches below and supply the 'id' with --attr-id"}
		}
	}
	section, data := place.Update(root, f.update)
	_, err := store.Do(ctx, cib.Request{
		Op: cib.OpModify, Section: section, CanCreate: true, Data: document.Compact(data), Client: "crm_attribute",
	})
	return err
}

func (f *attrFlags) delete(ctx context.Context, io *cli.IO, store cib.Store, root *etree.Element, place attrs.Place) error {
	if f.transient(place) {
		return failed("crm_attribute", store.SetAttr(ctx, f.attrUpdate(place)))
	}
	pairs := attrs.Find(root, place)
	if len(pairs) > 1 && place.Set == "" && place.ID == "" {
		return exit.Errorf(exit.Multiple, "crm_attribute: Error performing operation: Multiple attributes match name=%s: "+
			"choose one by --set-name or --id", place.Name)
	}
	for _, nv := range pairs {
		id, name := document.ID(nv), document.Get(nv, "name")
		_, err := store.Do(ctx, cib.Request{
			Op: cib.OpDelete, Section: f.scope, Data: document.Compact(document.New("nvpair", "id", id, "name", name)), Client: "crm_attribute",
		})
		if err != nil {
			return failed("crm_attribute", err)
		}
		what := "attribute"
		if f.scope == "crm_config" {
			what = "option"
		}
		io.Printf("Deleted %s %s: id=%s name=%s\n", f.scope, what, id, name)
	}
	return nil
}
