import errno, fcntl, os
open("f", "w").close()

def in_child(work):
    """What work() gives in another process: an errno, or 0."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except OSError as error:
            os._exit(error.errno)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def try_flock():
    with open("f", "r+") as f:
        fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)

def try_record(start, length):
    with open("f", "r+") as f:
        fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, length, start)

with open("f", "r+") as f:
    fcntl.flock(f, fcntl.LOCK_EX)
    assert in_child(try_flock) == errno.EAGAIN
    fcntl.flock(f, fcntl.LOCK_UN)
    assert in_child(try_flock) == 0
    fcntl.flock(f, fcntl.LOCK_SH)
    assert in_child(try_flock) == errno.EAGAIN
assert in_child(try_flock) == 0, "closing lets go"

with open("f", "r+") as f:
    fcntl.lockf(f, fcntl.LOCK_EX, 100, 50)
    assert in_child(lambda: try_record(60, 1)) in (errno.EAGAIN, errno.EACCES)
    assert in_child(lambda: try_record(0, 50)) == 0
    assert in_child(lambda: try_record(150, 0)) == 0
    fcntl.lockf(f, fcntl.LOCK_UN, 50, 50)
    assert in_child(lambda: try_record(60, 1)) == 0
    assert in_child(lambda: try_record(120, 1)) in (errno.EAGAIN, errno.EACCES)

# A lock taken by a parent and let go by its child, who shares the descriptor.
f = open("f", "r+")
fcntl.flock(f, fcntl.LOCK_EX)
assert in_child(lambda: fcntl.flock(f, fcntl.LOCK_UN)) == 0
assert in_child(try_flock) == 0
