// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package schema

import (
	"errors"
	"fmt"
	"slices"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// ErrUnknownSchema is the answer to a CIB that names no schema, or an unknown
// one.
var ErrUnknownSchema = errors.New("schema: the configuration names no known schema")

// ErrNotUpgradable is the answer to a CIB that no schema allows or that cannot
// be brought to the one that is wanted.
var ErrNotUpgradable = errors.New("schema: the configuration cannot be upgraded")

// An Upgraded is a CIB that was brought to a newer schema.
type Upgraded struct {
	CIB *etree.Element // a changed copy, or the original where nothing had to be changed
	// From and To are the names of the schemas; they are equal where nothing was
	// done.
	From, To string
	// Notes say what was lost or may need a look, beginning with WARNING: or
	// INFO:.
	Notes []string
	// Faults are what was found wrong, where the upgrade failed, and Stuck is the
	// newest schema that the CIB came to nevertheless, "" for none.
	Faults []Fault
	Stuck  string
}

// A step leads from the last schema of one series to the first one of the
// next; what newer schemas merely add needs no step.
type step struct {
	from version
	run  func(root *etree.Element, note func(string)) error
}

var steps = []step{
	{v13, acls13},
	{v210, upgrade210},
	{v310, upgrade310},
}

// Upgrade brings a CIB to the newest schema up to the named one: schema by
// schema, with the changes that a step demands only where the CIB is not valid
// without. The argument is not changed. A CIB of the named schema or a newer
// one, or of none, is given back as it is.
func Upgrade(root *etree.Element, to string) (Upgraded, error) {
	with := document.Get(root, "validate-with")
	u := Upgraded{CIB: root, From: with, To: with}
	if with == unchecked {
		return u, nil
	}
	at, last := version(slices.Index(names, with)), version(slices.Index(names, to))
	if at < 0 || last < 0 {
		return u, fmt.Errorf("%w: validate-with=%q", ErrUnknownSchema, with)
	}
	if at >= last {
		return u, nil
	}
	best, err := u.climb(at, last)
	switch {
	case best < 0:
		u.Faults = faultsBy(root, at, 0)
		return u, fmt.Errorf("%w: it is not valid by any schema from %s to %s", ErrNotUpgradable, with, to)
	case err != nil:
		return u, err
	case best < last:
		u.Faults, u.Stuck = faultsBy(u.CIB, best+1, 0), names[best]
		return u, fmt.Errorf("%w: it would not upgrade past %s", ErrNotUpgradable, names[best])
	}
	u.To = names[best]
	if u.CIB == root {
		u.CIB = document.Clone(root)
	}
	document.Set(u.CIB, "validate-with", u.To)
	return u, nil
}

// climb goes through the schemas. It gives the newest one that the CIB came to,
// -1 for none.
func (u *Upgraded) climb(at, last version) (best version, err error) {
	if at >= v30 && valid(u.CIB, last) {
		return last, nil // within the series 3 schemas only get wider
	}
	best = -1
	for v := at; v <= last; v++ {
		if !valid(u.CIB, v) {
			if best >= 0 {
				return best, err
			}
			continue
		}
		best, err = v, nil
		i := slices.IndexFunc(steps, func(s step) bool { return s.from == v })
		if v == last || i < 0 || valid(u.CIB, v+1) {
			continue
		}
		next := document.Clone(u.CIB)
		if err = steps[i].run(next, u.note); err != nil {
			continue
		}
		if faults := faultsBy(next, v+1, 1); len(faults) > 0 {
			err = fmt.Errorf("%w: what %s makes of it is not valid: %s", ErrNotUpgradable, names[v+1], faults[0])
			continue
		}
		u.CIB = next
	}
	return best, err
}

func (u *Upgraded) note(line string) { u.Notes = append(u.Notes, line) }
