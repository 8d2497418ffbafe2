#!/bin/sh
# The tutorial's commands in its order, as root of `root`. What comes from us is marked with `+`; what is corrected, with
# `- ` before what the tutorial has, and why.

# + What the commands print is kept for the case to look at.
exec 3>&1 >/run/commands.txt 2>&1
trap 'cat /run/commands.txt >&3' EXIT
# + Its pings would take 20 s. Here neighbours are asked each 0.1 s, and requests leave 0.01 s apart.
mkdir /run/bin
cat >/run/bin/ping <<'END'
#!/bin/sh
for time in /proc/sys/net/ipv4/neigh/*/retrans_time_ms; do echo 100 >"$time"; done
exec /usr/bin/ping -i 0.01 -W 2 "$@"
END
chmod +x /run/bin/ping
PATH=/run/bin:$PATH
echo 'PATH=/run/bin:$PATH' >~/.profile

# + The commands begin after a part of the tutorial in which netns0 was made:
#   Cannot open network namespace "netns0": No such file or directory
sudo ip netns add netns0

sudo ip link add veth0 type veth peer name ceth0
ip link
sudo ip link set ceth0 netns netns0
ip link
sudo ip link set veth0 up
sudo ip addr add 172.18.0.11/16 dev veth0
# + What is typed after nsenter goes to the shell that it starts.
sudo nsenter --net=/var/run/netns/netns0 <<'END'
ip link set lo up
ip link set ceth0 up
ip addr add 172.18.0.10/16 dev ceth0
ip link
ping -c 2 172.18.0.11
exit
END
ping -c 2 172.18.0.10
ip addr show dev eth0
sudo nsenter --net=/var/run/netns/netns0 <<'END'
ping 10.0.2.15
ping 8.8.8.8
ip route
END
ip route

sudo ip netns add netns1
sudo ip link add veth1 type veth peer name ceth1
sudo ip link set ceth1 netns netns1
sudo ip link set veth1 up
sudo ip addr add 172.18.0.21/16 dev veth1
sudo nsenter --net=/var/run/netns/netns1 <<'END'
ip link set lo up
ip link set ceth1 up
ip addr add 172.18.0.20/16 dev ceth1
ping -c 2 172.18.0.21
ip route
exit
END
ping -c 2 172.18.0.20
sudo nsenter --net=/var/run/netns/netns0 <<'END'
ping -c 2 172.18.0.21
ping -c 2 172.18.0.20
END
ip route
sudo ip route delete 172.18.0.0/16 dev veth0 proto kernel scope link src 172.18.0.11
# + The tutorial says what two pings would do now.
ping -c 1 172.18.0.20
ping -c 1 172.18.0.10

# With a namespace its devices go, and with these their peers, some time later: whether `ip link delete veth0` still finds
# its device differs from run to run, and ceth0 and ceth1 are not here in any case.
sudo ip netns delete netns0
sudo ip netns delete netns1
sudo ip link delete veth0
sudo ip link delete ceth0
sudo ip link delete veth1
sudo ip link delete ceth1
# + Until they are gone, veth0 cannot be made anew: RTNETLINK answers: File exists
while ip link show veth0 || ip link show veth1; do :; done

sudo ip netns add netns0
sudo ip link add veth0 type veth peer name ceth0
sudo ip link set veth0 up
sudo ip link set ceth0 netns netns0
sudo nsenter --net=/var/run/netns/netns0 <<'END'
ip link set lo up
ip link set ceth0 up
ip addr add 172.18.0.10/16 dev ceth0
exit
END
sudo ip netns add netns1
sudo ip link add veth1 type veth peer name ceth1
sudo ip link set veth1 up
sudo ip link set ceth1 netns netns1
sudo nsenter --net=/var/run/netns/netns1 <<'END'
ip link set lo up
ip link set ceth1 up
ip addr add 172.18.0.20/16 dev ceth1
exit
END
ip route
sudo ip link add br0 type bridge
sudo ip link set br0 up
# + Its state before it has a port.
ip link show br0
sudo ip link set veth0 master br0
sudo ip link set veth1 master br0
sudo nsenter --net=/var/run/netns/netns0 <<'END'
ping -c 2 172.18.0.20
END
sudo nsenter --net=/var/run/netns/netns1 <<'END'
ping -c 2 172.18.0.10
END
sudo nsenter --net=/var/run/netns/netns0 <<'END'
ip neigh
exit
END
sudo nsenter --net=/var/run/netns/netns1 <<'END'
ip neigh
exit
END
