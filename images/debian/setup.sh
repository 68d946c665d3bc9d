#!/bin/sh
# Run by mmdebstrap as a setup hook: $1 is the empty root tree. What dpkg leaves out stays out when packages are
# installed in the guest later. (mmdebstrap's own --dpkgopt would pass every essential package through a slow
# filter; those are few, and the conversion drops what they bring.)
set -eu
mkdir -p "$1/etc/dpkg/dpkg.cfg.d" "$1/etc/apt/apt.conf.d"
{
  # A tree that is thrown away when anything fails, and a guest whose disk is a snapshot: no fsync per file.
  echo force-unsafe-io
  printf '%s\n' "$EXCLUDED" | sed 's/^/path-exclude=/'
} >"$1/etc/dpkg/dpkg.cfg.d/90mom"
cat >"$1/etc/apt/apt.conf.d/90mom" <<'END'
APT::Install-Recommends "false";
Acquire::Languages "none";
END
