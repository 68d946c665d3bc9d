import os, socket, stat, threading
os.mkfifo("fifo", 0o640)
assert stat.S_ISFIFO(os.stat("fifo").st_mode) and os.stat("fifo").st_mode & 0o777 == 0o640
def write():
    with open("fifo", "w") as f:
        f.write("through the pipe")
writer = threading.Thread(target=write)
writer.start()
with open("fifo") as f:
    assert f.read() == "through the pipe"
writer.join()

server = socket.socket(socket.AF_UNIX)
server.bind("socket"), server.listen()
assert stat.S_ISSOCK(os.stat("socket").st_mode)
client = socket.socket(socket.AF_UNIX)
client.connect("socket")
peer, _ = server.accept()
client.sendall(b"hi")
assert peer.recv(2) == b"hi"

os.mknod("null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
node = os.stat("null")
assert (os.major(node.st_rdev), os.minor(node.st_rdev)) == (1, 3)
with open("null", "w") as f:
    f.write("gone")
assert open("null").read() == ""
os.mknod("disk", stat.S_IFBLK | 0o600, os.makedev(259, 70000))
node = os.stat("disk")
assert stat.S_ISBLK(node.st_mode) and (os.major(node.st_rdev), os.minor(node.st_rdev)) == (259, 70000)
for name in ("fifo", "socket", "null", "disk"):
    os.unlink(name)
