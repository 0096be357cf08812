// The receiving side: opens the connections, takes their first steps, and counts markers in whatever arrives.
// Knows no server and no framing beyond the upgrade.
#ifndef CONNECTIONS_H
#define CONNECTIONS_H

#include <stdint.h>

#include "options.h"

// A marker is "@@" and the send time in ns as 16 lower-case hex digits. No server under test makes one by itself.
enum { MARKER_BYTES = 18 };

typedef struct {
  int ready;
  int errors;
  uint64_t deliveries;
  uint64_t last_delivery_ns;
} Tally;

extern Tally tally;

// Opens all connections and returns when each is ready or failed; ends the process after 120 s.
void open_connections(const Options *options);

// Handles what has arrived, waiting at most this long for the first byte.
void pump(int wait_ms);
void pump_for(double seconds);

// Zeroes deliveries and latencies, for the next phase.
void reset_counts(void);
// Connections that got another number of deliveries than this since the last reset.
int connections_not_at(uint64_t deliveries);

// A non-blocking socket to 127.0.0.1 with its connect begun. `spread` picks the source address: each serves
// 20,000 connections, under the 28,000 ports of the kernel's default range.
int begin_connect(int port, int spread);
int request_text(char *buffer, size_t size, const Options *options, const char *path, int port);

// Sends one masked text frame whole, waiting while the socket is full.
void send_frame(int fd, const char *text, size_t length);
int first_connection(void);

#endif
