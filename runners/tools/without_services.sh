#!/bin/sh
# Runs a command that installs packages, and keeps them from starting services:
#
#     sh without_services.sh POLICY "SERVICE..." COMMAND...
#
# Before Debian's packages start a service, they ask the program POLICY (/usr/sbin/policy-rc.d). Ours always says no, and
# exists only while COMMAND runs. If there is a policy already, it decides instead. The named services are also disabled,
# or the next boot would start them.
set -eu
policy=$1 services=$2
folder=${policy%/*}
mark="Written by http-speedup"
shift 2

exec 9<"$folder"
flock -w 300 9 || { echo "E: another installation has not finished within 300 s"; exit 1; }

if [ ! -e "$policy" ] || grep -q "$mark" "$policy"; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' HUP INT TERM
  cat >"$policy" <<END
#!/bin/sh
# $mark while it installs packages: none of them may start a service.
# If a kill or a power cut leaves this file behind, it allows everything and removes itself.
flock -n "$folder" true || exit 101
rm -f "$policy"
END
  chmod 755 "$policy"
fi

"$@"

for service in $services; do
  update-rc.d "$service" disable
  if command -v systemctl >/dev/null; then systemctl --quiet disable "$service.socket" 2>/dev/null || true; fi
done
