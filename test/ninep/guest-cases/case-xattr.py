import errno, os

def fails(code, call, *args):
    try:
        call(*args)
    except OSError as error:
        assert error.errno == code, f"{error}, not {errno.errorcode[code]}"
    else:
        raise AssertionError(f"{args} did not fail")

open("f", "w").close()
fails(errno.ENODATA, os.getxattr, "f", "user.a")
os.setxattr("f", "user.a", b"one")
os.setxattr("f", "user.b", bytes(range(256)))
os.setxattr("f", "trusted.t", b"t")
assert os.getxattr("f", "user.a") == b"one"
assert os.getxattr("f", "user.b") == bytes(range(256))
assert {"user.a", "user.b", "trusted.t"} <= set(os.listxattr("f"))
fails(errno.EEXIST, os.setxattr, "f", "user.a", b"x", os.XATTR_CREATE)
fails(errno.ENODATA, os.setxattr, "f", "user.c", b"x", os.XATTR_REPLACE)
os.setxattr("f", "user.a", b"longer than before", os.XATTR_REPLACE)
assert os.getxattr("f", "user.a") == b"longer than before"
os.removexattr("f", "user.a")
fails(errno.ENODATA, os.getxattr, "f", "user.a")
fails(errno.ENODATA, os.removexattr, "f", "user.a")
os.mkdir("d"), os.setxattr("d", "user.d", b"dir")
assert os.getxattr("d", "user.d") == b"dir"
os.rename("f", "g")
assert os.getxattr("g", "user.b") == bytes(range(256))
