#!/bin/sh
# Two namespaces, one of which is set by hand, and a cable with IPv6 addresses.
set -e

ip netns add red
ip netns add blue
ip netns exec blue sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 7 > /proc/sys/net/ipv4/tcp_retries2'
# Whoever comes later finds what the first one has set.
test "$(ip netns exec blue cat /proc/sys/net/ipv4/tcp_retries2)" = 7

ip link add v-host type veth peer name v-red netns red
ip link set v-host up
ip addr add fd00::1/64 dev v-host
ip -n red link set v-red up
ip -n red addr add fd00::2/64 dev v-red

# Who makes a namespace may set it at once, before anybody else comes to it.
touch /run/netns/green
python3 -c '
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
assert libc.unshare(0x40000000) == 0
open("/proc/sys/net/ipv4/ip_forward", "w").write("1")
assert libc.mount(b"/proc/self/ns/net", b"/run/netns/green", b"none", 4096, None) == 0
'
