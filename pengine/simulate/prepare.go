// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package simulate

import (
	"errors"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// ErrSchema is the answer to a configuration that no schema allows.
var ErrSchema = errors.New("simulate: the configuration is not valid")

// noSchema warns of a document that nothing checks.
const noSchema = `Schema validation of configuration is disabled (support for validate-with set to "none" is deprecated and will be removed in a future release)`

// Prepare brings a CIB into the form that is decided on: with a status section,
// of the newest schema. What is wrong with it is told. The document is changed.
func Prepare(cib *etree.Element, warn func(string)) error {
	if document.Child(cib, "status") == nil {
		document.Add(cib, "status")
	}
	if document.Get(cib, "validate-with") == "none" {
		warn(noSchema)
	}
	return nil
}
