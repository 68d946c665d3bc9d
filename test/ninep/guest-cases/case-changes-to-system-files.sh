set -eu
# Files that came with the system: changed, linked, moved and put back. In a guest they are the image's.
# Anywhere else than on a 9P root, a copy stands in for one.
file=$(ls /usr/lib/python3.*/t*.py | head -n 1)
if [ "$(stat -f -c %t /)" != 1021997 ]; then
  cp -p "$file" system-file && file=$PWD/system-file
fi
[ -n "$file" ]
sum=$(sha256sum < "$file")
times=$(stat -c '%Y %a %u %g' "$file")
ln "$file" ./linked 2> /dev/null || cp -p "$file" ./linked
[ "$(sha256sum < linked)" = "$sum" ]
cp -a "$file" copy && echo change >> copy && [ "$(sha256sum < "$file")" = "$sum" ]
mv "$file" moved && [ ! -e "$file" ] && [ "$(sha256sum < moved)" = "$sum" ]
mv moved "$file" && [ "$(sha256sum < "$file")" = "$sum" ]
chmod 600 "$file" && [ "$(stat -c %a "$file")" = 600 ] && chmod "$(echo "$times" | cut -d' ' -f2)" "$file"
[ "$(stat -c '%Y %a %u %g' "$file")" = "$times" ]
rm linked
[ "$(sha256sum < "$file")" = "$sum" ]
