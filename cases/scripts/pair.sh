#!/bin/sh
set -e
ip netns add red
ip link add v-host address 02:00:00:00:00:01 type veth peer name v-red address 02:00:00:00:00:02 netns red
ip addr add 10.0.0.1/24 dev v-host
ip link set v-host up
ip -n red addr add 10.0.0.2/24 dev v-red
ip -n red link set v-red up
