#!/bin/bash
# Runs all cases of this folder, each in a fresh folder below DIR, and says how many passed.
# The same suite runs on the host's own file system, so that it is a comparison and not an opinion.
#
#   bash run.sh DIR [CASE...]
set -u
here=$(cd "$(dirname "$0")" && pwd)
scratch=${1:?usage: run.sh DIR [CASE...]}
shift
mkdir -p "$scratch"
scratch=$(cd "$scratch" && pwd)
[ $# -gt 0 ] || set -- $(cd "$here" && ls case-*)

passed=0
failed=0
for case in "$@"; do
  folder=$scratch/$case.$$
  mkdir "$folder" || exit 1
  interpreter=bash
  [ "${case%.py}" = "$case" ] || interpreter=python3
  if output=$(cd "$folder" && umask 022 && $interpreter "$here/$case" 2>&1); then
    passed=$((passed + 1))
    echo "ok ${case%.*}"
  else
    failed=$((failed + 1))
    echo "FAILED ${case%.*}: $output"
  fi
  chmod -R u+rwx "$folder" 2>/dev/null
  rm -rf "$folder" || { echo "FAILED ${case%.*}: cannot clean up"; failed=$((failed + 1)); }
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
