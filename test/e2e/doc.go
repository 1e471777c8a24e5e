// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package e2e runs the installed stack on several nodes and asks the questions
// an administrator asks: does it form, does the service come back, is it never
// there twice, is nothing lost.
//
// Most tests use machines made by package lab (systemd-nspawn, root needed) and
// work through the operator tools alone. Every test begins with fresh nodes: the
// disks of the former one are wiped, the machines booted again. An outside
// witness looks into every node each 50 ms while a test runs, and the test fails
// when it ever saw the address, the mount or the web server on two nodes.
//
// The tests of rootless_test.go run three nodes on 127.0.0.x and need no rights.
//
// The same tests run on another stack, to compare with: $E2E_IMAGE is a folder to
// lay over the machines' root instead of the result of make install, $E2E_UNITS
// the units to start there, $E2E_PATIENCE a factor for the limits.
//
// Logs of a failed test are kept in $E2E_LOGS, or in a folder of the temporary
// directory whose name is printed.
package e2e
