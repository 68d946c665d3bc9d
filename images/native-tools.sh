#!/bin/sh
# native-tools.sh lend|take-back ROOT: hooks of mmdebstrap for a tree whose programs QEMU runs (with-qemu.sh). To unpack the packages
# and to start small programs by the thousand is most of what QEMU would do, and this computer has the same ones: the tree is lent
# them, with their libraries, and they are found before its own by PATH (debian/root-tree.ts).
set -eu
action=$1 root=$2
place=/run/mom-native
lent=$root$place/.lent
folders=$root$place/.folders

# Those of GNU and dpkg alone: others of the same name may differ. chown is not among them, whose users before glibc 2.34 come
# from libraries that ldd does not name.
tools='dpkg-deb dpkg-split tar sed grep find basename cat chmod cp cut dirname ln ls mkdir mv readlink rm rmdir sort stat touch tr wc'

lend_folder() {
  [ -d "$root$1" ] && return
  lend_folder "$(dirname "$1")"
  mkdir "$root$1"
  echo "$1" >>"$folders"
}

lend_library() {
  [ -e "$root$1" ] && return
  lend_folder "$(dirname "$1")"
  cp -L "$1" "$root$1"
  echo "$1" >>"$lent"
}

# The loader's path stands in each program, most often below /lib64, which the merging of /usr takes away: it gets
# another of the same length, by as many slashes as that takes.
lend_program() {
  LC_ALL=C sed "s|$loader|$own|" "$1" >"$root$place/${1##*/}"
  chmod 755 "$root$place/${1##*/}"
}

case $action in
  lend)
    mkdir -p "$root$place"
    : >"$lent"
    : >"$folders"
    # No arrow leads to the loader in what ldd says, and to every library one.
    loader=$(ldd "$(command -v sed)" | sed -n 's|^\t*\(/[^ ]*\) (0x.*|\1|p')
    own=/ld.so
    while [ ${#place} -lt $((${#loader} - ${#own})) ]; do own=/$own; done
    own=$place$own
    [ ${#own} -eq ${#loader} ] || exit 0
    cp -L "$loader" "$root$own"
    for tool in $tools; do
      path=$(command -v "$tool") || continue
      "$path" --version 2>/dev/null | head -n 1 | grep -q -e GNU -e dpkg || continue
      lend_program "$path"
      ldd "$path" | sed -n 's|.*=> \(/[^ ]*\) (0x.*|\1|p' | while read -r library; do
        lend_library "$library"
      done
    done
    ;;
  take-back)
    while read -r library; do rm -f "$root$library"; done <"$lent"
    # The deepest first.
    sort -r "$folders" | while read -r folder; do rmdir "$root$folder"; done
    rm -rf "${root:?}$place"
    ;;
esac
