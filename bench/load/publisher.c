// Puts marked messages on the wire: on connection 0, on an own WebSocket to another port, or by HTTP POST.
#define _GNU_SOURCE
#include "publisher.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connections.h"
#include "meter.h"

// What is published before a server has taken the hello would be refused.
enum { REPLY_WAIT_MS = 5000, HELLO_US = 300000 };

static const Options *settings;
static char padding[MAX_MESSAGE];
static char replies[65536];
static int fd = -1;
static bool own_fd;
static int unanswered;

static void give_up(const char *why) {
  fprintf(stderr, "wsload: publisher: %s\n", why);
  exit(1);
}

static void wait_for(short events) {
  struct pollfd one = {.fd = fd, .events = events};
  if (poll(&one, 1, REPLY_WAIT_MS) != 1) give_up("no answer in 5 s");
}

static void upgrade_own(void) {
  char request[8192];
  Options as_websocket = *settings;
  as_websocket.sse = false;
  const char *path = settings->publisher_path ? settings->publisher_path : settings->path;
  int length = request_text(request, sizeof request, &as_websocket, path, settings->publisher_port);
  send(fd, request, (size_t)length, MSG_NOSIGNAL);
  wait_for(POLLIN);
  ssize_t n = recv(fd, replies, sizeof replies - 1, 0);
  if (n < 12 || memcmp(replies, "HTTP/1.1 101", 12) != 0) give_up("upgrade refused");
  if (!settings->publisher_hello) return;
  send_frame(fd, settings->publisher_hello, strlen(settings->publisher_hello));
  usleep(HELLO_US);
}

void publisher_open(const Options *options) {
  settings = options;
  memset(padding, 'x', (size_t)options->padding);
  own_fd = options->post || options->publisher_port;
  if (!own_fd) {
    fd = first_connection();
    return;
  }
  fd = begin_connect(options->post ? options->port : options->publisher_port, 0);
  wait_for(POLLOUT);
  if (!options->post) upgrade_own();
}

void publisher_drain(void) {
  if (!own_fd) return;
  ssize_t n = recv(fd, replies, sizeof replies - 1, MSG_DONTWAIT);
  if (n == 0 || (n < 0 && errno != EAGAIN)) give_up("connection lost");
  if (n < 0 || !settings->post) return;
  replies[n] = 0;
  for (char *at = replies; (at = strstr(at, "HTTP/1.1 ")); at += 9) {
    unanswered--;
    if (at[9] != '2') give_up(at);
  }
}

bool publisher_can_send(void) { return !settings->post || unanswered < settings->in_flight; }

static int fill(char *message, size_t size, const char *template) {
  const char *at = strstr(template, "%T");
  return snprintf(message, size, "%.*s@@%016" PRIx64 "%s%s", (int)(at - template), template, now_ns(), padding, at + 2);
}

static void post(const char *body, int length) {
  static char request[MAX_MESSAGE + 8192];
  const char *bar = strchr(settings->post, '|');
  int total = snprintf(request, sizeof request,
                       "POST %.*s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                       "%sContent-Length: %d\r\n\r\n%s",
                       (int)(bar - settings->post), settings->post, settings->headers, length, body);
  if (send(fd, request, (size_t)total, MSG_NOSIGNAL) != total) give_up("the server does not read its requests");
  unanswered++;
}

void publisher_send(void) {
  static char message[MAX_MESSAGE];
  if (settings->post) {
    post(message, fill(message, sizeof message, strchr(settings->post, '|') + 1));
  } else {
    send_frame(fd, message, (size_t)fill(message, sizeof message, settings->frame));
  }
}
