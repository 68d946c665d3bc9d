#!/bin/sh
# Run by mmdebstrap as a customize hook: $1 is the root tree, apt can still download. Brings the kernel in and
# makes the tree anonymous. The kernel package is unpacked rather than installed: its maintainer scripts would
# build a Debian initramfs that nothing here boots, which takes longer than all the rest.
set -eu
root=$1
modules=$(dirname "$0")/modules.txt

# `apt-get download` outside the chroot, but with the chroot's sources and lists.
work=$(mktemp -d "$root/tmp/kernel.XXXXXX")
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
package=$(apt-cache depends --no-recommends --no-suggests "linux-image-$KERNEL_FLAVOUR" |
  sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -n 1)
[ -n "$package" ] || { echo "no kernel package for linux-image-$KERNEL_FLAVOUR" >&2; exit 1; }
(cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$package")
dpkg-deb --fsys-tarfile "$work"/*.deb | tar -x -C "$work" --wildcards ./boot ./lib
version=${package#linux-image-}

# Modules that a v86 machine can use, and what they need; the rest is for hardware it does not have.
mv "$work/boot/vmlinuz-$version" "$root/boot/"
mkdir -p "$root/lib/modules"
mv "$work/lib/modules/$version" "$root/lib/modules/"
chroot "$root" depmod "$version"
for module in $(grep -v '^#' "$modules"); do
  chroot "$root" modprobe --set-version "$version" --show-depends --ignore-install "$module" || true
done | sed -n 's/^insmod \([^ ]*\).*$/\1/p' | sort -u >"$work/keep"
(cd "$root" && find "lib/modules/$version" -name '*.ko*' | sed 's|^|/|') | grep -vxFf "$work/keep" |
  sed "s|^|$root|" | xargs rm -f
find "$root/lib/modules/$version" -type d -empty -delete
rm -f "$root/lib/modules/$version/build" "$root/lib/modules/$version/source"
chroot "$root" depmod "$version"
dpkg-query --admindir="$root/var/lib/dpkg" -W -f='${Package} ${Version} ${Architecture}\n' >"$root/packages.txt"
dpkg-deb -W --showformat='${Package} ${Version} ${Architecture}\n' "$work"/*.deb >>"$root/packages.txt"
rm -rf "$work"

# Nothing of the machine that built it.
echo mom >"$root/etc/hostname"
printf '127.0.0.1\tlocalhost\n127.0.1.1\tmom\n::1\tlocalhost ip6-localhost ip6-loopback\n' >"$root/etc/hosts"
: >"$root/etc/resolv.conf"
: >"$root/etc/machine-id"
rm -f "$root/var/lib/dbus/machine-id"
