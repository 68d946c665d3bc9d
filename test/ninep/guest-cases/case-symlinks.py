import errno, os
os.symlink("loop2", "loop1"), os.symlink("loop1", "loop2")
for call in (lambda: os.stat("loop1"), lambda: open("loop1"), lambda: os.listdir("loop1/x")):
    try:
        call()
    except OSError as error:
        assert error.errno == errno.ELOOP, error
    else:
        raise AssertionError("a loop led somewhere")
assert os.lstat("loop1").st_size == 5
with open("file", "w") as f:
    f.write("text")
os.symlink("file", "link"), os.symlink("missing", "dangling"), os.symlink("x" * 4000, "long")
assert open("link").read() == "text" and os.readlink("link") == "file"
assert not os.path.exists("dangling") and os.path.islink("dangling")
assert os.readlink("long") == "x" * 4000
try:
    os.open("link", os.O_RDONLY | os.O_NOFOLLOW)
except OSError as error:
    assert error.errno == errno.ELOOP
os.makedirs("a/b/c"), os.symlink("../..", "a/b/up")
assert sorted(os.listdir("a/b/up/a/b")) == ["c", "up"]
os.unlink("link")
assert os.path.exists("file")
