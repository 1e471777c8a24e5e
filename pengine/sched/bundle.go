// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

// bundle is a bundle while it is scheduled.
type bundle struct{}

func (b *bundle) parts() []*rsc      { return nil }
func (b *bundle) containers() []*rsc { return nil }
func (b *bundle) perHost() int       { return 1 }

// bundleVariant is the variant of containers with what runs in them.
type bundleVariant struct{ primitive }

func (s *scheduler) wrapBundle(r *rsc) { r.bundle = &bundle{} }

func (r *rsc) inContainer() *rsc { return nil }

func (r *rsc) inBundle(*node) bool { return false }
