// Time, latency percentiles and another process's CPU and memory. Knows nothing of sockets.
#ifndef METER_H
#define METER_H

#include <stdint.h>
#include <sys/types.h>

static const uint64_t SECOND_NS = 1000000000ull;

// Nanoseconds of CLOCK_MONOTONIC.
uint64_t now_ns(void);

void latency_reset(void);
void latency_add(uint64_t ns);
// Milliseconds under which this share (0 to 1) of the latencies lies, within 1.6 %.
double latency_ms(double share);

typedef struct {
  double cpu_seconds;  // user and system time of all its threads
  double rss_kib;
} Usage;

// Ends the process when `pid` is gone; all zeros when `pid` is 0 (nothing to watch).
Usage usage_of(pid_t pid);

#endif
