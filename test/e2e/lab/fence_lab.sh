#!/bin/sh
# SPDX-FileCopyrightText: The Quorate authors
# SPDX-License-Identifier: GPL-2.0-or-later
#
# fence_lab: the fence agent of the lab. It asks the lab, through a folder that
# all nodes share, to power a node off, and waits for the answer.
action=reboot
plug=
while IFS= read -r line; do
	case $line in
	action=* | option=*) action=${line#*=} ;;
	port=* | plug=*) plug=${line#*=} ;;
	nodename=*) [ -n "$plug" ] || plug=${line#*=} ;;
	esac
done

metadata() {
	cat <<'XML'
<?xml version="1.0" ?>
<resource-agent name="fence_lab" shortdesc="power switch of the test lab">
  <longdesc>Asks the test lab to power a node off.</longdesc>
  <parameters>
    <parameter name="action" required="1"><getopt mixed="-o, --action=[action]"/><content type="string" default="reboot"/><shortdesc lang="en">Fencing action</shortdesc></parameter>
    <parameter name="plug" required="1" obsoletes="port"><getopt mixed="-n, --plug=[id]"/><content type="string"/><shortdesc lang="en">Node</shortdesc></parameter>
    <parameter name="port" required="1" deprecated="1"><getopt mixed="-n, --plug=[id]"/><content type="string"/><shortdesc lang="en">Node</shortdesc></parameter>
  </parameters>
  <actions>
    <action name="on"/>
    <action name="off"/>
    <action name="reboot"/>
    <action name="status"/>
    <action name="list"/>
    <action name="monitor"/>
    <action name="metadata"/>
  </actions>
</resource-agent>
XML
}

# ask REQUEST: 0 if the lab granted it, 1 if it refused, 2 for no answer.
ask() {
	name="$1.$(cat /proc/sys/kernel/random/uuid)"
	: >"/run/lab/$name.new"
	mv "/run/lab/$name.new" "/run/lab/$name.ask"
	tries=0
	while [ "$tries" -lt 1200 ]; do
		if [ -e "/run/lab/$name.yes" ]; then return 0; fi
		if [ -e "/run/lab/$name.no" ]; then return 1; fi
		sleep 0.05
		tries=$((tries + 1))
	done
	return 2
}

case $action in
metadata) metadata ;;
off | reboot)
	ask "off.$plug" && exit 0
	echo "fence_lab: the power switch refused to turn $plug off" >&2
	exit 1
	;;
status)
	ask "status.$plug" || exit 2
	;;
list)
	for f in /run/lab/nodes/*; do echo "${f##*/},"; done
	;;
on | monitor) ;;
*)
	echo "fence_lab: unknown action $action" >&2
	exit 1
	;;
esac
exit 0
