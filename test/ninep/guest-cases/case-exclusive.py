import errno, os
fd = os.open("f", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
os.close(fd)
os.symlink("nowhere", "link"), os.mkdir("dir")
for name in ("f", "link", "dir"):
    try:
        os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except OSError as error:
        assert error.errno == errno.EEXIST, error
    else:
        raise AssertionError(f"O_EXCL took {name}")
for call, code in (
    (lambda: os.mkdir("f"), errno.EEXIST),
    (lambda: os.open("dir", os.O_WRONLY), errno.EISDIR),
    (lambda: os.open("f", os.O_RDONLY | os.O_DIRECTORY), errno.ENOTDIR),
    (lambda: os.open("f/x", os.O_RDONLY), errno.ENOTDIR),
    (lambda: os.open("none", os.O_RDONLY), errno.ENOENT),
    (lambda: os.rmdir("f"), errno.ENOTDIR),
    (lambda: os.unlink("dir"), errno.EISDIR),
    (lambda: os.rmdir("none"), errno.ENOENT),
    (lambda: os.rmdir("."), errno.EINVAL),
    (lambda: os.mknod("f"), errno.EEXIST),
    (lambda: os.symlink("x", "f"), errno.EEXIST),
):
    try:
        call()
    except OSError as error:
        assert error.errno == code, f"{error}, not {errno.errorcode[code]}"
    else:
        raise AssertionError(f"no {errno.errorcode[code]}")
# One winner among many.
children = []
for number in range(8):
    child = os.fork()
    if child == 0:
        try:
            os.close(os.open("race", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            os._exit(0)
        except FileExistsError:
            os._exit(1)
    children.append(child)
results = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
assert sorted(results) == [0] + [1] * 7, results
