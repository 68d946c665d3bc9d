/**
 * Random work for threads whose output depends on nothing but the thread: not on the clock, process ids, or how far
 * a background program came. Each turn prints what it did and a digest of what the thread is.
 */
export interface ThreadScript {
  turns: string[];
}

export interface ScriptOptions {
  turns: number;
  /** Node.js takes seconds to start in a guest. */
  hasNode: boolean;
  /** Of the SSE unit, 0 to 3, in a program that computes in the background; `undefined`: without one. */
  rounding: number | undefined;
}

type Random = (below: number) => number;
type Snippet = (random: Random) => string;

/** What a turn may do: the cheap ones are there more often. */
const SNIPPETS: Snippet[] = [
  (r) =>
    `n=$(((n * ${3 + 2 * r(50)} + ${r(1_000)}) % 1000003)); a+=("$n"); echo "\${#a[@]} \${a[*]}"`,
  (r) => `f${r(3)}() { echo "f $1 ${r(100)}"; n=$((n + $1)); }; f0 1; f1 2 2>/dev/null; echo $n`,
  (r) =>
    `mkdir -p d${r(4)}/e && cd d${r(4)} 2>/dev/null || cd ~/w; pwd; umask 0${r(8)}${r(8)}; umask`,
  (r) =>
    `seq ${r(500)} ${500 + r(5_000)} >>f${r(5)}; ln -sf f${r(5)} link; cat link 2>/dev/null | md5sum`,
  (r) =>
    `yes ${r(1_000)} | head -c ${10_000 + r(300_000)} >~/w/big; : >>~/w/f; rm -f ~/w/f${r(3)}; cksum ~/w/big`,
  (r) =>
    `awk 'BEGIN { x = 0.${1 + r(900)}; for (i = 0; i < ${1_000 + r(5_000)}; i++) x = 3.97 * x * (1 - x) + sin(i) * 1e-9; printf "%.17g\\n", x }'`,
  (r) => `trap 'usr=$((usr + ${1 + r(9)}))' USR1; kill -USR1 $$; kill -USR1 $$; echo "usr $usr"`,
  (r) =>
    `exec {fd}<>held${r(3)}; echo "line ${r(1_000)}" >&$fd; cat held${r(3)} 2>/dev/null; exec {fd}>&-`,
  (r) =>
    `(trap 'exit ${r(100)}' TERM; sleep 50 & wait) & sleep 0.1; kill $!; wait $!; echo "status $?"`,
  (r) =>
    `printf '%s\\n' ${r(1_000)} ${r(1_000)} | sort -n | tee -a ~/w/sorted | paste -sd+ | bc 2>/dev/null; wc -l <~/w/sorted`,
  (r) =>
    `python3 -c 'import math, zlib, json; v = [math.sin(i * ${1 + r(50)}) * math.exp(-i / ${1 + r(90)}) for i in range(${300 + r(1_000)})]; print(math.fsum(v), sum(v), zlib.crc32(json.dumps(v).encode()))'`,
];

const NODE: Snippet = (r) =>
  `node -e 'let x = 0.${1 + r(900)}, s = ""; for (let i = 0; i < 5000; i++) { x = 3.99 * x * (1 - x); if (i % 1000 === 0) s += x.toString(36); } console.log(x, s, Math.fround(x), [3, 1, 2].sort().join())'`;

/** Counts in the background for as long as the thread lives; what it wrote must never have a hole. */
const COUNTER = `(i=0; trap 'echo $i >>~/w/asked' USR2; while :; do echo $((i++)) >>~/w/count; sleep 0.03; done) &
  counter=$!`;
const LOOK_AT_COUNTER = `until [ -s ~/w/count ]; do sleep 0.05; done; kill -STOP $counter; cp ~/w/count ~/w/seen; kill -CONT $counter
  if seq 0 $(($(wc -l <~/w/seen) - 1)) | cmp - ~/w/seen; then echo counted; fi; rm ~/w/seen
  m=$(cat ~/w/asked 2>/dev/null | wc -l); kill -USR2 $counter; until [ $(cat ~/w/asked 2>/dev/null | wc -l) -gt $m ]; do sleep 0.05; done; wc -l <~/w/asked`;

/** The turn ends, and its machine is switched, while it works. */
const WORK_ON = "kill -USR1 $floats";
const LOOK_AT_FLOATS = `until [ "$(tail -n 1 ~/w/floats)" = ready ]; do sleep 0.1; done; sort -u ~/w/floats; cat ~/w/floats.err`;

const DIGEST = `echo "$PWD \${#a[@]} $n"; (cd ~/w; find . -type f ! -name count ! -name asked ! -name 'floats*' | sort | xargs md5sum | md5sum)`;

/** @param random a number from 0 up to, without, its argument. */
export function threadScript(
  random: Random,
  { turns, hasNode, rounding }: ScriptOptions,
): ThreadScript {
  const hasCounter = random(2) > 0;
  const nodeAt = hasNode ? random(turns) : -1;
  const scripts = Array.from({ length: turns }, (_, turn) => {
    const parts: string[] = [];
    if (turn === 0) {
      parts.push("mkdir ~/w; cd ~/w; a=(); n=1; usr=0");
      if (hasCounter) parts.push(COUNTER);
      if (rounding !== undefined) {
        const work = `${rounding} 0.${100 + random(800)} ~/w/floats`;
        parts.push(`cp "$MOM_TURN/floats.py" ~/w/floats.py
          python3 ~/w/floats.py ${work} </dev/null >/dev/null 2>~/w/floats.err & floats=$!
          until [ -s ~/w/floats -o -s ~/w/floats.err ]; do sleep 0.1; done`);
      }
    }
    for (let count = 2 + random(2); count > 0; count--) {
      parts.push(SNIPPETS[random(SNIPPETS.length)]?.(random) ?? "");
    }
    if (turn === nodeAt) parts.push(NODE(random));
    if (hasCounter && (turn === turns - 1 || random(2) === 0)) parts.push(LOOK_AT_COUNTER);
    const last = rounding === undefined ? "true" : turn === turns - 1 ? LOOK_AT_FLOATS : WORK_ON;
    return [...parts, DIGEST, last].join("\n");
  });
  return { turns: scripts };
}
