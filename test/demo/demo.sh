#!/usr/bin/env bash
# SPDX-FileCopyrightText: The Quorate authors
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Shows a cluster at work on this machine: three nodes with folders of their
# own, a web service, the loss of the node that runs it. For root each node is
# a network namespace and the service has a floating address (netns.sh);
# otherwise, or with DEMO_PLAIN=1, the nodes are loopback addresses (plain.sh).
# KEEP=1 leaves the cluster running; "demo.sh stop FOLDER" ends it.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
bin=$(cd "${BIN:-$top/bin}" && pwd)

# What the nodes and everything they start inherit: our programs, our agents.
export PATH=$bin:$PATH QUORATE_PROGRAM=$bin/quorate OCF_RA_PATH=$top/agents/scripts/ocf
unset QUORATE_NODE QUORATE_ROOT

bold='' plain=''
if [ -t 1 ]; then bold=$'\033[1m' plain=$'\033[0m'; fi
say() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
note() { printf '   %s\n' "$*"; }
indent() { sed 's/^./   &/'; }
ms() { echo $(($(date +%s%N) / 1000000)); }

# on NODE TOOL…: a tool as on that node.
on() {
	local node=$1
	shift
	QUORATE_ROOT=$dir/node$node "$bin/quorate" "$@"
}

# processes FOLDER: the processes of the nodes below it, also what their agents
# started.
processes() {
	grep -lsz -e "^QUORATE_ROOT=$1/" -e "^QUORATE_ROOT=$1\$" -e "^$1\$" /proc/[0-9]*/environ /proc/[0-9]*/cmdline |
		cut -d/ -f3 | sort -un | grep -vx $$
}

# slay FOLDER: kill -9 until there is none of them.
slay() {
	local pids
	for _ in 1 2 3 4 5; do
		pids=$(processes "$1" || true) # grep minds that processes end while it looks
		if [ -z "$pids" ]; then return; fi
		# shellcheck disable=SC2086
		kill -9 $pids 2>/dev/null || true
	done
}

# crash NODE: a power failure. Everything ends at once, unannounced.
crash() {
	lost=$(ms)
	touch "$dir/lost"
	unplug "$1"
	slay "$dir/node$1"
}

cleanup() {
	set +e
	trap '' INT TERM HUP PIPE
	for i in 1 2 3; do slay "$dir/node$i"; done
	net_down
	rm -rf "$dir"
}

# fetch brings the page into a file, or fails soon.
fetch() {
	in_client timeout 0.25 bash -c "exec 3<>/dev/tcp/$host/$port && printf 'GET / HTTP/1.0\r\nHost: demo\r\n\r\n' >&3 && cat <&3" 2>/dev/null |
		tr -d '\r' | sed '1,/^$/d' >"$dir/page" && [ -s "$dir/page" ]
}

# until_true SECONDS WHAT COMMAND…: waits, showing that it waits.
until_true() {
	local limit=$(($(ms) + $1 * 1000)) what=$2 tick=0 now
	shift 2
	printf '   %s ' "$what"
	until "$@" >/dev/null 2>&1; do
		now=$(ms)
		if [ "$now" -gt "$limit" ]; then
			printf '\n   gave up; the logs end with:\n'
			tail -n 20 "$dir"/node*/log
			exit 1
		fi
		if [ "$now" -ge "$tick" ]; then printf '.' && tick=$((now + 100)); fi
		sleep 0.03
	done
	printf ' done\n'
}

configure_node() {
	local etc=$dir/node$1/etc
	mkdir -p "$etc/corosync"
	echo "node$1" >"$etc/hostname"
	{
		printf 'totem {\n\tversion: 2\n\tcluster_name: demo\n\ttransport: udpu\n}\nnodelist {\n'
		for j in 1 2 3; do printf '\tnode {\n\t\tname: node%s\n\t\tnodeid: %s\n\t\tring0_addr: %s.%s\n\t}\n' "$j" "$j" "$net" "$j"; done
		printf '}\nquorum {\n\tprovider: corosync_votequorum\n}\nlogging {\n\tto_syslog: no\n}\n'
	} >"$etc/corosync/corosync.conf"
	if [ "$1" = 1 ]; then
		on 1 corosync-keygen >/dev/null
	else
		cp -p "$dir/node1/etc/corosync/authkey" "$etc/corosync/"
	fi
}

start_node() {
	local root=$dir/node$1
	rm -rf "$root/run" # as a boot does
	QUORATE_ROOT=$root become_in_node "$1" setsid "$bin/quorate" run --root "$root" --metrics "$net.$1:9664" \
		>>"$root/log" 2>&1 </dev/null &
	disown
}

all_online() { on "$1" crm_mon -1 | grep -q 'Online: \[ node1 node2 node3 \]'; }
runs_on() { on "$1" crm_resource -Q -W -r "$2" 2>/dev/null; }
idle() { on "$1" crm_resource --wait -T 1s; }

web_group() {
	cat <<END
<group id="web">
$(first_member)
  <primitive id="site" class="ocf" provider="quorate" type="webdemo">
    <instance_attributes id="site-params">
      <nvpair id="site-address" name="address" value="$host"/>
      <nvpair id="site-port" name="port" value="$port"/>
    </instance_attributes>
    <operations><op id="site-mon" name="monitor" interval="2s" timeout="10s"/></operations>
  </primitive>
</group>
END
}

