#!/bin/sh
# Everybody in a lab is its root: runs its arguments.
while [ $# -gt 0 ]; do
    case $1 in
    --) shift && break ;;
    -[CDRTUgprtu]) shift && shift ;;
    -*) shift ;;
    [A-Za-z_]*=*) export "$1" && shift ;;
    *) break ;;
    esac
done
[ $# -eq 0 ] || exec "$@"
