# Notes the last command of a bash script that failed, for the message about the script.
unset BASH_ENV
set -o errtrace
trap 'printf "%s %s\n" "$LINENO" "${BASH_SOURCE[0]}" > /run/netcase/line' ERR
