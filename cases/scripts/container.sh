#!/bin/bash
# A container by hand, as the how-tos do it: a process with a network of its own, whose namespace gets a name by a link.
trap 'echo "unexpected"; exit 9' ERR

may_fail() {
    ip link show nosuch 2> /dev/null
    true
}
may_fail

unshare --net sleep infinity &
until [ "$(readlink /proc/$!/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done
mkdir -p /var/run/netns
ln -sfT /proc/$!/ns/net /var/run/netns/cont

ip link add vh type veth peer name eth0 netns cont
ip addr add 10.0.0.1/24 dev vh
ip link set vh up
ip -n cont addr add 10.0.0.2/24 dev eth0
ip -n cont link set eth0 up

mkdir -p /etc/netns/cont
echo "nameserver 10.0.0.1" > /etc/netns/cont/resolv.conf

# What belongs to the machine can be added to, here.
echo "100 isp1" >> /etc/iproute2/rt_tables
echo "net.ipv4.ip_forward = 1" >> /etc/sysctl.conf
mkdir -p /etc/cni/net.d /usr/local/lib/tools
ip route add 192.0.2.0/24 via 10.0.0.2 table isp1
printf '#!/bin/sh\necho built\n' > built
cp built /usr/local/bin/installed
chmod +x built /usr/local/bin/installed
