// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package fencing decides how a node is fenced: by which devices, in which
// order, run by which node; and keeps what became of it. It is pure: the DC's
// controller feeds it and carries its outputs out.
//
// Devices are the CIB's primitives of class stonith. Where fencing-topology has
// levels for the target, all devices of a level must succeed, and the next level
// is tried after a failure; without a topology each device that can fence the
// target is a level of its own. A device is run by a node other than the target:
// first one where the device is active, then the DC, then the others; the target
// itself only where nobody else may. A request for what is already under way
// joins it.
//
// A node counts as fenced only by a device's success or an operator's word.
package fencing
