set -eu
mkdir many
python3 - <<'P'
for i in range(10_000):
    with open(f"many/file-{i}", "w") as f:
        f.write(f"number {i}\n")
P
[ "$(ls many | wc -l)" = 10000 ]
[ "$(ls -f many | sort | uniq -d | wc -l)" = 0 ]
[ "$(cat many/file-7777)" = "number 7777" ]
[ "$(cat many/* | wc -l)" = 10000 ]
find many -name '*9' -delete
[ "$(ls many | wc -l)" = 9000 ]
rm -r many
[ ! -e many ]
