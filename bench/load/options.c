// Reads the load client's command line into Options and checks it. Opens no socket.
#define _GNU_SOURCE
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char USAGE[] =
    "wsload: opens WebSocket or SSE connections to 127.0.0.1, publishes, and measures what arrives.\n"
    "connections\n"
    "  -p PORT      server port (3000)          -P PATH   request path (/)\n"
    "  -n COUNT     connections (1000)          -s        Server-Sent Events instead of WebSocket\n"
    "  -e 'A: b'    request header; repeat for more\n"
    "  -h FRAME     frame to send once open     -y TEXT   text to wait for after the last -h; repeat in pairs\n"
    "  -w MS        quiet time after the last connection is ready (300)\n"
    "  -i SECONDS   then hold everything idle\n"
    "publishing (every %T becomes the marker and the padding)\n"
    "  -b FRAME     publish this frame on connection 0\n"
    "  -q PORT -Q PATH -j FRAME   publish on an own connection to another port instead, -j first\n"
    "  -B 'PATH|BODY'             publish by HTTP POST instead\n"
    "  -m COUNT | -t SECONDS      how much to publish (-m 100)\n"
    "  -u SECONDS   publish unmeasured first    -c COUNT  messages in flight (1)\n"
    "  -r RATE      messages per second instead of -c\n"
    "  -l BYTES     padding behind the marker (64)\n"
    "measuring\n"
    "  -k PID       the server's process: adds CPU and memory figures\n";

static void refuse(const char *why) {
  fprintf(stderr, "wsload: %s\n\n%s", why, USAGE);
  exit(2);
}

void pattern_set(Pattern *pattern, const char *text) {
  pattern->text = text;
  pattern->length = strlen(text);
  if (pattern->length == 0 || pattern->length > MAX_AWAITED) refuse("a text to wait for has 1 to 64 bytes");
  unsigned char matched = 0;
  pattern->fallback[0] = 0;
  for (size_t i = 1; i < pattern->length; i++) {
    while (matched > 0 && text[matched] != text[i]) matched = pattern->fallback[matched - 1];
    if (text[matched] == text[i]) matched++;
    pattern->fallback[i] = matched;
  }
}

static Step *add_step(Options *options) {
  if (options->step_count == MAX_STEPS) refuse("too many steps");
  return &options->steps[options->step_count++];
}

static void add_awaited(Options *options, const char *text) {
  Step *last = options->step_count > 0 ? &options->steps[options->step_count - 1] : NULL;
  if (last == NULL || last->awaited.text != NULL) last = add_step(options);
  pattern_set(&last->awaited, text);
}

static void add_header(Options *options, const char *line) {
  size_t used = strlen(options->headers), room = sizeof options->headers - used;
  if ((size_t)snprintf(options->headers + used, room, "%s\r\n", line) >= room) refuse("headers too long");
}

static void check(const Options *options) {
  if (options->connections < 1) refuse("-n must be at least 1");
  if (options->in_flight < 1) refuse("-c must be at least 1");
  if (options->padding < 0 || options->padding > MAX_MESSAGE / 2) refuse("-l must be 0 to 30000");
  if (options->sse && options->frame && !options->publisher_port) refuse("-b with -s needs -q, or use -B");
  const char *template = options->frame ? options->frame : options->post;
  if (template && !strstr(template, "%T")) refuse("a publish frame needs %T where the marker goes");
  if (template && strlen(template) > MAX_MESSAGE / 2) refuse("the publish frame is too long");
  if (options->post && !strchr(options->post, '|')) refuse("-B needs PATH|BODY");
  for (int i = 0; i < options->step_count; i++)
    if (options->sse && options->steps[i].send) refuse("-h makes no sense with -s");
}

void read_options(int argc, char **argv, Options *options) {
  *options = (Options){.connections = 1000, .port = 3000, .path = "/", .settle_ms = 300, .in_flight = 1, .padding = 64};
  int letter;
  while ((letter = getopt(argc, argv, "n:p:P:e:sh:y:w:i:b:q:Q:j:B:m:t:u:c:r:l:k:")) != -1) {
    switch (letter) {
      case 'n': options->connections = atoi(optarg); break;
      case 'p': options->port = atoi(optarg); break;
      case 'P': options->path = optarg; break;
      case 'e': add_header(options, optarg); break;
      case 's': options->sse = true; break;
      case 'h': add_step(options)->send = optarg; break;
      case 'y': add_awaited(options, optarg); break;
      case 'w': options->settle_ms = atoi(optarg); break;
      case 'i': options->idle_seconds = atoi(optarg); break;
      case 'b': options->frame = optarg; break;
      case 'q': options->publisher_port = atoi(optarg); break;
      case 'Q': options->publisher_path = optarg; break;
      case 'j': options->publisher_hello = optarg; break;
      case 'B': options->post = optarg; break;
      case 'm': options->messages = atol(optarg); break;
      case 't': options->seconds = atof(optarg); break;
      case 'u': options->warmup_seconds = atof(optarg); break;
      case 'c': options->in_flight = atoi(optarg); break;
      case 'r': options->rate = atof(optarg); break;
      case 'l': options->padding = atoi(optarg); break;
      case 'k': options->server_pid = atoi(optarg); break;
      default: refuse("unknown option");
    }
  }
  if (options->messages == 0 && options->seconds == 0) options->messages = 100;
  check(options);
}
