#!/bin/bash
# The tutorial's commands in its order, as root of `host`. What comes from us and what corrects them is marked with `+`;
# what is left out, with `-`, and why.

# + What the commands print is kept for the case to look at.
exec 3>&1 >/run/commands.txt 2>&1
trap 'cat /run/commands.txt >&3' EXIT
# + Its ping would never end. Here three requests leave 0.01 s apart, and neighbours are asked each 0.1 s.
mkdir /run/bin
cat >/run/bin/ping <<'END'
#!/bin/sh
for time in /proc/sys/net/ipv4/neigh/*/retrans_time_ms; do echo 100 >"$time"; done
exec /usr/bin/ping -c 3 -i 0.01 -W 2 "$@"
END
chmod +x /run/bin/ping
PATH=/run/bin:$PATH

ip netns add blue
ip link add vethtest01 type veth peer name vethest002
ip link list
ifconfig -a
ip link set vethest002 netns blue
ip netns exec blue ip link list
ip netns exec blue ifconfig vethest002 10.1.1.2/16 up
ip netns exec blue ifconfig
ip netns exec blue /bin/bash <<<exit

brctl show
ip link add name test-bridge type bridge
ip link set test-bridge up
ifconfig
# - yum -y install bridge-utils
#   What a case brings to run has no network but that of the case. The machine has it.
brctl addbr test-bridge up
# + device test-bridge already exists; can't create bridge with the same name. Nor does it know `up`.
ip link set dev vethtest01 master test-bridge
ifconfig test-bridge 10.1.2.2/16 up
# + The bridge has lost its carrier with a port that is down. When the kernel tells so, up to a second later, it forgets
#   whom it is asking for, and the ping would be silent.
until ip route | grep -q linkdown; do sleep 0.05; done
ping 10.1.1.2
# + Destination Host Unreachable: vethtest01 was not taken up.
ip link set vethtest01 up
ping 10.1.1.2

# - yum -y install gcc
#   As above.
make
ip netns exec blue /bin/bash <<'END'
./http_server >/dev/null 2>&1 &
END
# + It listens on 8080, 1F90 in hexadecimal.
until ip netns exec blue grep -q :1F90 /proc/net/tcp; do :; done
curl 10.1.1.2:8080
