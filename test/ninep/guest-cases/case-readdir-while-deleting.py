import os
os.mkdir("d")
# More than one getdents64() of the C library gives.
names = {f"entry-{i:05}" for i in range(1200)}
for name in names:
    open(f"d/{name}", "w").close()
seen = set()
with os.scandir("d") as entries:
    for entry in entries:
        assert entry.name not in seen, f"{entry.name} came twice"
        seen.add(entry.name)
        os.unlink(entry.path)
assert seen == names, f"{len(names - seen)} entries were missed"
os.rmdir("d")

os.mkdir("e")
for i in range(300):
    open(f"e/old-{i}", "w").close()
found = []
with os.scandir("e") as entries:
    for number, entry in enumerate(entries):
        found.append(entry.name)
        if number < 100:
            open(f"e/new-{number}", "w").close()
old = [name for name in found if name.startswith("old-")]
assert len(old) == 300 and len(set(found)) == len(found)
