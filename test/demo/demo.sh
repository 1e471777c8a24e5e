#!/usr/bin/env bash
# SPDX-FileCopyrightText: The Quorate authors
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Shows a cluster at work on this machine: three nodes on 127.0.77.x under
# folders of their own, without being root; a web service; the loss of the node
# that runs it. KEEP=1 leaves the cluster running.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
bin=${BIN:-$top/bin}
net=127.0.77
port=18077
url=$net.100:$port
dir=$(mktemp -d "${TMPDIR:-/tmp}/quorate-demo.XXXXXX")

# What the nodes and everything they start inherit: our programs, our agents.
export PATH=$bin:$PATH QUORATE_PROGRAM=$bin/quorate OCF_RA_PATH=$top/agents/scripts/ocf

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
note() { printf '   %s\n' "$*"; }
ms() { echo $(($(date +%s%N) / 1000000)); }

# on NODE TOOL…: a tool as on that node.
on() {
	local node=$1
	shift
	QUORATE_ROOT=$dir/n$node "$bin/quorate" "$@"
}

# processes PREFIX: the processes of the nodes whose folder starts so, also what
# their agents started.
processes() {
	grep -lsz -e "^QUORATE_ROOT=$1" -e "^$1" /proc/[0-9]*/environ /proc/[0-9]*/cmdline | cut -d/ -f3 | sort -u | grep -vx $$
}

# crash NODE: what a power failure does: everything ends at once.
crash() {
	local pids
	pids=$(processes "$dir/n$1" || true)
	lost=$(ms)
	# shellcheck disable=SC2086
	if [ -n "$pids" ]; then kill -9 $pids 2>/dev/null || true; fi
}

cleanup() {
	set +e
	for _ in 1 2 3; do
		# shellcheck disable=SC2046
		kill -9 $(processes "$dir/") 2>/dev/null
	done
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# fetch prints the page, or fails within half a second.
fetch() {
	timeout 0.5 bash -c "exec 3<>/dev/tcp/$net.100/$port && printf 'GET / HTTP/1.0\r\nHost: demo\r\n\r\n' >&3 && cat <&3" 2>/dev/null |
		tr -d '\r' | sed '1,/^$/d' | grep .
}

# until_true SECONDS WHAT COMMAND…: waits, showing that it waits.
until_true() {
	local limit=$(($(ms) + $1 * 1000)) what=$2
	shift 2
	printf '   %s ' "$what"
	until "$@" >/dev/null 2>&1; do
		if [ "$(ms)" -gt "$limit" ]; then
			printf '\n   gave up; the logs are:\n'
			tail -n 20 "$dir"/n*/log
			exit 1
		fi
		printf '.'
		sleep 0.1
	done
	printf ' done\n'
}

start_node() {
	local root=$dir/n$1
	rm -rf "$root/run" # as a boot does
	QUORATE_ROOT=$root setsid "$bin/quorate" run --root "$root" --metrics "$net.$1:9664" >>"$root/log" 2>&1 &
	echo $! >"$root/pid"
	disown
}

all_online() { on "$1" crm_mon -1 | grep -q 'Online: \[ node1 node2 node3 \]'; }
runs_on() { on "$1" crm_resource -Q -W -r site 2>/dev/null; }

say "Three nodes, $net.1 to $net.3, below $dir"
for i in 1 2 3; do
	mkdir -p "$dir/n$i/etc/corosync"
	echo "node$i" >"$dir/n$i/etc/hostname"
	{
		printf 'totem {\n\tversion: 2\n\tcluster_name: demo\n\ttransport: udpu\n}\nnodelist {\n'
		for j in 1 2 3; do printf '\tnode {\n\t\tname: node%s\n\t\tnodeid: %s\n\t\tring0_addr: %s.%s\n\t}\n' "$j" "$j" "$net" "$j"; done
		printf '}\nquorum {\n\tprovider: corosync_votequorum\n}\nlogging {\n\tto_syslog: no\n}\n'
	} >"$dir/n$i/etc/corosync/corosync.conf"
done
on 1 corosync-keygen >/dev/null
for i in 2 3; do cp -p "$dir/n1/etc/corosync/authkey" "$dir/n$i/etc/corosync/"; done
began=$(ms)
for i in 1 2 3; do start_node $i; done
for i in 1 2 3; do until_true 30 "node$i sees all three" all_online $i; done
note "the cluster formed in $(($(ms) - began)) ms"

say "A web service, kept on one node by a group"
on 1 crm_attribute -n stonith-enabled -v false
on 2 cibadmin -C -o resources -X '
<group id="web">
  <primitive id="ready" class="ocf" provider="pacemaker" type="Dummy">
    <operations><op id="ready-mon" name="monitor" interval="5s"/></operations>
  </primitive>
  <primitive id="site" class="ocf" provider="quorate" type="webdemo">
    <instance_attributes id="site-params">
      <nvpair id="site-address" name="address" value="'$net.100'"/>
      <nvpair id="site-port" name="port" value="'$port'"/>
    </instance_attributes>
    <operations><op id="site-mon" name="monitor" interval="2s" timeout="10s"/></operations>
  </primitive>
</group>'
until_true 20 "the page answers at http://$url/" fetch
on 3 crm_mon -1

say "The page"
fetch | sed 's/^/   /'
settled() { active=$(runs_on 1 | tr -dc 0-9) && [ -n "$active" ]; }
until_true 20 "it is settled where it runs" settled
other=$((active % 3 + 1))
say "node$active loses its power"
crash "$active"
until_true 30 "waiting for the page" fetch
note "the page was away for $(($(ms) - lost)) ms; now it says:"
fetch | sed 's/^/   /'

say "What moved, and why"
for i in 1 2 3; do
	if [ "$i" != "$active" ]; then
		sed -n -E 's/.*time=[^T]*T([0-9:.]+)Z.* msg="(membership formed|Initiating (start|stop) [^"]*|node left the ring|transition computed)"(.*)/\1 node'"$i"': \2 \4/p' \
			"$dir/n$i/log" | tail -n 6
	fi
done | sort | sed -E 's/daemon=[a-z]+ //; s/reference=[^ ]+ //' | cut -c1-150 | sed 's/^/   /'
on "$other" crm_mon -1r

say "node$active comes back"
start_node "$active"
until_true 30 "node$active is a member again" all_online "$other"
note "the page stays on $(runs_on "$other")"

if [ "${KEEP:-}" = 1 ]; then
	trap - EXIT
	say "The cluster stays up"
	note "look:      QUORATE_ROOT=$dir/n1 $bin/quorate crm_mon"
	note "page:      http://$url/"
	note "metrics:   http://$net.1:9664/metrics"
	note "logs:      $dir/n*/log"
	note "stop it:   for p in $dir/n*/pid; do kill \$(cat \$p); done"
else
	say "Cleaning up"
fi
