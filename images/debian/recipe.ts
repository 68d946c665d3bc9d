import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";

/** Raise by one when the builder itself changes what it makes of the same inputs. */
export const BUILDER_VERSION = 1;

export const SUITE = "bookworm";
export const ARCHITECTURE = "i386";
/** Debian's kernel without PAE: v86 has none, and addresses below 2 GiB anyway. */
export const KERNEL_FLAVOUR = "686";

/** Besides the essential packages and apt. Recommended packages stay out. */
export const PACKAGES = [
  // What commands are written in.
  "python3",
  "python-is-python3",
  "python3-pip",
  "nodejs",
  "git",
  "jq",
  // Network.
  "bind9-dnsutils",
  "ca-certificates",
  "curl",
  "wget",
  "iproute2",
  "iputils-ping",
  "netcat-openbsd",
  "openssh-client",
  "udhcpc",
  // Files.
  "bzip2",
  "file",
  "less",
  "nano",
  "unzip",
  "xz-utils",
  "zip",
  // System.
  "busybox-static",
  "kmod",
  "mount",
  "procps",
  "psmisc",
] as const;

/**
 * npm as its makers publish it: Debian's own package brings hundreds of others. The newest line that runs on
 * Debian 12's Node.js 18.
 */
export const NPM = {
  version: "10.9.9",
  integrity:
    "sha512-1g+6jLQvaIuB4zwvHL7yrXuXcWZwDsCtBX8bbWDqbvJSSr9nPiDDWTHNgwXR27iIcTTW7v3A57hDW9RYv2W4Yg==",
} as const;

/** Paths below the root that the image does without, as dpkg globs: `*` crosses slashes. */
export const EXCLUDED = [
  "/usr/share/doc/*",
  "/usr/share/man/*",
  "/usr/share/info/*",
  "/usr/share/locale/*",
  "/usr/share/lintian/*",
  "/usr/share/bug/*",
  "/usr/share/pixmaps/*",
  "/usr/share/applications/*",
  "/usr/share/bash-completion/*",
  "/usr/share/doc-base/*",
  "/usr/share/gitweb/*",
  // What perl's programmers need, not its programs; 12 MB.
  "/usr/lib/i386-linux-gnu/perl/5.36.0/CORE/*",
  "/usr/share/perl/5.36.0/Unicode/Collate/*",
  "/usr/share/perl/5.36.0/pod/*",
  // Its East Asian character sets; 4 MB.
  "/usr/lib/i386-linux-gnu/perl/5.36.0/auto/Encode/CN/*",
  "/usr/lib/i386-linux-gnu/perl/5.36.0/auto/Encode/JP/*",
  "/usr/lib/i386-linux-gnu/perl/5.36.0/auto/Encode/KR/*",
  "/usr/lib/i386-linux-gnu/perl/5.36.0/auto/Encode/TW/*",
  // What comes with dig.
  "/usr/bin/delv",
  "/usr/bin/mdig",
  "/usr/bin/nsupdate",
  // Servers and transports that nobody starts in a sandbox, each with all of git in it; 18 MB.
  "/usr/lib/git-core/git-daemon",
  "/usr/lib/git-core/git-http-backend",
  "/usr/lib/git-core/git-http-fetch",
  "/usr/lib/git-core/git-http-push",
  "/usr/lib/git-core/git-imap-send",
  "/usr/lib/git-core/git-shell",
  "/usr/lib/git-core/scalar",
  "/usr/bin/git-shell",
  "/usr/bin/scalar",
  "/usr/share/nodejs/@types/*",
  // Leads to the bundle of all authorities, which OpenSSL would read at each start: 1.7 s. It finds the one it needs beside it.
  "/usr/lib/ssl/cert.pem",
  // Character sets beyond the ones that glibc has built in are rare.
  "/usr/lib/i386-linux-gnu/gconv/IBM*",
  "/usr/lib/i386-linux-gnu/gconv/EBCDIC*",
] as const;

