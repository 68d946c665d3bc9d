# What another user may do is decided by the kernel, from the modes that the server keeps.
import errno, os, sys
os.chmod(".", 0o755)
with open("secret", "w") as f:
    f.write("secret")
os.chmod("secret", 0o600)
with open("public", "w") as f:
    f.write("public")
os.mkdir("shared"), os.chmod("shared", 0o1777)
with open("shared/root", "w") as f:
    f.write("x")
with open("tool", "w") as f:
    f.write("x")
os.chown("tool", 1000, 1000), os.chmod("tool", 0o4755)

# The way here may be closed to others; stand in the folder before changing the user.
child = os.fork()
if child == 0:
    try:
        os.setgroups([]), os.setgid(1000), os.setuid(1000)
        def fails(code, call, *args):
            try:
                call(*args)
            except OSError as error:
                assert error.errno == code, f"{error}, not {errno.errorcode[code]}"
            else:
                raise AssertionError(f"{args} was allowed")
        fails(errno.EACCES, os.open, "secret", os.O_RDONLY)
        fails(errno.EACCES, os.open, "public", os.O_WRONLY)
        fails(errno.EACCES, os.mkdir, "mine")
        fails(errno.EPERM, os.unlink, "shared/root")
        fails(errno.EPERM, os.chmod, "public", 0o777)
        fd = os.open("shared/mine", os.O_RDWR | os.O_CREAT, 0o600)
        os.write(fd, b"mine")
        os.close(fd)
        assert os.stat("shared/mine").st_uid == 1000
        fd = os.open("tool", os.O_WRONLY)
        os.write(fd, b"y")
        os.fsync(fd)
        os.close(fd)
        assert os.stat("tool").st_mode & 0o7777 == 0o755, "a write must clear the set-id bit"
        os._exit(0)
    except BaseException as error:
        print(error, file=sys.stderr, flush=True)
        os._exit(1)
assert os.waitpid(child, 0)[1] == 0
assert os.stat("shared/mine").st_uid == 1000
