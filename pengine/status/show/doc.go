// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package show words the state of a cluster as the status tools print it: lists
// of nodes and resources as indented text. It only reads what package status
// found; it prints nothing itself.
package show
