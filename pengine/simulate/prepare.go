// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package simulate

import (
	"errors"
	"fmt"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/schema"
)

// ErrSchema is the answer to a configuration that no schema allows.
var ErrSchema = errors.New("simulate: the configuration is not valid")

// noSchema warns of a document that nothing checks.
const noSchema = `Schema validation of configuration is disabled (support for validate-with set to "none" is deprecated and will be removed in a future release)`

// Prepare brings a CIB into the form that is decided on: with a status section,
// of the newest schema. What is lost or wrong is told. The document may be
// changed; the one to go on with is given back.
func Prepare(cib *etree.Element, warn func(string)) (*etree.Element, error) {
	if cib.Tag == "cib" && document.Child(cib, "status") == nil {
		document.Add(cib, "status")
	}
	with := document.Get(cib, "validate-with")
	up, err := schema.Upgrade(cib, schema.Newest())
	for _, line := range up.Notes {
		warn(line)
	}
	for _, f := range up.Faults {
		warn(f.String())
	}
	switch {
	case errors.Is(err, schema.ErrUnknownSchema):
		warn(fmt.Sprintf("crm_simulate: validate-with=%q names no known schema: set it to one from pacemaker-1.0 to %s", with, schema.Newest()))
		return nil, fmt.Errorf("%w: %w", ErrSchema, err)
	case err != nil && up.Stuck != "":
		warn(fmt.Sprintf("Cannot upgrade configuration (claiming %s schema) to at least %s because it would not upgrade past %s",
			with, schema.Newest(), up.Stuck))
		return nil, fmt.Errorf("%w: %w", ErrSchema, err)
	case err != nil:
		warn(fmt.Sprintf("Cannot upgrade configuration (claiming %s schema) to at least %s because it does not validate with any schema from %s to the latest",
			with, schema.Newest(), with))
		return nil, fmt.Errorf("%w: %w", ErrSchema, err)
	case with == "none":
		warn(noSchema)
		return up.CIB, nil
	case with != schema.Newest():
		return up.CIB, nil // found valid on the way
	}
	faults := schema.Validate(up.CIB, nil)
	for _, f := range faults {
		warn(f.String())
	}
	if len(faults) > 0 {
		return nil, ErrSchema
	}
	return up.CIB, nil
}
