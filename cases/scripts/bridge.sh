#!/bin/bash
# Two machines on a bridge, as one does it by hand.
set -e

ip netns add red
ip netns add blue

sudo ip link add v-net-0 type bridge
sudo ip link set v-net-0 up
ip addr add 192.168.15.5/24 dev v-net-0

for name in red blue; do
    n=$((n + 1))
    ip link add "veth-$name" address 02:00:00:00:0f:0$n type veth peer name "veth-$name-br"
    ip link set "veth-$name" netns "$name"
    ip link set "veth-$name-br" master v-net-0 up
    ip netns exec "$name" ip link set lo up
    ip -n "$name" link set "veth-$name" up
done
ip -n red addr add 192.168.15.1/24 dev veth-red
nsenter --net=/var/run/netns/blue ip addr add 192.168.15.2/24 dev veth-blue

# What stands in /run/netns is what was made here, beside the node itself.
test "$(ip netns list | awk '{ print $1 }' | sort | tr '\n' ' ')" = "blue host red "
grep -q nsfs /proc/self/mountinfo
cat /proc/sys/net/ipv4/ip_forward
