set -eu
for i in $(seq 200); do echo "line $i" >> log; done
[ "$(wc -l < log)" = 200 ]
[ "$(tail -n 1 log)" = "line 200" ]
# Two writers with O_APPEND, one after the other, in the same file.
exec 3>> log 4>> log
echo three >&3; echo four >&4; echo five >&3
exec 3>&- 4>&-
[ "$(tail -n 3 log | tr '\n' ' ')" = "three four five " ]
