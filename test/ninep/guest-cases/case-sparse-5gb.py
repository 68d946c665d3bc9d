import os

def free_bytes():
    disk = os.statvfs(".")
    return disk.f_bavail * disk.f_frsize

before = free_bytes()
fd = os.open("sparse", os.O_RDWR | os.O_CREAT, 0o644)
at = 5 * 2**30
assert os.pwrite(fd, b"far", at) == 3
os.fsync(fd)
stat = os.fstat(fd)
assert stat.st_size == at + 3, stat.st_size
# Not st_blocks: under cache=loose the guest's kernel counts the hole (fs/9p/vfs_addr.c, v9fs_write_end).
assert before - free_bytes() < 2**30, "a hole takes space"
assert os.pread(fd, 10, at - 5) == bytes(5) + b"far"
assert os.pread(fd, 10, 2**32 - 3) == bytes(10)
assert os.lseek(fd, 0, os.SEEK_END) == at + 3
os.close(fd)
fd = os.open("sparse", os.O_RDONLY)
assert os.pread(fd, 3, at) == b"far"
os.close(fd)
