// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package systemd runs systemd units as resource agents over D-Bus: start and
// stop end when systemd's job does, and a monitor looks at the unit's state.
//
// While the cluster holds a unit active, a drop-in file under /run keeps systemd
// from restarting it on its own and from stopping it at shutdown before the
// cluster does.
package systemd
