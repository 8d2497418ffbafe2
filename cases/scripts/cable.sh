#!/bin/sh -e
# One cable with both ends here.
ip link add e0 type veth peer name e1
ip link set e0 up
ip link set e1 up
ip addr add 10.0.0.1/24 dev e1
