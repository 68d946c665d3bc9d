#!/bin/sh
# with-qemu.sh COMMAND...: runs it where i386 programs run, by QEMU's user emulation, on a kernel that does not run them itself.
# The handler is registered in a user namespace of the command's own: nobody else sees it, and it is gone with the command.
set -eu
register=/proc/sys/fs/binfmt_misc/register

# i386 programs: 32-bit little-endian ELF, executable or shared, for machine 3. `F`: QEMU itself is opened now, so that it is
# found from inside a tree that does not have it.
handler='\x7fELF\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x03\x00'
mask='\xff\xff\xff\xff\xff\xfe\xfe\xfc\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'

if [ "${1:-}" = --inside ]; then
  shift
  # Until its users are mapped it is nobody.
  until [ "$(id -u):$(id -g)" = 0:0 ]; do sleep 0.01; done
  qemu=$(command -v qemu-i386-static) || {
    echo "qemu-i386-static is missing. On Debian: apt-get install qemu-user-static" >&2
    exit 1
  }
  mount -t binfmt_misc binfmt_misc "${register%/*}" 2>/dev/null || {
    echo "This kernel lends QEMU to no single program: it needs Linux 6.7, or QEMU registered for the whole system (binfmt_misc)." >&2
    exit 1
  }
  printf '%s' ":i386:M::$handler:$mask:$qemu:F" >"$register"
  exec "$@"
fi

# Root there is root here, with the same users below: packages have files of many. Only from outside it can be said.
namespace=$(readlink /proc/$$/ns/user)
(
  until [ "$(readlink /proc/$$/ns/user)" != "$namespace" ]; do sleep 0.01; done
  echo 0 0 4294967295 >/proc/$$/uid_map
  echo 0 0 4294967295 >/proc/$$/gid_map
) &
exec unshare --user --mount --pid --fork --kill-child=KILL -- "$0" --inside "$@"
