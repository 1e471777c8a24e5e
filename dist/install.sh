#!/bin/sh
# SPDX-FileCopyrightText: The Quorate authors
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Puts a built tree in place, or takes it away again:
#   DESTDIR=/tmp/image PREFIX=/usr dist/install.sh [remove]
# Called by make install. With an empty DESTDIR it also makes the accounts and
# folders, and lets systemd read its units.
set -eu
cd "$(dirname "$0")/.."
: "${DESTDIR=}" "${PREFIX=/usr}"

sbin=$PREFIX/sbin
libexec=$PREFIX/libexec/quorate
share=$PREFIX/share
units=/usr/lib/systemd/system
daemons="messagingd cibd lrmd pengined transitiond crmd qnetd"

# tool_links prints the link of each tool: its path from the root.
tool_links() {
	bin/quorate tools | while read -r dir name; do
		case $dir in
		sbin) echo "$sbin/$name" ;;
		-) ;;
		*) echo "/usr/$dir/$name" ;; # where clients look, whatever the prefix
		esac
	done
}

put() { # put MODE FILE TARGET
	install -D -m "$1" "$2" "$DESTDIR$3"
}

if [ "${1-}" = remove ]; then
	tool_links | while read -r link; do rm -f "$DESTDIR$link"; done
	rm -rf "$DESTDIR$libexec"
	rm -f "$DESTDIR$sbin/quorate" "$DESTDIR$units"/quorate* "$DESTDIR$units/corosync.service" "$DESTDIR$units/corosync-qnetd.service" \
		"$DESTDIR$units/corosync-qdevice.service" "$DESTDIR$units/pacemaker.service" "$DESTDIR$PREFIX/bin/corosync-qnetd"
	exit 0
fi

for d in $daemons; do
	if [ -x "bin/$d" ]; then put 755 "bin/$d" "$libexec/$d"; fi
done
put 755 bin/quorate "$sbin/quorate"
mkdir -p "$DESTDIR$PREFIX/bin"
ln -sf "$libexec/qnetd" "$DESTDIR$PREFIX/bin/corosync-qnetd"
tool_links | while read -r link; do
	mkdir -p "$DESTDIR$(dirname "$link")"
	# A crm shell that is installed has more to offer than our one-shot form.
	case $link in */crm) if [ -e "$DESTDIR$link" ] && [ ! -L "$DESTDIR$link" ]; then continue; fi ;; esac
	ln -sf "$sbin/quorate" "$DESTDIR$link"
done

for u in dist/systemd/*; do
	t=$(mktemp)
	sed "s|@LIBEXEC@|$libexec|g" "$u" >"$t"
	put 644 "$t" "$units/$(basename "$u")"
	rm -f "$t"
done
put 644 dist/sysusers.d/quorate.conf /usr/lib/sysusers.d/quorate.conf
put 644 dist/tmpfiles.d/quorate.conf /usr/lib/tmpfiles.d/quorate.conf
[ -e "$DESTDIR/etc/default/quorate" ] || put 644 dist/default/quorate /etc/default/quorate

# Agents that ship. They are found under /usr/lib/quorate/ocf after those of
# resource-agents, where these are installed; those of our own provider also
# stand where clients list them.
if [ -d agents/scripts/ocf ]; then
	(cd agents/scripts/ocf && find . -type f) | sed 's|^\./||' | while read -r f; do
		put 755 "agents/scripts/ocf/$f" "/usr/lib/quorate/ocf/$f"
		case $f in quorate/*) put 755 "agents/scripts/ocf/$f" "/usr/lib/ocf/resource.d/$f" ;; esac
	done
fi
for f in agents/scripts/fence_*; do
	if [ -f "$f" ]; then put 755 "$f" "/usr/sbin/$(basename "$f")"; fi
done

for m in docs/man/*.[1-8]; do
	[ -e "$m" ] || continue
	put 644 "$m" "$share/man/man${m##*.}/$(basename "$m")"
done
for f in dist/examples/*; do put 644 "$f" "$share/doc/quorate/examples/$(basename "$f")"; done
for f in README.md CHANGELOG.md LICENSE; do
	if [ -e "$f" ]; then put 644 "$f" "$share/doc/quorate/$f"; fi
done

if [ -z "$DESTDIR" ] && [ "$(id -u)" = 0 ]; then
	if command -v systemd-sysusers >/dev/null; then systemd-sysusers quorate.conf; fi
	if command -v systemd-tmpfiles >/dev/null; then systemd-tmpfiles --create quorate.conf || true; fi
	if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
fi
