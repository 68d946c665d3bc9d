import os, time
with open("f", "w") as f:
    f.write("x")
os.utime("f", ns=(1_000_000_000_123_456_789, 1_500_000_000_987_654_321))
stat = os.stat("f")
# Linux 6.1's 9P client cuts times to whole seconds before it sends them (its superblock sets no s_time_gran).
for got, wanted in ((stat.st_atime_ns, 1_000_000_000_123_456_789), (stat.st_mtime_ns, 1_500_000_000_987_654_321)):
    assert got in (wanted, wanted // 10**9 * 10**9), f"{got}, not {wanted}"
before = time.time()
os.utime("f")
assert abs(os.stat("f").st_mtime - before) < 5, "utime now"
os.utime("f", (1, 1))
with open("f", "a") as f:
    f.write("y")
    f.flush()
    os.fsync(f.fileno())
assert os.stat("f").st_mtime > 1e9, "a write sets mtime"
os.utime("f", (5, 5))
ctime = os.stat("f").st_ctime
os.chmod("f", 0o600)
stat = os.stat("f")
assert stat.st_mtime == 5 and stat.st_ctime >= ctime, "chmod leaves mtime"
os.mkdir("d"), os.utime("d", (7, 7))
with open("d/x", "w"):
    pass
assert os.stat("d").st_mtime > 1e9, "a new entry sets the folder's mtime"
os.utime("d", (7, 7)), os.unlink("d/x")
assert os.stat("d").st_mtime > 1e9, "a removed entry sets the folder's mtime"
os.symlink("f", "l"), os.utime("l", (9, 9), follow_symlinks=False)
assert os.lstat("l").st_mtime == 9 and os.stat("f").st_mtime == 5
# cp -p and tar keep times, which are set after the data is written.
assert os.system("cp -p f copy && [ $(stat -c %Y copy) = 5 ]") == 0
