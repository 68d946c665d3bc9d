set -eu
echo hello > file
[ "$(cat file)" = hello ]
[ "$(stat -c '%s %h %F %a' file)" = "6 1 regular file 644" ]
: > empty
[ ! -s empty ]
mkdir dir && echo inside > dir/inner
[ "$(cat dir/inner)" = inside ]
[ "$(ls | sort | tr '\n' ' ')" = "dir empty file " ]
echo shorter > file && [ "$(cat file)" = shorter ]
