// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package opdigest

import (
	"crypto/md5" //nolint:gosec // the format of the field; nothing secret depends on it
	"encoding/hex"
	"sort"
	"strconv"
	"strings"
)

// MetaPrefix begins the name of each parameter that comes from a
// meta-attribute.
const MetaPrefix = "CRM_meta_"

// MetaName gives the parameter name of a meta-attribute.
func MetaName(meta string) string {
	return MetaPrefix + strings.ReplaceAll(meta, "-", "_")
}

// notParameters never count, whatever their value.
var notParameters = map[string]bool{
	"id": true, "crm_feature_set": true, "op-digest": true, "on_node": true, "on_node_uuid": true, "pcmk_external_ip": true,
}

// Filter gives the parameters that count for a digest: no CRM_meta_* ones
// except the timeout of a recurring operation. The argument is not changed.
func Filter(params map[string]string) map[string]string {
	out := make(map[string]string, len(params))
	recurring := false
	if n, err := strconv.ParseUint(params[MetaPrefix+"interval"], 10, 64); err == nil && n > 0 {
		recurring = true
	}
	for k, v := range params {
		if notParameters[k] || (strings.HasPrefix(k, MetaPrefix) && !(recurring && k == MetaPrefix+"timeout")) {
			continue
		}
		out[k] = v
	}
	return out
}

// Sum is the digest of exactly the parameters given.
func Sum(params map[string]string) string {
	names := make([]string, 0, len(params))
	for k := range params {
		names = append(names, k)
	}
	sort.Strings(names)
	var b strings.Builder
	b.WriteString(" <parameters")
	for _, n := range names {
		b.WriteByte(' ')
		b.WriteString(n)
		b.WriteString("=\"")
		escape(&b, params[n])
		b.WriteByte('"')
	}
	b.WriteString("/>\n")
	sum := md5.Sum([]byte(b.String())) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:])
}

// All is the op-digest of an operation that ran with the parameters given,
// CRM_meta_* ones included.
func All(params map[string]string) string { return Sum(Filter(params)) }

// Only is the digest of the named parameters among those that count: the
// op-restart-digest, where the names are those that force a restart.
func Only(params map[string]string, names []string) string {
	return Sum(keep(Filter(params), names, true))
}

// Without is the digest of all parameters that count but the named ones: the
// op-secure-digest, where the names are those that are private.
func Without(params map[string]string, names []string) string {
	return Sum(keep(Filter(params), names, false))
}

// keep drops the parameters that are (not) among names.
func keep(params map[string]string, names []string, among bool) map[string]string {
	set := make(map[string]bool, len(names))
	for _, n := range names {
		set[n] = true
	}
	for k := range params {
		if set[k] != among {
			delete(params, k)
		}
	}
	return params
}

// escape writes an attribute value as libxml2-free Pacemaker does.
func escape(b *strings.Builder, s string) {
	for _, r := range s {
		switch r {
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '&':
			b.WriteString("&amp;")
		case '"':
			b.WriteString("&quot;")
		case '\t':
			b.WriteString("&#x9;")
		case '\n':
			b.WriteString("&#xA;")
		case '\r':
			b.WriteString("&#xD;")
		default:
			b.WriteRune(r)
		}
	}
}
