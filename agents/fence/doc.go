// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package fence runs fence agents: programs called fence_* that take key=value
// lines on their standard input and cut a node's power, or storage.
//
// [Class.Call] runs one action of a device; [ParseOptions] reads the pcmk_
// parameters, and the pure functions beside it tell which node a device can
// fence, under which name, and how long and how often to try. Choosing devices,
// delays and peers is the cluster's business.
//
// [Class.Run] is what a STONITH resource does on a node: start and monitor ask
// the device whether it answers, stop does nothing, and a probe tells whether
// the resource was started here.
package fence
