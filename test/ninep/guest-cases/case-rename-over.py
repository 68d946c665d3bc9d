import errno, os

def fails(code, call, *args):
    try:
        call(*args)
    except OSError as error:
        assert error.errno == code, f"{errno.errorcode[error.errno]}, not {errno.errorcode[code]}: {args}"
    else:
        raise AssertionError(f"{call.__name__}{args} did not fail")

def put(name, text):
    with open(name, "w") as f:
        f.write(text)

def get(name):
    with open(name) as f:
        return f.read()

put("old", "old"), put("new", "new")
held = open("new")
os.rename("old", "new")
assert get("new") == "old" and not os.path.exists("old")
assert held.read() == "new", "the replaced file stays readable for who has it open"
assert os.fstat(held.fileno()).st_nlink == 0
held.close()

os.mkdir("empty"), os.mkdir("full"), put("full/x", "x"), os.mkdir("dir"), put("dir/y", "y")
fails(errno.EISDIR, os.rename, "new", "empty")
fails(errno.ENOTDIR, os.rename, "dir", "new")
fails(errno.ENOTEMPTY, os.rename, "dir", "full")
fails(errno.EINVAL, os.rename, "dir", "dir/inside")
fails(errno.ENOENT, os.rename, "missing", "x")
os.rename("dir", "empty")
assert get("empty/y") == "y" and not os.path.exists("dir")

os.link("new", "twin")
os.rename("new", "twin")
assert os.path.exists("new") and os.path.exists("twin"), "renaming onto a link of itself does nothing"
inode = os.stat("full").st_ino
os.rename("full", "moved")
assert os.stat("moved").st_ino == inode and get("moved/x") == "x"
