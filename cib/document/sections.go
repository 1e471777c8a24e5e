// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package document

import (
	"crypto/md5" //nolint:gosec // Pacemaker's digest is MD5; ours is SHA-256
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"github.com/beevik/etree"
)

// Feature set and schema of new documents: those of Pacemaker 2.1.5, whose
// clients and configurations this stack serves.
const (
	FeatureSet    = "3.16.1"
	DefaultSchema = "pacemaker-3.9"
)

// sections maps the section names of CIB requests to their path below cib.
var sections = map[string][]string{
	"cib":              {},
	"all":              {},
	"configuration":    {"configuration"},
	"status":           {"status"},
	"crm_config":       {"configuration", "crm_config"},
	"nodes":            {"configuration", "nodes"},
	"resources":        {"configuration", "resources"},
	"constraints":      {"configuration", "constraints"},
	"rsc_defaults":     {"configuration", "rsc_defaults"},
	"op_defaults":      {"configuration", "op_defaults"},
	"acls":             {"configuration", "acls"},
	"fencing-topology": {"configuration", "fencing-topology"},
	"tags":             {"configuration", "tags"},
	"alerts":           {"configuration", "alerts"},
	"tickets":          {"status", "tickets"},
}

// SectionPath gives the tags that lead from the root to a section; ok is false
// for a name that is no section. "" is the root.
func SectionPath(name string) (tags []string, ok bool) {
	if name == "" {
		return nil, true
	}
	tags, ok = sections[name]
	return tags, ok
}

// Section gives the element of a section, or nil where it is absent or the
// name is no section. "" is the root itself.
func Section(root *etree.Element, name string) *etree.Element {
	tags, ok := SectionPath(name)
	if !ok {
		return nil
	}
	return At(root, tags...)
}

// Path gives the place of an element as Pacemaker writes it: tags with the id
// where there is one, /cib/configuration/resources/primitive[@id='ip'].
func Path(e *etree.Element) string {
	var steps []string
	for ; e != nil && e.Tag != ""; e = e.Parent() {
		step := "/" + e.FullTag()
		if id, ok := Lookup(e, "id"); ok {
			step += "[@id='" + id + "']"
		}
		steps = append(steps, step)
	}
	slices.Reverse(steps)
	return strings.Join(steps, "")
}

// Empty makes a CIB without content, as cibadmin --empty prints it.
func Empty(schema string) *etree.Element {
	if schema == "" {
		schema = DefaultSchema
	}
	root := New("cib", "crm_feature_set", FeatureSet, "validate-with", schema,
		"epoch", "1", "num_updates", "0", "admin_epoch", "0")
	conf := Add(root, "configuration")
	for _, tag := range []string{"crm_config", "nodes", "resources", "constraints"} {
		Add(conf, tag)
	}
	Add(root, "status")
	return root
}

// Versions gives the three numbers that order documents; what is absent or no
// number counts as 0.
func Versions(root *etree.Element) (adminEpoch, epoch, numUpdates uint64) {
	num := func(name string) uint64 {
		n, err := strconv.ParseUint(Get(root, name), 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	return num("admin_epoch"), num("epoch"), num("num_updates")
}

// SetVersions sets the three numbers.
func SetVersions(root *etree.Element, adminEpoch, epoch, numUpdates uint64) {
	Set(root, "epoch", strconv.FormatUint(epoch, 10))
	Set(root, "num_updates", strconv.FormatUint(numUpdates, 10))
	Set(root, "admin_epoch", strconv.FormatUint(adminEpoch, 10))
}

// Digest is the SHA-256 of the element's compact text, in hexadecimal. Equal
// text, equal digest: the order of attributes counts.
func Digest(e *etree.Element) string {
	sum := sha256.Sum256(Compact(e))
	return hex.EncodeToString(sum[:])
}

// MD5 is the digest that cibadmin --md5-sum prints: over the unformatted text
// between a blank and a newline.
func MD5(e *etree.Element) string {
	b := append([]byte{' '}, Compact(e)...)
	sum := md5.Sum(append(b, '\n')) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:])
}
