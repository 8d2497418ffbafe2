#!/bin/bash
# Builds one of two machines, and then does what cannot be done.
set -e

ip netns add red
ip link add veth-red-br address 02:00:00:00:0f:05 type veth peer name veth-red netns red
ip addr add 192.168.15.5/24 dev veth-red-br
ip link set veth-red-br up
ip -n red addr add 192.168.15.1/24 dev veth-red
ip -n red link set veth-red up
ip link set v-net-0 up
ip netns add blue
