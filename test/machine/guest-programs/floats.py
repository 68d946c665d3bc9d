"""Floating point that a careless switch of machines gets wrong.

A function of machine code (i386) keeps live, from one iteration to the next, what v86's own restore loses: the flags
that end its loop (`last_result`), the rounding mode of SSE (`mxcsr`) and the exceptions of the x87
(`fpu_status_word`); beside them registers of both units, in chaotic maps, where one wrong bit ends in quite another
number. Each SIGUSR1 has it work for a moment, and a line is left of each round: all rounds come to the same.

usage: floats.py ROUNDING X OUTPUT
"""
import ctypes
import mmap
import signal
import struct
import sys

CODE = bytes.fromhex(
    "53 56"
    "8b4c240c 8b742410"  # ecx: iterations; esi: the values below
    "0fae5610 dbe2"  # ldmxcsr [esi+16]; fnclex
    "f20f1006 f20f104e08 f20f105e30"  # xmm0: x; xmm1: r; xmm3: 1
    "dd4620 31db 4149"  # st0: z; ebx: the sum; flags: of the iterations left
    # The top of the loop takes the flags from its end.
    "742d"
    "660f28d3 f20f5cd0 f20f59c1 f20f59c2"  # x = r x (1 - x)
    "660f28e0 f20f596638 f20f2dc4 01c3"  # sum += x * 1e9, rounded as mxcsr says
    "d9e8 d8e1 dec9 dc4e08"  # z = r z (1 - z)
    "01cb 49 ebd1"
    "f20f1106 dd5e20 0fae5e14 dd7e18 894e1c 895e28"
    "5e 5b c3"
)
VALUES = "<ddIIIIdIIdd"
ITERATIONS = 300_000
ROUNDS = 2

rounding, x, output = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
memory = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
memory.write(CODE)
address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
run = ctypes.CFUNCTYPE(None, ctypes.c_uint32, ctypes.c_char_p)(address)
mxcsr = 0x1F80 | rounding << 13
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
with open(output, "w", buffering=1) as file:
    while True:
        print("ready", file=file)
        signal.sigwait([signal.SIGUSR1])
        for _ in range(ROUNDS):
            values = ctypes.create_string_buffer(
                struct.pack(VALUES, x, 3.99, mxcsr, 0, 0, 0, x, 0, 0, 1.0, 1e9)
            )
            run(ITERATIONS, values)
            x_end, _, _, after, status, left, z_end, total, _, _, _ = struct.unpack_from(VALUES, values)
            print(f"{x_end!r} {z_end!r} {total} {left} {after & ~0x3F:x} {status:x}", file=file)
