# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-FileCopyrightText: The Quorate authors
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The rootless form: the nodes are folders and loopback addresses. The page is
# served at an address that every node has, so that there is none to move.
# Sourced by demo.sh; netns.sh has the same functions.

net_up() { net=127.77.$(($$ % 254 + 1)) url=http://$net.100:18077/; }
net_down() { :; }

describe() { note "nodes at $net.1 to $net.3, files below $dir"; }

# become_in_node NODE COMMAND…: this shell becomes a command in the node's network.
become_in_node() { shift && exec "$@"; }
# in_client: a command in the network of the client.
in_client() { "$@"; }

unplug() { :; }
plug() { :; }

first_member() {
	cat <<END
  <primitive id="ready" class="ocf" provider="pacemaker" type="Dummy">
    <operations><op id="ready-mon" name="monitor" interval="5s" timeout="20s"/></operations>
  </primitive>
END
}

show_address() { :; }
look_more() { :; }
