// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package wire holds the messages that controllers send each other in the group
// "crmd", and their encoding. Each message goes to all controllers in one order;
// those that are meant for one name it in To.
package wire
