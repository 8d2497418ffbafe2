#!/bin/bash
# One network namespace under two names, with both ends of a pair in it.
set -e
ip netns add red
touch /run/netns/blue; mount --bind /run/netns/red /run/netns/blue
ip link add veth-red type veth peer name veth-blue
ip link set veth-red netns red
ip link set veth-blue netns red
ip -n red addr add 10.0.0.1/24 dev veth-red
ip -n red addr add 10.0.0.2/24 dev veth-blue
ip -n red link set veth-red up
ip -n red link set veth-blue up
