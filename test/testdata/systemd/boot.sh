#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Becomes systemd, as PID 1 of a machine of its own: the caller has given this process a namespace of processes, of networks, of
# host names and of IPC, and a control group; it takes those of mounts and control groups itself. /usr is this machine's, with what is written there
# kept apart; all else is made here and is gone with the last process. Nothing of the host's settings can be changed from inside:
# /proc/sys and /sys are read-only.
#
#   boot.sh ROOT SHARE    ROOT: an empty directory; SHARE: a directory, /share in there, with a FIFO "tether": when nobody has it open
#                         for writing any more the machine ends. READY=1 is sent to SHARE/notify when it is up.
set -eu

if [ "${1:-}" != inside ]; then
  exec unshare --mount --cgroup --propagation private "$0" inside "$@"
fi
root=$2 share=$3

mount -t tmpfs -o mode=755 root "$root"
cd "$root"
mkdir -p usr var run tmp root home proc sys dev share old .upper .work etc/systemd/system etc/far-side ingest/station-12/relay-12/events
chmod 1777 tmp
mount -t overlay -o "lowerdir=/usr,upperdir=$root/.upper,workdir=$root/.work" usr usr
for name in bin sbin lib lib64; do
  [ ! -e "usr/$name" ] || ln -s "usr/$name" "$name"
done
mount --bind "$share" share

mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 dev dev
for node in null zero full random urandom tty; do
  : >"dev/$node"
  mount --bind "/dev/$node" "dev/$node"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd

# The addresses of configs/substation.hcl and of the drop-in, and one that neither knows.
ip link set lo up
for address in 10.7.0.1/24 10.7.0.12/24 192.0.2.10/24 198.51.100.5/24; do
  ip address add "$address" dev lo
done
echo '127.0.0.1 localhost
192.0.2.10 sftp.control.example' >etc/hosts
echo 'passwd: files
group: files
hosts: files' >etc/nsswitch.conf
cp /etc/ld.so.cache etc/
echo 0123456789abcdef0123456789abcdef >etc/machine-id
echo 'root:x:0:0:root:/root:/bin/sh
station-12:x:1000:1000::/ingest:/bin/sh
sshd:x:101:65534::/run/sshd:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/:/usr/sbin/nologin' >etc/passwd
echo 'root:x:0:
station-12:x:1000:
nogroup:x:65534:' >etc/group
echo 'root:*:19000:0:99999:7:::
station-12:*:19000:0:99999:7:::
sshd:*:19000:0:99999:7:::
nobody:*:19000:0:99999:7:::' >etc/shadow
chmod 640 etc/shadow
chown -R 1000:1000 ingest

# The far side of the conduit, with a key of the host's and whatever key the gateway turns out to have.
ssh-keygen -q -t ed25519 -N '' -f etc/far-side/host_key
echo 'ListenAddress 192.0.2.10:22
HostKey /etc/far-side/host_key
AuthorizedKeysFile /etc/far-side/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp' >etc/far-side/sshd_config
echo '[Unit]
Description=SFTP server in the control centre
[Service]
RuntimeDirectory=sshd
ExecStart=/usr/sbin/sshd -D -e -f /etc/far-side/sshd_config' >etc/systemd/system/far-side.service
echo '[Unit]
Description=ends the machine when nobody wants it any more
DefaultDependencies=no
SuccessAction=exit-force
FailureAction=exit-force
[Service]
ExecStart=/bin/cat /share/tether' >etc/systemd/system/tether.service
echo '[Unit]
Description=all that this machine is for
Requires=sysinit.target far-side.service tether.service
After=sysinit.target far-side.service tether.service
AllowIsolate=yes' >etc/systemd/system/machine.target

pivot_root . old
umount -l /old
rmdir /old
exec setpriv --bounding-set=-sys_module,-sys_time,-sys_rawio,-syslog \
  env -i container=test PATH=/usr/sbin:/usr/bin NOTIFY_SOCKET=/share/notify \
  /usr/lib/systemd/systemd --system --unit=machine.target --log-target=console --show-status=no
