#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs what the tests use and this machine lacks: as root on Debian (and its kin). Elsewhere it says what will be skipped.
# With FTPGW_REQUIRE_REAL set, when no test may skip, anything that is still missing afterwards is an error.
set -euo pipefail
export PATH="$PATH:/usr/sbin:/sbin"

# The program that is looked for, and the package that has it.
wanted=(
  "gcc gcc"             # for -race
  "sshd openssh-server"
  "ssh-keygen openssh-client"
  "curl curl"
  "lftp lftp"
  "tnftp tnftp"
  "inetutils-ftp inetutils-ftp"
  "ncftpput ncftp"
  "wget wget"
  "openssl openssl"
  "busybox busybox"
  "python3 python3"
  "ip iproute2"         # a network namespace that loses its power
  "systemd-analyze systemd"
  "nsenter util-linux"  # into the machine that a systemd of its own is booted for
  "strace strace"
  "rsyslogd rsyslog"
  "lmnsd_gtls.so rsyslog-gnutls" # TLS of rsyslog, a module
)

present() { # program or module $1
  case "$1" in
    *.so) compgen -G "/usr/lib/*/rsyslog/$1" >/dev/null ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
  esac
}

missing() { # prints field $1 of what is missing: 1 the programs, 2 the packages
  local entry program package
  for entry in "${wanted[@]}"; do
    read -r program package <<<"$entry"
    present "$program" && continue
    if [ "$1" = 1 ]; then echo "$program"; else echo "$package"; fi
  done
}

packages=$(missing 2)
[ -n "$packages" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "installing for the tests:" $packages
  [[ " $packages " == *gcc* ]] && packages="$packages libc6-dev"
  # The tests start an sshd of their own: the package need not start the system's.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
  fi
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -q && apt-get install -y -q --no-install-recommends $packages; } </dev/null \
    || echo "the installation failed" >&2
fi
programs=$(missing 1)
[ -n "$programs" ] || exit 0
echo "missing; the tests that need them will be skipped:" $programs >&2
[ -z "${FTPGW_REQUIRE_REAL:-}" ] || exit 1
