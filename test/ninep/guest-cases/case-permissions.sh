set -eu
echo x > f
chmod 0640 f && [ "$(stat -c %a f)" = 640 ]
chmod u+s,g+s f && [ "$(stat -c %a f)" = 6640 ]
chmod 0755 f && chmod u+s f
chown 1234:5678 f && [ "$(stat -c '%u %g' f)" = "1234 5678" ]
[ "$(stat -c %a f)" = 755 ] || { echo "chown kept the set-id bit: $(stat -c %a f)"; exit 1; }
mkdir d && chmod 2775 d && chgrp 4321 d
echo y > d/y && [ "$(stat -c %g d/y)" = 4321 ]
mkdir d/sub && [ "$(stat -c '%g %a' d/sub)" = "4321 2755" ]
chmod 1777 d && [ "$(stat -c %a d)" = 3777 ]
umask 077
: > private && [ "$(stat -c %a private)" = 600 ]
umask 022
# A file made read-only can still be written by who made it.
python3 - <<'P'
import os
fd = os.open("ro", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
os.write(fd, b"written")
os.close(fd)
assert open("ro").read() == "written" and os.stat("ro").st_mode & 0o777 == 0o444
P
