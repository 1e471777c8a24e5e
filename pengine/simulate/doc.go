// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package simulate carries a transition out on paper: it changes a copy of the
// CIB as the cluster's agents would if all went well, or failed as told. It is
// pure; it runs nothing.
package simulate