# story tells what the logs of the nodes say about the time since the loss.
story() {
	for i in 1 2 3; do
		if [ "$i" != "$active" ]; then sed "s/^/node$i /" "$dir/node$i/log"; fi
	done | awk -v lost=$((lost % 86400000)) '
		function value(key) { return match($0, " " key "=(\"[^\"]*\"|[^ ]*)") ? substr($0, RSTART + length(key) + 2, RLENGTH - length(key) - 2) : "" }
		function text(key,  v) { v = value(key); gsub(/"/, "", v); return v }
		{
			split(substr(text("time"), 12, 12), t, ":")
			after = (t[1] * 3600 + t[2] * 60 + t[3]) * 1000 - lost
			if (after < -43200000) after += 86400000
			msg = text("msg")
			if (after < 0) next
		}
		msg == "peer silent" { msg = "node" text("node") " is " text("reason") }
		msg == "membership formed" { msg = "membership formed: members " text("members") ", left " text("left") }
		msg == "node left the ring" { msg = text("node") " left the ring" }
		msg == "transition computed" { input = text("input"); sub(/.*\//, "", input); msg = "transition computed: " text("actions") " actions, saved as " input }
		msg ~ /^(node[0-9]+ (is silent|left)|membership formed:|this node is the dc|transition computed:|Initiating (start|stop)|Result of (start|stop))/ {
			if (!(msg in told) || msg ~ /^this/) printf "%5d  %s  %s\n", after, $1, msg
			told[msg] = 1
		}' | sort -n -s -k 1,1
}

# decision prints what the policy engine made of the inputs that were saved since
# the loss, by replaying them.
decision() {
	local input summary
	for input in "$dir"/node["$survivor$third"]/var/lib/pacemaker/pengine/pe-*.bz2; do
		if [ ! "$input" -nt "$dir/lost" ]; then continue; fi
		summary=$(on "$survivor" crm_simulate -S -x "$input" | sed -n '/^Transition Summary/,/^$/p' | grep '\*' || true)
		if [ -z "$summary" ]; then continue; fi
		note "what was decided, as crm_simulate of ${input##*/} says again:"
		indent <<<"$summary"
	done
}

choose_form() {
	local why
	if [ "${DEMO_PLAIN:-}" = 1 ]; then
		why="DEMO_PLAIN=1"
	elif [ "$(id -u)" != 0 ]; then
		why="not root"
	else
		form=netns
		# shellcheck source=test/demo/netns.sh
		. "$here/netns.sh"
		if net_up >"$dir/why"; then return; fi
		why=$(head -n 1 "$dir/why")
	fi
	form=plain
	# shellcheck source=test/demo/plain.sh
	. "$here/plain.sh"
	net_up
	note "without namespaces, hence without a floating address ($why)"
}

if [ "${1:-}" = stop ]; then
	dir=$(cd "${2:?the folder of the demo}" && pwd)
	read -r form owner <"$dir/form"
	# shellcheck source=test/demo/netns.sh
	. "$here/$form.sh"
	cleanup
	exit
fi

dir=$(mktemp -d "${TMPDIR:-/tmp}/quorate-demo.XXXXXX")
# shellcheck disable=SC2317
net_down() { :; } # until a form is chosen
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
trap 'exit 141' PIPE

say "Three nodes on this machine"
choose_form
echo "$form $$" >"$dir/form"
describe
host=${url#http://} host=${host%/} port=80
case $host in *:*) port=${host#*:} host=${host%:*} ;; esac
for i in 1 2 3; do configure_node $i; done
began=$(ms)
for i in 1 2 3; do start_node $i; done
for i in 1 2 3; do until_true 30 "node$i sees all three" all_online $i; done
note "the cluster formed in $(($(ms) - began)) ms"

say "A web service: a group, kept together on one node"
on 1 crm_attribute -n stonith-enabled -v false
web_group | on 2 cibadmin -C -o resources -p
until_true 20 "the page answers at $url" fetch
until_true 20 "the cluster has nothing left to do" idle 3
active=$(runs_on 1 site | tr -dc 0-9)
on 3 crm_mon -1 | indent

say "The page"
indent <"$dir/page"
survivor=$((active % 3 + 1)) third=$(((active + 1) % 3 + 1))

say "node$active loses its power"
crash "$active"
until_true 30 "the page is fetched again and again" fetch
back=$(ms)
note "the page was away for $((back - lost)) ms; now it says:"
indent <"$dir/page"

say "What moved, and why"
until_true 20 "the cluster has nothing left to do" idle "$survivor"
note "the group web moved from node$active to $(runs_on "$survivor" site), as the logs tell (ms after the power loss):"
story | indent
decision
show_address "$survivor" "$third"
on "$survivor" crm_mon -1r | indent

say "node$active comes back"
plug "$active"
start_node "$active"
until_true 30 "node$active is a member again" all_online "$survivor"
note "the page stays on $(runs_on "$survivor" site)"

if [ "${KEEP:-}" = 1 ]; then
	trap - EXIT
	say "The cluster stays up"
	note "the page:   $url"
	note "metrics:    http://$net.1:9664/metrics"
	note "status:     QUORATE_ROOT=$dir/node1 $bin/quorate crm_mon"
	note "move it:    QUORATE_ROOT=$dir/node1 $bin/quorate crm_resource --move -r web"
	note "logs:       $dir/node*/log"
	look_more
	note "end it:     $here/demo.sh stop $dir"
else
	say "Cleaning up"
fi
