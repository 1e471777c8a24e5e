// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package crm is the one-shot form of the crm shell for what operators do every
// day: crm status, crm node and crm resource. Each command is carried out by the
// tool that it stands for, so that both answer alike.
package crm
