set -eu
# Larger data keeps its bytes through pipes, copies and archives.
dd if=/dev/urandom of=a bs=1M count=1 iflag=fullblock 2> /dev/null
cp a b && cmp a b
dd if=a of=c bs=7919 2> /dev/null && cmp a c
mkdir tree && cp a tree/ && ln tree/a tree/b && ln -s a tree/l && mkfifo tree/p
tar cf - tree | (mkdir out && cd out && tar xf -)
cmp a out/tree/b && [ "$(readlink out/tree/l)" = a ] && [ -p out/tree/p ]
[ "$(stat -c %h out/tree/a)" = 2 ]
cp -a out/tree third && cmp third/a a
sha256sum a b c > sums && sync && sha256sum -c --quiet sums
# Overwrite in the middle.
printf 'MIDDLE' | dd of=b bs=1 seek=500000 conv=notrunc 2> /dev/null
[ "$(dd if=b bs=1 skip=500000 count=6 2> /dev/null)" = MIDDLE ]
[ "$(stat -c %s b)" = 1048576 ]
[ "$(cmp -l a b | wc -l)" -le 6 ]
