// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package client

import "github.com/quorate/quorate/messaging"

// Direct tells whether the stream of a group has a connection of its own.
func Direct(g messaging.Group) bool {
	own, ok := g.(*group)
	return ok && own.direct != nil
}
