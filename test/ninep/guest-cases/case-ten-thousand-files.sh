set -eu
mkdir many
# One program makes them all: a guest takes longest to start programs.
seq -f 'number %g' 0 9999 | split -l 1 -a 4 -d - many/file-
[ "$(ls -U many | sort | uniq | wc -l)" = 10000 ]
[ "$(ls -U many | wc -l)" = 10000 ]
[ "$(cat many/file-7777)" = "number 7777" ]
# To open them all takes as long as all the rest.
[ "$(awk 1 many/*7 | sort -u | wc -l)" = 1000 ]
find many -name '*9' -delete
[ "$(ls many | wc -l)" = 9000 ]
rm -r many
[ ! -e many ]
