// Time, latency percentiles and another process's CPU and memory, from the kernel's own clocks.
#define _GNU_SOURCE
#include "meter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// Buckets of 1/64 of a power of two, in microseconds: fixed memory, 1.6 % error at most.
enum { SUB_BITS = 6, SUBS = 1 << SUB_BITS, BUCKETS = 64 * SUBS };
static uint64_t buckets[BUCKETS];
static uint64_t bucket_total;

static uint64_t to_ns(struct timespec t) { return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec; }

uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return to_ns(t);
}

void latency_reset(void) {
  memset(buckets, 0, sizeof buckets);
  bucket_total = 0;
}

void latency_add(uint64_t ns) {
  uint64_t us = ns / 1000;
  if (us == 0) us = 1;
  int power = 63 - __builtin_clzll(us);
  uint64_t scaled = power >= SUB_BITS ? us >> (power - SUB_BITS) : us << (SUB_BITS - power);
  buckets[power * SUBS + (int)(scaled & (SUBS - 1))]++;
  bucket_total++;
}

double latency_ms(double share) {
  uint64_t wanted = (uint64_t)((double)bucket_total * share), seen = 0;
  for (int i = 0; i < BUCKETS; i++) {
    seen += buckets[i];
    if (seen > wanted) return (double)(1ull << (i / SUBS)) * (1 + (i % SUBS) / (double)SUBS) / 1000;
  }
  return 0;
}

// The process's CPU clock counts nanoseconds; /proc/PID/stat would count ticks of 10 ms.
static double cpu_seconds(pid_t pid) {
  clockid_t clock;
  struct timespec t;
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0) {
    fprintf(stderr, "wsload: process %d is gone\n", (int)pid);
    exit(1);
  }
  return (double)to_ns(t) / 1e9;
}

static double rss_kib(pid_t pid) {
  char name[64];
  long pages = 0;
  snprintf(name, sizeof name, "/proc/%d/statm", (int)pid);
  FILE *file = fopen(name, "r");
  if (!file || fscanf(file, "%*d %ld", &pages) != 1) {
    fprintf(stderr, "wsload: cannot read %s\n", name);
    exit(1);
  }
  fclose(file);
  return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1024;
}

Usage usage_of(pid_t pid) {
  if (pid == 0) return (Usage){0};
  return (Usage){.cpu_seconds = cpu_seconds(pid), .rss_kib = rss_kib(pid)};
}