/** Left by the installation; not dpkg's to exclude. */
export const LEFTOVERS = [
  "/dev/*",
  "/tmp/*",
  "/run/*",
  "/boot/*",
  "/var/log/*",
  "/var/cache/apt/*",
  "/var/cache/ldconfig/*",
  "/var/cache/debconf/*-old",
  "/var/lib/apt/lists/*",
  "/var/lib/dpkg/*-old",
  "/etc/apt/apt.conf.d/99mmdebstrap",
  "/packages.txt",
  // The texts of Python's help("topics"), which its installation compiles.
  "/usr/lib/python3.11/pydoc_data/topics.py",
  "/usr/lib/python3.11/pydoc_data/__pycache__/topics.*",
] as const;

/** What the machine is started with; saved states depend on all of it. */
export const MACHINE = {
  cmdline: [
    "console=ttyS0",
    "quiet",
    "tsc=reliable",
    "mitigations=off",
    "nokaslr",
    "random.trust_cpu=on",
    // Freed pages are zero again, so a snapshot does not keep what nobody uses; once is enough.
    "init_on_free=1",
    "init_on_alloc=0",
    // There is one processor, and waiting for the others takes clock ticks.
    "nr_cpus=1",
    "rcupdate.rcu_expedited=1",
    // Hooks on every system call for policies that nobody loads.
    "lsm=landlock",
    "audit=0",
    // Hardening of a kernel whose users are all root. Its account of pressure stays on: the control agent looks at it.
    "hardened_usercopy=off",
    "randomize_kstack_offset=off",
    // What is not there takes long to look for: 4 s of an emulated boot, the most for testing ciphers.
    "cryptomgr.notests=1",
    "initcall_blacklist=load_system_certificate_list",
    "noisapnp",
    "pnpbios=off",
    "8250.nr_uarts=2",
    // A guest that slept with its snapshot wakes up hours later: nothing was stuck.
    "nosoftlockup",
    "rcupdate.rcu_cpu_stall_suppress=1",
    // Pages for all TCP connections together. By its own reckoning a guest of 256 MB drops what came when 200 connections
    // have 64 KiB each that no program has read yet, and then waits for it to be sent again. 96 MB are enough for twice
    // that, with what the kernel wastes on it. Their cgroup's limit counts this memory, too.
    'sysctl.net.ipv4.tcp_mem="16384 24576 32768"',
    // A connection's buffer at first, with the kernel's own least and most: two segments of 64 KiB, of which the second
    // may be on its way while the first waits for the program. With half of it the first ones go in parts.
    'sysctl.net.ipv4.tcp_rmem="4096 262144 1780800"',
  ].join(" "),
  memoryBytes: 256 * 1024 * 1024,
  vgaMemoryBytes: 2 * 1024 * 1024,
  /** cache=loose: the host does not change files behind the guest's back while it looks at them. */
  rootFlags: "trans=virtio,version=9p2000.L,cache=loose,msize=262144,access=client",
} as const;

/** Files of ours that go into an image, by name: their bytes are part of its identity. */
export async function recipeFiles(imagesFolder: string): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for (const folder of ["debian", "guest", "initramfs"]) {
    const below = await readdir(join(imagesFolder, folder), {
      recursive: true,
      withFileTypes: true,
    });
    for (const entry of below) {
      if (!entry.isFile() || entry.name.endsWith(".ts")) continue;
      const path = join(entry.parentPath, entry.name);
      files.set(relative(imagesFolder, path).split(sep).join("/"), await readFile(path));
    }
  }
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Identity of what would be built: a finished image of the same recipe is as good as a new one. The package
 * versions of the day are not in it; they are in the image's own identity, as the firmware is.
 */
export function recipeHash(files: ReadonlyMap<string, Uint8Array>): string {
  const settings = {
    BUILDER_VERSION,
    SUITE,
    ARCHITECTURE,
    KERNEL_FLAVOUR,
    PACKAGES,
    NPM,
    EXCLUDED,
    LEFTOVERS,
    MACHINE,
    files: [...files].map(([name, data]) => [name, sha256(data)]),
  };
  return sha256(Buffer.from(JSON.stringify(settings)));
}

export function sha256(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
