#!/bin/sh
# The tutorial's commands in its order, unchanged, as root of `host`. Those that do not give what it shows stand here all
# the same, and print their errors; what corrects them follows and is marked with `+`.

# + What the commands print is kept for the case to look at.
exec 3>&1 >/run/commands.txt 2>&1
trap 'cat /run/commands.txt >&3' EXIT
# + Its pings would never end. Here one request has 0.2 s.
mkdir /run/bin
cat >/run/bin/ping <<'END'
#!/bin/sh
exec /usr/bin/ping -c 1 -W 0.2 "$@"
END
chmod +x /run/bin/ping
PATH=/run/bin:$PATH

ip netns add red
ip netns
ip link
ip netns exec red ip link
ip -n red link
# + Somebody whom the host has talked to.
ping 192.168.1.3
arp
ip nets exec red arp
# + Object "nets" is unknown, try "ip help".
ip netns exec red arp

ip link add veth-red type veth peer name veth-blue
ip link set veth-red netns red
ip link set veth-blue netns blue
# + argument "blue" is wrong: Invalid "netns" value. Nothing has made it.
ip netns add blue
ip link set veth-blue netns blue
ip -n red addr add 192.168.15.1 dev veth-red
ip -n blue addr add 192.168.15.2 dev veth-blue
ip -n red link set veth-red up
ip -n blue link set veth-blue up
ip netns exec red ping 192.168.15.2
# + Network is unreachable: an address without a prefix is alone in its network.
ip -n red addr add 192.168.15.1/24 dev veth-red
ip -n blue addr add 192.168.15.2/24 dev veth-blue
ip netns exec red ping 192.168.15.2
arp
ip netns exec red arp
ip netns exec blue arp

ip link add v-net-0 type bridge
# + It is in the list.
ip link show v-net-0
ip link set dev v-net-0 up
ip -n red link del veth-red
ip link add veth-red type veth peer name veth-red-br
ip link add veth-blue type veth peer name veth-blue-br
ip link set veth-red netns red
ip link set veth-red-br master v-net-0
ip -n red addr add 192.168.15.1 dev veth-red
ip -n blue addr add 192.168.15.2 dev veth-blue
ip -n red link set veth-red up
ip -n blue link set veth-blue up
# + Cannot find device "veth-blue", twice: it was not moved. Nor is its other end a port.
ip link set veth-blue netns blue
ip link set veth-blue-br master v-net-0
ip -n red addr add 192.168.15.1/24 dev veth-red
ip -n blue addr add 192.168.15.2/24 dev veth-blue
ip -n blue link set veth-blue up
ip netns exec red ping 192.168.15.2
# + No answer: the ends on the bridge were not taken up. Nor is there an error, as red's lo is down.
ip link set veth-red-br up
ip link set veth-blue-br up
ip netns exec red ping 192.168.15.2
# + The host has no address there: the request leaves by its default route.
ping 192.168.15.2
ip addr add 192.168.15.5/24 dev v-net-0
ping 192.168.15.2

ip netns exec blue ip route add 192.168.1.0/24 via 192.168.15.5
ip netns exec blue ping 192.168.1.3
iptables -t nat -A POSTROUTING -s 192.168.15.0/24 -j MASQUERADE
ip netns exec blue ping 192.168.1.3
# + No answer: forwarding was not switched on.
echo 1 >/proc/sys/net/ipv4/ip_forward
ip netns exec blue ping 192.168.1.3
ip netns exec blue ping 8.8.8.8
ip netns exec blue ip route add default via 192.168.15.5
ip netns exec blue ping 8.8.8.8

iptables -t nat -A PREROUTING --dport 80 --to-destination 192.168.15.2:80 -j DNAT
# + unknown option "--dport": it is one of a protocol.
iptables -t nat -A PREROUTING -p tcp --dport 80 --to-destination 192.168.15.2:80 -j DNAT
# + unknown option "--to-destination": it is one of a target, which comes after it.
iptables -t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to-destination 192.168.15.2:80
iptables -t nat -S
