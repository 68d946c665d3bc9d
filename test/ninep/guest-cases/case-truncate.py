import os
with open("f", "wb") as f:
    f.write(b"x" * 200_000)
os.truncate("f", 70_001)
assert os.path.getsize("f") == 70_001
os.truncate("f", 140_000)
with open("f", "rb") as f:
    data = f.read()
assert data == b"x" * 70_001 + bytes(69_999), "a file made longer must be zero behind its old end"
open("f", "w").close()
assert os.path.getsize("f") == 0
fd = os.open("f", os.O_RDWR)
os.pwrite(fd, b"end", 10)
os.ftruncate(fd, 11)
os.pwrite(fd, b"Z", 20)
assert os.pread(fd, 100, 0) == bytes(10) + b"e" + bytes(9) + b"Z"
os.close(fd)
