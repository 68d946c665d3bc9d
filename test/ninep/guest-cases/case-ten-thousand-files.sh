set -eu
mkdir many
# One program makes them all: a guest takes longest to start programs.
seq -f 'number %g' 0 9999 | split -l 1 -a 4 -d - many/file-
[ "$(ls many | wc -l)" = 10000 ]
[ "$(ls -f many | sort | uniq -d | wc -l)" = 0 ]
[ "$(cat many/file-7777)" = "number 7777" ]
[ "$(awk 1 many/* | wc -l)" = 10000 ]
find many -name '*9' -delete
[ "$(ls many | wc -l)" = 9000 ]
rm -r many
[ ! -e many ]
