# Notes at which command a bash script with `set -e` ends, for the message about the script.
unset BASH_ENV
trap 'case $- in *e*) printf "%s %s %s\n" "$LINENO" "$?" "${BASH_SOURCE[0]}" > /run/netcase/line ;; esac' ERR
