# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-FileCopyrightText: The Quorate authors
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The form for root: each node is a network namespace on a bridge, which is in
# the namespace of the client, so that nothing changes in the network of this
# machine. Sourced by demo.sh; plain.sh has the same functions.

spaces=quorate-${owner:-$$}
client=$spaces-client

# net_up builds the network, or says why it cannot and leaves nothing.
net_up() {
	net=203.0.113 url=http://203.0.113.100/
	if ! command -v ip >/dev/null; then
		echo "iproute2 is not installed"
		return 1
	fi
	ip netns add "$client" 2>&1 || return 1 # a name of others is never removed
	if ! { bridge && plug 1 && plug 2 && plug 3; } 2>&1; then
		net_down
		return 1
	fi
}

bridge() {
	ip -n "$client" link set lo up &&
		ip -n "$client" link add bridge type bridge &&
		ip -n "$client" address add "$net.254/24" dev bridge &&
		ip -n "$client" link set bridge up &&
		ip netns exec "$client" true
}

# plug NODE: a new network for the node, as after a boot: no address of before.
plug() {
	local space=$spaces-node$1
	ip -n "$client" link delete "port$1" 2>/dev/null || true
	ip netns delete "$space" 2>/dev/null || true
	ip netns add "$space" &&
		ip -n "$client" link add "port$1" type veth peer name eth0 netns "$space" &&
		ip -n "$client" link set "port$1" master bridge up &&
		ip -n "$space" link set lo up &&
		ip -n "$space" address add "$net.$1/24" dev eth0 &&
		ip -n "$space" link set eth0 up
}

# unplug NODE: its cable.
unplug() { ip -n "$client" link set "port$1" down; }

net_down() {
	local space
	for space in "$spaces"-node1 "$spaces"-node2 "$spaces"-node3 "$client"; do
		ip netns delete "$space" 2>/dev/null || true
	done
}

describe() {
	note "nodes at $net.1 to $net.3 in the namespaces $spaces-node1 to -node3, a client"
	note "in $client; files below $dir"
}

# become_in_node NODE COMMAND…: this shell becomes a command in the node's network.
become_in_node() {
	local space=$spaces-node$1
	shift
	exec ip netns exec "$space" "$@"
}
# in_client: a command in the network of the client.
in_client() { ip netns exec "$client" "$@"; }

first_member() {
	cat <<END
  <primitive id="address" class="ocf" provider="heartbeat" type="IPaddr2">
    <instance_attributes id="address-params">
      <nvpair id="address-ip" name="ip" value="$net.100"/>
      <nvpair id="address-mask" name="cidr_netmask" value="24"/>
    </instance_attributes>
    <operations><op id="address-mon" name="monitor" interval="5s" timeout="20s"/></operations>
  </primitive>
END
}

# show_address NODE…: their addresses; the floating one is on one of them.
show_address() {
	note "the addresses, as ip says:"
	local i
	for i in "$@"; do
		ip -n "$spaces-node$i" -4 -o address show dev eth0 | sed -n "s/.* inet \([^ ]*\).*/     node$i  \1/p"
	done
}

look_more() {
	note "a client:   ip netns exec $client bash    # the page and the metrics are reachable there"
	note "a node:     ip netns exec $spaces-node1 ip address"
}
