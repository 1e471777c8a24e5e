// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package lrmdv1 is the wire form of the local resource manager's API, generated
// from lrmd.proto, which is its reference.
package lrmdv1
