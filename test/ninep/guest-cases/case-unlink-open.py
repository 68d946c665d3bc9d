import os
fd = os.open("f", os.O_RDWR | os.O_CREAT, 0o600)
os.write(fd, b"hello")
os.unlink("f")
assert not os.path.exists("f")
assert os.fstat(fd).st_nlink == 0 and os.fstat(fd).st_size == 5
os.write(fd, b" world" * 20_000)
os.fsync(fd)
assert os.fstat(fd).st_size == 120_005
assert os.pread(fd, 11, 0) == b"hello world"
os.ftruncate(fd, 3)
assert os.fstat(fd).st_size == 3 and os.pread(fd, 100, 0) == b"hel"
os.fchmod(fd, 0o640)
assert os.fstat(fd).st_mode & 0o777 == 0o640
# The name can be taken by another file meanwhile.
with open("f", "w") as other:
    other.write("other")
assert os.pread(fd, 100, 0) == b"hel" and open("f").read() == "other"
assert os.fstat(fd).st_ino != os.stat("f").st_ino
os.close(fd)
import tempfile
with tempfile.TemporaryFile(dir=".") as t:
    t.write(b"x" * 100_000)
    t.seek(99_999)
    assert t.read() == b"x"
