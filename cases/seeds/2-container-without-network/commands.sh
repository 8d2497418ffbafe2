#!/bin/bash
# The tutorial's commands in its order, as root of `host`. What comes from us is marked with `+`; what is corrected, with
# `-` before what the tutorial has, and why.

# + What the commands print is kept for the case to look at.
exec 3>&1 >/run/commands.txt 2>&1
trap 'cat /run/commands.txt >&3' EXIT
# + A page that does not come is not waited for.
echo 'max-time = 2' >~/.curlrc

ip link add ve_A type veth peer name ve_B
ethtool -S ve_A
# - ip link | grep '^16:'
#   The number is the one that ethtool has just told.
ip link | grep "^$(ethtool -S ve_A | sed -n 's/.*peer_ifindex: //p'):"
ethtool -S veth550bfa1@if25
brctl show
mkdir -p /var/run/netns
find -L /var/run/netns -type l -delete

# - docker run --rm -it --network=none -d nginx
#   There is no container engine: docker: command not found. A process with a network namespace of its own does.
unshare --net sh -c 'ip link set lo up; exec nginx -c "$PWD/nginx.conf" -g "daemon off;"' &
until [ -s /run/nginx.pid ]; do :; done
# - docker ps
jobs
# - docker inspect ebcf462cbb463d41dd677a501aee5a629f587141c27632d4954017784877b7c0 | grep -i pid
cat /run/nginx.pid
# - export pid=119320
export pid=$(cat /run/nginx.pid)
echo $pid
nsenter -t $pid -n ip a
ln -s "/proc/$pid/ns/net" /var/run/netns/$pid
# + For the case, which cannot know the number: another name for the same.
ip netns attach container $pid
# - ls /var/run/netns/119320
ls /var/run/netns/$pid
ip netns list
lsns -t net | head -n 3
ls -l /proc/$pid/ns

ip link add A type veth peer name B
brctl addif docker0 A
ip link set A up
ip a
SETIP=172.17.0.10
SETMASK=16
GATEWAY=172.17.0.1
ip link set B netns $pid
ip netns exec $pid ip link set dev B name eth0
# + The peer is gone to another namespace: M-DOWN goes, LOWERLAYERDOWN stays.
ip link show A
ip netns exec $pid ip a
ip netns exec $pid ip link set eth0 up
ip netns exec $pid ip a
ip netns exec $pid ip addr add $SETIP/$SETMASK dev eth0
ip netns exec $pid ip route add default via $GATEWAY
nsenter -t $pid -n ip a
nsenter -t $pid -n ip route
# + A's carrier, and with it its address, comes a moment after the other end is up.
until ip addr show A | grep -q 'inet6 fe80'; do :; done
ip a

# + The Internet of the case is there once this script has ended.
{
# - docker exec ebcf462cbb46 curl -I www.baidu.com
until nsenter -t $pid -n curl -I www.baidu.com; do sleep 0.1; done
curl -I $SETIP
} >/run/pages.txt 2>&1 &
