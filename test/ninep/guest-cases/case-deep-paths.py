import errno, os
start = os.open(".", os.O_RDONLY)
for level in range(200):
    os.mkdir(f"level-{level:03}-with-a-name"), os.chdir(f"level-{level:03}-with-a-name")
with open("leaf", "w") as f:
    f.write("deep")
os.fchdir(start)
path = "/".join(f"level-{level:03}-with-a-name" for level in range(150))
assert os.path.isdir(path)
try:
    os.stat("/".join(f"level-{level:03}-with-a-name" for level in range(200)) + "/leaf" + "/." * 500)
except OSError as error:
    assert error.errno == errno.ENAMETOOLONG, error
else:
    raise AssertionError("a path over PATH_MAX")
os.makedirs("top/x")
os.rename("level-000-with-a-name", "top/x/moved")
os.chdir("top/x/moved")
for level in range(1, 200):
    os.chdir(f"level-{level:03}-with-a-name")
assert open("leaf").read() == "deep"
assert os.getcwd().count("/") > 200
for level in range(20):
    os.chdir("..")
assert os.path.basename(os.getcwd()) == "level-179-with-a-name"
