// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package explain

import "strings"

// String words the edit.
func (e Edit) String() string {
	where := ""
	if e.Node != "" {
		where = " on " + e.Node
	}
	switch e.Kind {
	case RemoveConstraint:
		return "without constraint " + e.ID
	case SetScore:
		return "with score " + e.Value + " for " + e.ID
	case SetMeta:
		return "with " + e.Name + "=" + e.Value + " for " + e.Resource
	case SetOption:
		return "with the cluster option " + e.Name + "=" + e.Value
	case SetNodeAttr:
		if e.Value == "" {
			return "without the attribute " + e.Name + " of " + e.Node
		}
		return "with " + e.Name + "=" + e.Value + " for " + e.Node
	case SetCapacity:
		return "with a capacity of " + e.Name + "=" + e.Value + where
	case CleanUp:
		if where == "" {
			where = " everywhere"
		}
		return "with the failures of " + e.Resource + where + " cleared, if it is found well"
	case Forget:
		return "if " + e.Resource + " were found not to run" + where
	case BringUp:
		return "with " + e.Node + " up as a member of the cluster"
	case GrantTicket:
		return "with ticket " + e.ID + " granted and active"
	case RegainQuorum:
		return "with quorum"
	case Prefer:
		return "with a preference of " + e.Resource + " for " + e.Node
	case Ban:
		return "with " + e.Resource + " banned from " + e.Node
	case Allow:
		return "with " + e.Resource + " allowed" + where
	}
	return string(e.Kind)
}

// quoted protects an argument from a shell.
func quoted(s string) string {
	if s != "" && strings.IndexFunc(s, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_.:=/@%+,", c))
	}) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Command is what an administrator types to make the edit, "" where it is not a
// matter of one command.
func (e Edit) Command() string {
	rsc, node, name, value := quoted(e.Resource), quoted(e.Node), quoted(e.Name), quoted(e.Value)
	switch e.Kind {
	case RemoveConstraint:
		if rsc, ok := strings.CutPrefix(e.ID, "cli-prefer-"); ok {
			return "crm_resource --clear --resource " + quoted(rsc)
		}
		if rest, ok := strings.CutPrefix(e.ID, "cli-ban-"); ok {
			if i := strings.LastIndex(rest, "-on-"); i > 0 {
				return "crm_resource --clear --resource " + quoted(rest[:i]) + " --node " + quoted(rest[i+len("-on-"):])
			}
		}
		return "cibadmin --delete --xpath " + quoted(`//constraints/*[@id="`+e.ID+`"]`)
	case SetScore:
		return "cibadmin --modify --xpath " + quoted(`//`+e.Name+`[@id="`+e.ID+`"]`) + " --xml-text " + quoted(`<`+e.Name+` id="`+e.ID+`" score="`+e.Value+`"/>`)
	case SetMeta:
		return "crm_resource --resource " + rsc + " --meta --set-parameter " + name + " --parameter-value " + value
	case SetOption:
		return "crm_attribute --name " + name + " --update " + value
	case SetNodeAttr:
		cmd := "crm_attribute --node " + node + " --name " + name
		if e.Lifetime != "" {
			cmd += " --lifetime " + e.Lifetime
		}
		if e.Value == "" {
			return cmd + " --delete"
		}
		return cmd + " --update " + value
	case SetCapacity:
		return "crm_attribute --node " + node + " --utilization --name " + name + " --update " + value
	case CleanUp:
		if e.Node == "" {
			return "crm_resource --cleanup --resource " + rsc
		}
		return "crm_resource --cleanup --resource " + rsc + " --node " + node
	case Forget:
		return "crm_resource --refresh --resource " + rsc + " --node " + node
	case Allow:
		more := ""
		if e.Value != "" {
			more = ` resource-discovery="` + e.Value + `"`
		}
		return "cibadmin --modify --allow-create --scope constraints --xml-text " +
			quoted(`<constraints><rsc_location id="allow-`+e.Resource+`-on-`+e.Node+`" rsc="`+e.Resource+`" node="`+e.Node+`" score="0"`+more+`/></constraints>`)
	case GrantTicket:
		return "cibadmin --modify --allow-create --scope status --xml-text " +
			quoted(`<status><tickets><ticket_state id="`+e.ID+`" granted="true" standby="false"/></tickets></status>`)
	case Prefer:
		return "crm_resource --move --resource " + rsc + " --node " + node
	case Ban:
		return "crm_resource --ban --resource " + rsc + " --node " + node
	}
	return ""
}
