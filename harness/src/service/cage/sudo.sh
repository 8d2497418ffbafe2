#!/bin/sh
# Everybody in a lab is its root: runs its arguments.
while [ $# -gt 0 ]; do
    case $1 in
    --) shift && break ;;
    --chdir | --chroot | --close-from | --command-timeout | --group | --host | --other-user | --prompt | --role | --type | --user)
        shift && shift ;;
    --*) shift ;;
    -*)
        # The first letter that wants a value has it behind itself, or as the next word.
        plain=${1%%[CDRTUghprtu]*}
        case ${1#"$plain"} in
        ?) shift && shift ;;
        *) shift ;;
        esac
        ;;
    [A-Za-z_]*=*) export "$1" && shift ;;
    *) break ;;
    esac
done
[ $# -eq 0 ] || exec "$@"
