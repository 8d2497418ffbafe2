#!/bin/sh
# The notes' commands in their order, unchanged but for the names that they leave open, as root of `host`. What corrects
# and completes them is marked with `+`.

# + What the commands print is kept for the case to look at.
exec 3>&1 >/run/commands.txt 2>&1
trap 'cat /run/commands.txt >&3' EXIT
# + Its pings would never end. Here one request has 1 s, and neighbours are asked each 0.1 s.
mkdir /run/bin
cat >/run/bin/ping <<'END'
#!/bin/sh
for time in /proc/sys/net/ipv4/neigh/*/retrans_time_ms; do echo 100 >"$time"; done
exec /usr/bin/ping -c 1 -W 1 "$@"
END
chmod +x /run/bin/ping
PATH=/run/bin:$PATH

ip netns help
ip netns add netns0
ip netns list
ip netns exec netns0 ip link set lo up

ip link add veth0 type veth peer name veth1
ip link add type veth
ip link
ip link set veth0 netns netns0
ip netns exec netns0 ip addr add 10.0.0.1/24 dev veth0
ip netns exec netns0 ip route
ip netns exec netns0 ip link set veth0 up
ip netns exec netns0 ping 10.0.0.2
# + Destination Host Unreachable: the other end has no address, and is down.
ip addr add 10.0.0.2/24 dev veth1
ip link set veth1 up
ip netns exec netns0 ping 10.0.0.2
# + Without one end there is no other.
ip link del veth1
ip netns exec netns0 ip link show veth0

ip link add br0 type bridge
ip link set dev br0 up
ip link set dev veth0 master br0
# + Cannot find device "veth0": the notes mean another pair, with one end in net0.
ip netns add net0
ip link add veth0 type veth peer name veth1
ip link set veth1 netns net0
ip netns exec net0 ip addr add 10.1.1.1/24 dev veth1
ip netns exec net0 ip link set veth1 up
ip link set dev veth0 master br0
ip link set dev veth0 up
ip addr add 10.1.1.2/24 dev veth0
bridge link
ip netns exec net0 ping 10.1.1.2
# + No answer: the address belongs to the bridge.
exit 0
