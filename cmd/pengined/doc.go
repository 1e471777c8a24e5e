// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Command pengined is the policy engine's daemon: it decides, for the
// controller that asks it, what the cluster is to do, and keeps the inputs of
// its decisions for replay.
package main
