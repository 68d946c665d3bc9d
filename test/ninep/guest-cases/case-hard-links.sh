set -eu
echo text > a
ln a b && ln b c
[ "$(stat -c %h a)" = 3 ]
[ "$(stat -c %i a)" = "$(stat -c %i c)" ]
echo more >> c
[ "$(tail -n 1 a)" = more ]
rm a
[ "$(stat -c %h b)" = 2 ] && [ "$(wc -l < b)" = 2 ]
mkdir d
if ln d e 2> /dev/null; then echo "a folder was linked"; exit 1; fi
if ln b c 2> /dev/null; then echo "ln replaced a name"; exit 1; fi
[ "$(stat -c %h d)" = 2 ]
mkdir d/x d/y
[ "$(stat -c %h d)" = 4 ]
rmdir d/x
[ "$(stat -c %h d)" = 3 ]
# tar sees the link and stores the file once.
tar cf t.tar b c && [ "$(tar tvf t.tar | grep -c 'link to b')" = 1 ]
