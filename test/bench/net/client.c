/*
 * A small TCP client for an i386 guest, without a C library: what curl itself costs in an emulated computer does not
 * show in its figures. System calls by number, from Linux arch/x86/entry/syscalls/syscall_32.tbl.
 *
 *   client down ADDRESS PORT REQUEST          sends REQUEST, reads to the end
 *   client up ADDRESS PORT REQUEST BYTES      sends REQUEST and so many zeros, reads to the end
 *   client connect ADDRESS PORT REQUEST TIMES connects, sends REQUEST, reads one byte
 *   client many ADDRESS PORT REQUEST BYTES N  N connections at once, each sends REQUEST and reads so many bytes at least
 *
 * ADDRESS is four bytes in hexadecimal. Prints microseconds, a line each time.
 */
enum { EXIT = 1, READ = 3, WRITE = 4, CLOSE = 6, POLL = 168, CLOCK_GETTIME = 265, SOCKET = 359, CONNECT = 362 };
enum { STREAM = 1, NONBLOCK = 2048, IN = 1, OUT = 4, IN_PROGRESS = 115, MOST = 256 };

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

static long connected(const char *address, const char *port, long type) {
  struct { unsigned short family, port; unsigned address, rest[2]; } to = {2, 0, 0, {0, 0}};
  unsigned number = number_of(port, 10);
  to.port = number << 8 | number >> 8;
  to.address = __builtin_bswap32(number_of(address, 16));
  long socket = call(SOCKET, 2, type, 0);
  long result = call(CONNECT, socket, (long)&to, sizeof to);
  if (result != 0 && result != -IN_PROGRESS) fail("connect failed\n");
  return socket;
}

static struct { int socket; short wanted, found; } polled[MOST];
static unsigned received[MOST];

static void many(const char **words, const char *request, unsigned bytes, unsigned count) {
  for (unsigned i = 0; i < count; i++) {
    polled[i].socket = connected(words[1], words[2], STREAM | NONBLOCK);
    polled[i].wanted = OUT;
  }
  for (unsigned open = count; open > 0;) {
    if (call(POLL, (long)polled, count, -1) < 0) fail("poll failed\n");
    for (unsigned i = 0; i < count; i++) {
      if (polled[i].socket < 0 || !polled[i].found) continue;
      if (polled[i].wanted == OUT) {
        send_all(polled[i].socket, request, length_of(request));
        polled[i].wanted = IN;
        continue;
      }
      long got = call(READ, polled[i].socket, (long)buffer, sizeof buffer);
      if (got < 0) fail("read failed\n");
      received[i] += got;
      if (got > 0) continue;
      if (received[i] < bytes) fail("bytes are missing\n");
      call(CLOSE, polled[i].socket, 0, 0);
      // poll() leaves it out.
      polled[i].socket = -1;
      open--;
    }
  }
}

__attribute__((used)) void run(long *stack) {
  const char **words = (const char **)(stack + 2);
  const char *mode = words[0], *request = words[3];
  unsigned amount = stack[0] > 5 ? number_of(words[4], 10) : 1;
  if (mode[0] == 'm') {
    unsigned start = now_us();
    many(words, request, amount, number_of(words[5], 10));
    print(now_us() - start);
    call(EXIT, 0, 0, 0);
  }
  for (unsigned times = mode[0] == 'c' ? amount : 1; times > 0; times--) {
    unsigned start = now_us();
    long socket = connected(words[1], words[2], STREAM), got;
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
