#!/bin/busybox sh
# First program of the guest: brings the root tree in over 9P and hands over to it. Modules are listed in
# /modules in the order they must be loaded in.
export PATH=/bin
bb=/bin/busybox

fail() {
  echo "mom: cannot mount root: $1"
  # An init that ends would panic the kernel and scroll the reason away.
  exec $bb sh -c 'while :; do /bin/busybox sleep 3600; done'
}

$bb mount -t devtmpfs -o mode=0755 dev /dev || fail "no devtmpfs"
exec </dev/console >/dev/console 2>&1

while read -r module; do
  $bb insmod "/lib/$module" || fail "module $module does not load"
done </modules

options=$($bb cat /rootflags)
error=$($bb mount -t 9p -o "$options" host9p /root 2>&1) || fail "$error"
$bb mount --move /dev /root/dev || fail "no /dev in the tree"
[ -x /root/usr/lib/mom/init ] || {
  echo "mom: no /usr/lib/mom/init in the tree, starting a shell"
  exec $bb switch_root /root /bin/sh
}
exec $bb switch_root /root /usr/lib/mom/init
