import mmap, os
with open("f", "wb") as f:
    f.write(bytes(300_000))
with open("f", "r+b") as f:
    shared = mmap.mmap(f.fileno(), 0, mmap.MAP_SHARED)
    shared[100_000:100_005] = b"hello"
    shared[299_999] = 0x7A
    shared.flush()
    os.fsync(f.fileno())
    assert os.pread(f.fileno(), 5, 100_000) == b"hello"
    os.pwrite(f.fileno(), b"HELLO", 100_000)
    assert shared[100_000:100_005] == b"HELLO", "write and mapping see one file"
    shared.close()
with open("f", "rb") as f:
    data = f.read()
assert len(data) == 300_000 and data[100_000:100_005] == b"HELLO" and data[-1] == 0x7A
private = mmap.mmap(os.open("f", os.O_RDONLY), 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)
private[0] = 1
assert open("f", "rb").read(1) == b"\0"
