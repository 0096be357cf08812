// The load client's settings, as read from the command line. Knows nothing of sockets.
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { MAX_STEPS = 4, MAX_AWAITED = 64, MAX_MESSAGE = 60000 };

// A text to look for in a stream of chunks, with its Knuth-Morris-Pratt table, so that a text cut in two by
// a chunk's end is still found.
typedef struct {
  const char *text;
  size_t length;
  unsigned char fallback[MAX_AWAITED];
} Pattern;

// What a connection does after it is open: send a frame (or nothing), then wait for a text (or for nothing).
typedef struct {
  const char *send;
  Pattern awaited;
} Step;

typedef struct {
  int connections;
  int port;
  const char *path;
  char headers[4096];
  bool sse;
  Step steps[MAX_STEPS];
  int step_count;
  int settle_ms;
  int idle_seconds;

  const char *frame;
  const char *post;
  int publisher_port;
  const char *publisher_path;
  const char *publisher_hello;
  long messages;
  double seconds;
  double warmup_seconds;
  double rate;
  int in_flight;
  int padding;

  pid_t server_pid;
} Options;

// Ends the process with a message when the options make no sense.
void read_options(int argc, char **argv, Options *options);

void pattern_set(Pattern *pattern, const char *text);

// Feeds one byte; `matched` is the caller's progress. Returns true when the text is complete.
static inline bool pattern_feed(const Pattern *pattern, unsigned char *matched, char byte) {
  while (*matched > 0 && pattern->text[*matched] != byte) *matched = pattern->fallback[*matched - 1];
  if (pattern->text[*matched] == byte) (*matched)++;
  if (*matched < pattern->length) return false;
  *matched = 0;
  return true;
}

#endif
