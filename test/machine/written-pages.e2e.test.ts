import { expect, test } from "vitest";
import type { SandboxState } from "../../workers/machine/api.ts";
import { randomFrom, seed } from "../support/random.ts";
import { type Comparison, WatchedHost } from "./support/watched-host.ts";

/** `MOM_TEST_STEPS` makes it longer. */
const STEPS = Number(process.env.MOM_TEST_STEPS ?? 15);
/** For a host that is busy with other things. */
const LIMIT_MS = 900_000;

/** Ways in which a guest writes memory. `n` is a random number under 1,000. */
const WORKLOADS: Record<string, (n: number) => string> = {
  python: (n) => `python3 -c 'x = [i * ${n} for i in range(200000)]; print(sum(x))'`,
  node: (n) =>
    `node -e 'const m = new Map(); for (let i = 0; i < 20000; i++) m.set(i, [i * ${n}]); console.log(m.size)'`,
  forks: (n) =>
    `(for i in $(seq ${20 + (n % 30)}); do (echo $i > /tmp/fork-$i; /bin/true) & done; wait)`,
  "copy on write": (n) => `python3 - <<'E'
import mmap, os
m = mmap.mmap(-1, 4 << 20)
p = mmap.mmap(-1, 4 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for i in range(0, len(p), 4096): p[i] = ${n} % 256
for child in range(3):
    if os.fork() == 0:
        for i in range(child * 512, len(p), 8192): p[i + 1] = child; m[i] = child
        os._exit(0)
for child in range(3): os.wait()
print(sum(m[::4096]), sum(p[::4096]))
E`,
  "mapped file": (n) => `python3 - <<'E'
import mmap, os
f = open("/root/mapped", "w+b"); f.truncate(2 << 20)
m = mmap.mmap(f.fileno(), 2 << 20)
for i in range(${n}, 2 << 20, 5000): m[i] = i % 251
m.flush(); m.close()
E`,
  "memory pressure": (n) =>
    `python3 -c 'b = bytearray(140 << 20); b[::4096] = bytes([${n} % 255 + 1]) * (140 << 8); print(len(b))'`,
  "page cache": (n) =>
    `dd if=/dev/urandom of=/root/blob-${n % 4} bs=64k count=60 2>/dev/null; cat /root/blob-* | md5sum`,
  "reading by 9P": (n) =>
    `find /usr/lib /usr/share -type f 2>/dev/null | tail -n +${n} | head -150 | xargs cat | md5sum`,
  signals: () => `python3 - <<'E'
import signal, time
count = 0
def tick(*_):
    global count; count += 1
signal.signal(signal.SIGALRM, tick)
signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
end = time.monotonic() + 0.5
while time.monotonic() < end: pass
signal.setitimer(signal.ITIMER_REAL, 0)
print(count > 0)
E`,
  "floating point": (n) => `python3 -c '
import math, array
a = array.array("d", (math.sin(i * ${n}) for i in range(60000)))
b = array.array("f", a); print(sum(a), sum(b))'; awk 'BEGIN { for (i = 0; i < 40000; i++) s += sqrt(i) * ${n}; print s }'`,
  pipes: () =>
    `seq 10000 | sort -R | sort -n | tail -1; tar c /etc/ssl 2>/dev/null | gzip | md5sum`,
  "left running": () =>
    `(end=$((SECONDS + 4)); while ((SECONDS < end)); do x=$((x + 1)); done) & sleep 0.2`,
  "stop what runs": () => `kill $(jobs -p) 2>/dev/null; wait; rm -f /tmp/fork-* /root/blob-*; true`,
  "faults and dead programs": () =>
    `python3 -c 'import ctypes; ctypes.string_at(0)'; bash -c 'ulimit -s 256; f() { f; }; f' 2>/dev/null; true`,
  "the BIOS's second place": (n) => `python3 - <<'E'
import mmap, os
fd = os.open("/dev/mem", os.O_RDWR | os.O_SYNC)
m = mmap.mmap(fd, 4096, offset=0xfff50000)
m[${n}] = (m[${n}] + 1) % 256
print("bios", m[${n}])
E`,
};

function summary(comparisons: readonly Comparison[]): Record<string, number> {
  return {
    comparisons: comparisons.length,
    changed: comparisons.reduce((sum, { changed }) => sum + changed, 0),
    written: comparisons.reduce((sum, { written }) => sum + written, 0),
  };
}

test(
  "no page changes that is not named as written, and snapshots and switches are exact",
  async () => {
    console.log(`MOM_SEED=${seed}`);
    const random = randomFrom(seed);
    const pick = <Item>(items: readonly Item[]): Item =>
      items[Math.floor(random() * items.length)] as Item;
    const host = await WatchedHost.start("base");
    try {
      const saved: (SandboxState | null)[] = [null];
      const kinds = Object.keys(WORKLOADS);
      const order: string[] = [];
      for (let step = 0; step < STEPS; step++) {
        // Each kind in turn, in a random order, so that a short run has them all.
        if (order.length === 0) order.push(...kinds.toSorted(() => random() - 0.5));
        const kind = order.pop() as string;
        const report = await host.run(WORKLOADS[kind]?.(Math.floor(random() * 1000)) ?? "");
        expect(report, `MOM_SEED=${seed}, step ${step}: ${kind}`).toContain('"exitCode":0');
        if (random() < 0.7) saved.push(await host.save());
        if (random() < 0.5) await host.load(pick(saved));
        const missed = host.comparisons.filter((comparison) => comparison.missed.length > 0);
        expect(missed, `MOM_SEED=${seed}, step ${step}: ${kind}`).toEqual([]);
      }
      console.log(summary(host.comparisons));
    } finally {
      await host.stop();
    }
  },
  LIMIT_MS,
);

test(
  "no page changes unnamed from power-on to a shell",
  async () => {
    const host = await WatchedHost.start("power-on");
    try {
      host.check();
      expect(host.comparisons.map(({ missed }) => missed)).toEqual([[]]);
      console.log(summary(host.comparisons));
    } finally {
      await host.stop();
    }
  },
  LIMIT_MS,
);
