import errno, os
longest = "n" * 255
with open(longest, "w") as f:
    f.write("long")
assert open(longest).read() == "long" and longest in os.listdir(".")
for call in (lambda: open("n" * 256, "w"), lambda: os.mkdir("n" * 256), lambda: os.stat("n" * 256)):
    try:
        call()
    except OSError as error:
        assert error.errno == errno.ENAMETOOLONG, error
    else:
        raise AssertionError("a name of 256 bytes")
os.rename(longest, "m" * 255)
umlauts = "ä" * 127
open(umlauts, "w").close()
assert umlauts in os.listdir(".")
strange = [b"new\nline", b"\xff\xfe not utf-8", b" ", b"-rf", b"*", "日本語".encode(), b"back\\slash", b"tab\t"]
for name in strange:
    with open(name, "wb") as f:
        f.write(name)
for name in strange:
    assert open(name, "rb").read() == name and name in os.listdir(b".")
