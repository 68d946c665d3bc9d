import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import v8 from "node:v8";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { CPIO_FILE, writeCpio } from "../../images/cpio.ts";
import { testGuest } from "../support/guest.ts";
import { startMom } from "../support/mom.ts";

/** No root tree is needed: this init takes the place of the image's, whose busybox and modules are in memory. */
const initScript = (url: string) => `#!/bin/busybox sh
bb=/bin/busybox
$bb mount -t devtmpfs -o mode=0755 dev /dev
exec </dev/console >/dev/console 2>&1
while read -r module; do $bb insmod "/lib/$module"; done </modules
$bb ip link set eth0 up
$bb ip addr add 10.0.2.15/24 dev eth0
$bb ip route add default via 10.0.2.2
$bb ping -c 1 10.0.2.2
$bb wget -q -O /page ${url} && $bb sha256sum /page
$bb wget -O - http://192.168.1.1/ 2>&1
echo over
while :; do $bb sleep 3600; done
`;

test("a v86 as its makers publish it has the network by its relay_url", async () => {
  const page = randomBytes(1_000_000);
  const web = createServer((_request, response) => response.end(page)).listen(0, "127.0.0.1");
  await once(web, "listening");
  const { port } = web.address() as AddressInfo;
  const relay = startMom([
    ...["relay", "--listen", "127.0.0.1:0", "--token", "correct-horse"],
    ...["--host-port", String(port)],
  ]);
  let stop = async () => {};
  try {
    await relay.says("ready");
    const [url = ""] = /ws:\/\/[^?]+/.exec(relay.stderr()) ?? [];
    const console = await boot(`${url}?token=correct-horse`, `http://10.0.2.2:${port}/`);
    stop = console.stop;
    const said = await console.until("over");
    expect(said).toContain("1 packets received, 0% packet loss");
    expect(said).toContain(createHash("sha256").update(page).digest("hex"));
    expect(said).toMatch(
      /wget: can't connect to remote host .*: (No route to host|Host is unreach)/i,
    );
    await stop();
    await relay.says("a client left");
    expect(relay.stdout()).toContain('"target":"192.168.1.1:80","reason":"private"');
  } finally {
    await stop();
    relay.child.kill("SIGKILL");
    web.close();
  }
});

async function boot(relayUrl: string, pageUrl: string) {
  const { image } = await testGuest();
  const resolve = createRequire(import.meta.url).resolve;
  // Left to itself, V8 optimises what runs for seconds only, and longer than it runs.
  v8.setFlagsFromString("--liftoff-only");
  const { V86 } = await import("v86");
  const file = async (name: string) => {
    const bytes = await readFile(join(image.dir, name));
    return { buffer: Uint8Array.from(bytes).buffer };
  };
  // The kernel unpacks one archive after the other, and the last file of a name stays.
  const init = { path: "init", mode: CPIO_FILE | 0o755, data: Buffer.from(initScript(pageUrl)) };
  const initramfs = Buffer.concat([
    await readFile(join(image.dir, "initramfs")),
    gzipSync(writeCpio([init])),
  ]);
  const v86 = new V86({
    wasm_path: resolve("v86/build/v86.wasm"),
    memory_size: 96 << 20,
    bios: await file("bios.bin"),
    vga_bios: await file("vgabios.bin"),
    bzimage: await file("kernel"),
    initrd: { buffer: Uint8Array.from(initramfs).buffer },
    cmdline: image.manifest.machine.cmdline,
    net_device: { type: "virtio", relay_url: relayUrl },
    disable_keyboard: true,
    disable_mouse: true,
    disable_speaker: true,
    autostart: true,
  } as ConstructorParameters<typeof V86>[0]);
  let said = "";
  let look = () => {};
  v86.add_listener("serial0-output-byte", (byte: number) => {
    said += String.fromCharCode(byte);
    if (byte === 10) look();
  });
  let isStopped = false;
  return {
    until: (text: string) =>
      new Promise<string>((settle) => {
        look = () => {
          if (said.includes(`\n${text}\r\n`)) settle(said);
        };
        look();
      }),
    stop: async () => {
      if (isStopped) return;
      isStopped = true;
      await v86.destroy();
    },
  };
}
