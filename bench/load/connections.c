// Opens the connections, walks each through its first steps, and counts markers in the bytes that arrive.
// Frames are not parsed, so every server and every framing is measured by the same code.
#define _GNU_SOURCE
#include "connections.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "meter.h"

typedef enum { CONNECTING, UPGRADING, STEPPING, READY, DEAD } State;

typedef struct {
  int fd;
  State state;
  unsigned char step;
  unsigned char matched;  // progress in the text waited for
  unsigned char at_signs;
  unsigned char digits;
  uint64_t stamp;
  uint64_t deliveries;
} Connection;

enum { CONNECT_WINDOW = 256, CONNECT_DEADLINE_S = 120, EVENTS = 512, PER_ADDRESS = 20000 };

Tally tally;
static const Options *settings;
static Connection *connections;
static Pattern head_end;
static int poller;
static char chunk[1 << 18];

int begin_connect(int port, int spread) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
  struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + spread)};
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  if (fd < 0 || bind(fd, (void *)&from, sizeof from) < 0 ||
      (connect(fd, (void *)&to, sizeof to) < 0 && errno != EINPROGRESS)) {
    perror("wsload: connect");
    exit(1);
  }
  return fd;
}

int request_text(char *buffer, size_t size, const Options *options, const char *path, int port) {
  const char *kind = options->sse ? "Accept: text/event-stream\r\n"
                                  : "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  return snprintf(buffer, size, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s%s\r\n", path, port, kind, options->headers);
}

void send_frame(int fd, const char *text, size_t length) {
  static unsigned char frame[MAX_MESSAGE + 8];
  size_t head = length < 126 ? 2 : 4;
  frame[0] = 0x81;
  frame[1] = 0x80 | (length < 126 ? (unsigned char)length : 126);
  if (head == 4) {
    frame[2] = (unsigned char)(length >> 8);
    frame[3] = (unsigned char)length;
  }
  memset(frame + head, 0, 4);  // the mask: zeros leave the text as it is
  memcpy(frame + head + 4, text, length);
  for (size_t sent = 0, total = head + 4 + length; sent < total;) {
    ssize_t n = send(fd, frame + sent, total - sent, MSG_NOSIGNAL);
    if (n >= 0) {
      sent += (size_t)n;
    } else if (errno == EAGAIN) {
      usleep(100);
    } else {
      perror("wsload: send");
      exit(1);
    }
  }
}

int first_connection(void) { return connections[0].fd; }

static void fail(Connection *c) {
  if (c->state == DEAD) return;
  if (c->state == READY) tally.ready--;
  tally.errors++;
  c->state = DEAD;
  close(c->fd);
}

static void enter_step(Connection *c) {
  for (; c->step < settings->step_count; c->step++) {
    const Step *step = &settings->steps[c->step];
    if (step->send) send_frame(c->fd, step->send, strlen(step->send));
    if (step->awaited.text) {
      c->state = STEPPING;
      c->matched = 0;
      return;
    }
  }
  c->state = READY;
  tally.ready++;
}

static void count_markers(Connection *c, const char *p, const char *end, uint64_t now) {
  while (p < end) {
    if (c->at_signs == 0) {
      p = memchr(p, '@', (size_t)(end - p));
      if (!p) return;
      c->at_signs = 1;
      p++;
    } else if (c->at_signs == 1) {
      c->at_signs = *p++ == '@' ? 2 : 0;
      c->digits = 0;
      c->stamp = 0;
    } else {
      char ch = *p++;
      int digit = ch >= '0' && ch <= '9' ? ch - '0' : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
      if (digit < 0) {
        c->at_signs = 0;
      } else {
        c->stamp = c->stamp << 4 | (uint64_t)digit;
        if (++c->digits < MARKER_BYTES - 2) continue;
        c->at_signs = 0;
        c->deliveries++;
        tally.deliveries++;
        tally.last_delivery_ns = now;
        latency_add(now > c->stamp ? now - c->stamp : 0);
      }
    }
  }
}

static void check_status(const char *p, size_t length) {
  const char *wanted = settings->sse ? "HTTP/1.1 200" : "HTTP/1.1 101";
  if (length >= 12 && memcmp(p, wanted, 12) == 0) return;
  fprintf(stderr, "wsload: wanted %s, got: %.*s\n", wanted, (int)(length < 300 ? length : 300), p);
  exit(1);
}

static void take(Connection *c, const char *p, size_t length) {
  const char *end = p + length;
  if (c->state == UPGRADING && c->matched == 0) check_status(p, length);
  while (p < end && c->state == UPGRADING)
    if (pattern_feed(&head_end, &c->matched, *p++)) enter_step(c);
  while (p < end && c->state == STEPPING) {
    if (!pattern_feed(&settings->steps[c->step].awaited, &c->matched, *p++)) continue;
    c->step++;
    enter_step(c);
  }
  if (c->state == READY) count_markers(c, p, end, now_ns());
}

static void finish_connect(Connection *c, uint32_t index) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error) {
    fail(c);
    return;
  }
  char request[8192];
  int length = request_text(request, sizeof request, settings, settings->path, settings->port);
  send(c->fd, request, (size_t)length, MSG_NOSIGNAL);
  c->state = UPGRADING;
  epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &(struct epoll_event){.events = EPOLLIN, .data.u32 = index});
}

static void receive(Connection *c) {
  ssize_t n;
  do {
    n = recv(c->fd, chunk, sizeof chunk, 0);
    if (n > 0) take(c, chunk, (size_t)n);
    if (n == 0 || (n < 0 && errno != EAGAIN)) fail(c);
  } while (n == (ssize_t)sizeof chunk);
}

void pump(int wait_ms) {
  struct epoll_event events[EVENTS];
  int count = epoll_wait(poller, events, EVENTS, wait_ms);
  for (int i = 0; i < count; i++) {
    Connection *c = &connections[events[i].data.u32];
    if (c->state == CONNECTING)
      finish_connect(c, events[i].data.u32);
    else if (c->state != DEAD)
      receive(c);
  }
}

void pump_for(double seconds) {
  uint64_t end = now_ns() + (uint64_t)(seconds * 1e9);
  while (now_ns() < end) pump(10);
}

static void start(uint32_t index) {
  Connection *c = &connections[index];
  c->fd = begin_connect(settings->port, 1 + (int)index / PER_ADDRESS);
  struct epoll_event event = {.events = EPOLLOUT | EPOLLIN, .data.u32 = index};
  epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event);
}

void open_connections(const Options *options) {
  settings = options;
  pattern_set(&head_end, "\r\n\r\n");
  poller = epoll_create1(0);
  connections = calloc((size_t)options->connections, sizeof *connections);
  uint64_t deadline = now_ns() + CONNECT_DEADLINE_S * SECOND_NS;
  int started = 0;
  while (tally.ready + tally.errors < options->connections) {
    while (started < options->connections && started - tally.ready - tally.errors < CONNECT_WINDOW)
      start((uint32_t)started++);
    pump(10);
    if (now_ns() > deadline) {
      fprintf(stderr, "wsload: %d of %d connections ready in time\n", tally.ready, options->connections);
      exit(1);
    }
  }
}

void reset_counts(void) {
  tally.deliveries = 0;
  tally.last_delivery_ns = 0;
  latency_reset();
  for (int i = 0; i < settings->connections; i++) connections[i].deliveries = 0;
}

int connections_not_at(uint64_t deliveries) {
  int count = 0;
  for (int i = 0; i < settings->connections; i++) count += connections[i].deliveries != deliveries;
  return count;
}
