// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package wire translates between the executor's types and their protobuf form,
// for lrmd/server and lrmd/client and nobody else. It holds no state and makes no
// decision.
package wire
