# Fills the disk where that is cheap (MOM_FILL=1, or less than 256 MiB free) and looks at what is left.
import errno, os
before = os.statvfs(".")
free = before.f_bavail * before.f_frsize
assert before.f_namemax == 255 and before.f_blocks >= before.f_bavail > 0
if os.environ.get("MOM_FILL") != "1" and free > 256 * 2**20:
    with open("f", "wb") as f:
        f.write(bytes([1]) * 4_000_000)
        os.fsync(f.fileno())
    assert os.statvfs(".").f_bavail < before.f_bavail
    raise SystemExit(0)
with open("kept", "wb") as f:
    f.write(b"kept" * 1000)
    f.flush(), os.fsync(f.fileno())
failure = 0
try:
    with open("full", "wb", buffering=0) as f:
        while True:
            f.write(bytes([7]) * 65536)
            os.fsync(f.fileno())
except OSError as error:
    failure = error.errno
assert failure in (errno.ENOSPC, errno.EDQUOT, errno.EIO), failure
assert open("kept", "rb").read() == b"kept" * 1000
os.unlink("full")
os.sync()
with open("again", "wb") as f:
    f.write(bytes(100_000))
    f.flush(), os.fsync(f.fileno())
assert os.path.getsize("again") == 100_000
