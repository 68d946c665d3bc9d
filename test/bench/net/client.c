/*
 * A small TCP client for an i386 guest, without a C library: what curl itself costs in an emulated computer does not
 * show in its figures. System calls by number, from Linux arch/x86/entry/syscalls/syscall_32.tbl.
 *
 *   client down ADDRESS PORT REQUEST          sends REQUEST, reads to the end
 *   client up ADDRESS PORT REQUEST BYTES      sends REQUEST and so many zeros, reads to the end
 *   client connect ADDRESS PORT REQUEST TIMES connects, sends REQUEST, reads one byte
 *
 * ADDRESS is four bytes in hexadecimal. Prints microseconds, a line each time.
 */
enum { EXIT = 1, READ = 3, WRITE = 4, CLOSE = 6, CLOCK_GETTIME = 265, SOCKET = 359, CONNECT = 362 };

static long call(long number, long a, long b, long c) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
  return result;
}

static char buffer[65536];

static unsigned length_of(const char *text) {
  unsigned n = 0;
  while (text[n]) n++;
  return n;
}

static unsigned number_of(const char *text, unsigned base) {
  unsigned value = 0;
  for (; *text; text++) value = value * base + (*text <= '9' ? *text - '0' : *text - 'a' + 10);
  return value;
}

static unsigned now_us(void) {
  struct { int seconds, nanoseconds; } time;
  call(CLOCK_GETTIME, 1, (long)&time, 0);
  return (unsigned)time.seconds * 1000000u + (unsigned)time.nanoseconds / 1000u;
}

static void print(unsigned value) {
  char text[12];
  int at = 12;
  text[--at] = '\n';
  do text[--at] = '0' + value % 10; while ((value /= 10) > 0);
  call(WRITE, 1, (long)(text + at), 12 - at);
}

static void fail(const char *what) {
  call(WRITE, 2, (long)what, length_of(what));
  call(EXIT, 1, 0, 0);
}

static void send_all(long socket, const char *from, unsigned bytes) {
  while (bytes > 0) {
    long sent = call(WRITE, socket, (long)from, bytes);
    if (sent <= 0) fail("write failed\n");
    from += sent;
    bytes -= sent;
  }
}

static long connected(const char *address, const char *port) {
  struct { unsigned short family, port; unsigned address, rest[2]; } to = {2, 0, 0, {0, 0}};
  unsigned number = number_of(port, 10);
  to.port = number << 8 | number >> 8;
  to.address = __builtin_bswap32(number_of(address, 16));
  long socket = call(SOCKET, 2, 1, 0);
  if (call(CONNECT, socket, (long)&to, sizeof to) != 0) fail("connect failed\n");
  return socket;
}

__attribute__((used)) void run(long *stack) {
  const char **words = (const char **)(stack + 2);
  const char *mode = words[0], *request = words[3];
  unsigned amount = stack[0] > 5 ? number_of(words[4], 10) : 1;
  for (unsigned times = mode[0] == 'c' ? amount : 1; times > 0; times--) {
    unsigned start = now_us();
    long socket = connected(words[1], words[2]), got;
    send_all(socket, request, length_of(request));
    if (mode[0] == 'u')
      for (unsigned left = amount; left > 0;) {
        unsigned part = left < sizeof buffer ? left : sizeof buffer;
        send_all(socket, buffer, part);
        left -= part;
      }
    do got = call(READ, socket, (long)buffer, mode[0] == 'c' ? 1 : sizeof buffer);
    while (got > 0 && mode[0] != 'c');
    if (got < 0 || (mode[0] == 'c' && got == 0)) fail("read failed\n");
    print(now_us() - start);
    call(CLOSE, socket, 0, 0);
  }
  call(EXIT, 0, 0, 0);
}

__asm__(".globl _start\n_start: mov %esp, %eax\n push %eax\n call run\n");
