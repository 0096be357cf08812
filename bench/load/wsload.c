// wsload, Trunkline's load client: opens N WebSocket or SSE connections over loopback, waits until all are ready,
// publishes, and counts a marker (the send time) in whatever bytes arrive. So it measures any server and any
// framing the same way. It prints one line of JSON; progress and errors go to stderr. Linux only, no library.
// Build: gcc -O2 -o wsload *.c     Usage: see options.c
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/resource.h>

#include "connections.h"
#include "meter.h"
#include "options.h"
#include "publisher.h"

// A run ends when nothing has arrived for this long while something is missing.
static const uint64_t STALL_NS = 3ull * 1000000000ull;

typedef struct {
  long sent;
  uint64_t expected;
  double seconds;
  double cpu_seconds;
} Run;

static bool more_to_send(const Options *o, double seconds, long messages, const Run *run, uint64_t elapsed_ns) {
  if (messages > 0 && run->sent >= messages) return false;
  if (seconds > 0 && (double)elapsed_ns >= seconds * 1e9) return false;
  if (!publisher_can_send()) return false;
  if (o->rate > 0) return (double)elapsed_ns / 1e9 * o->rate >= (double)run->sent;
  return tally.deliveries / (uint64_t)tally.ready + (uint64_t)o->in_flight > (uint64_t)run->sent;
}

static bool at_end(double seconds, long messages, const Run *run, uint64_t elapsed_ns) {
  bool all_sent = messages > 0 ? run->sent >= messages : (double)elapsed_ns >= seconds * 1e9;
  return all_sent && tally.deliveries >= run->expected;
}

static Run publish(const Options *o, double seconds, long messages) {
  Run run = {0};
  int receivers = tally.ready;
  reset_counts();
  Usage before = usage_of(o->server_pid);
  uint64_t start = now_ns(), now = start;
  while (tally.ready > 0 && !at_end(seconds, messages, &run, now - start)) {
    bool send_now = more_to_send(o, seconds, messages, &run, now - start);
    if (send_now) {
      publisher_send();
      run.expected = (uint64_t)++run.sent * (uint64_t)receivers;
    }
    publisher_drain();
    pump(send_now ? 0 : 1);
    now = now_ns();
    uint64_t last_sign = tally.last_delivery_ns ? tally.last_delivery_ns : start;
    if (tally.deliveries < run.expected && now > last_sign + STALL_NS) break;
  }
  run.cpu_seconds = usage_of(o->server_pid).cpu_seconds - before.cpu_seconds;
  run.seconds = (double)((tally.last_delivery_ns ? tally.last_delivery_ns : now) - start) / 1e9;
  return run;
}

static void print_run(const Options *o, const Run *run) {
  double deliveries = (double)tally.deliveries;
  printf(",\"publish\":{\"sent\":%ld,\"deliveries\":%.0f,\"expected\":%.0f,\"connectionsShort\":%d,\"seconds\":%.3f", run->sent,
         deliveries, (double)run->expected, connections_not_at((uint64_t)run->sent), run->seconds);
  printf(",\"deliveriesPerSecond\":%.0f,\"p50Ms\":%.3f,\"p99Ms\":%.3f,\"p999Ms\":%.3f", deliveries / run->seconds,
         latency_ms(.5), latency_ms(.99), latency_ms(.999));
  if (o->server_pid && deliveries > 0)
    printf(",\"cpuUsPerDelivery\":%.4f,\"cpuShare\":%.3f", run->cpu_seconds * 1e6 / deliveries,
           run->cpu_seconds / run->seconds);
  printf("}");
}

static void print_memory(const Options *o, Usage start, Usage end) {
  if (!o->server_pid) return;
  printf(",\"rssKibAtStart\":%.0f,\"rssKibPerConnection\":%.2f", start.rss_kib,
         (end.rss_kib - start.rss_kib) / o->connections);
}

static Usage connect_all(const Options *o) {
  Usage before = usage_of(o->server_pid);
  uint64_t start = now_ns();
  open_connections(o);
  double seconds = (double)(now_ns() - start) / 1e9;
  pump_for(o->settle_ms / 1000.0);
  Usage after = usage_of(o->server_pid);
  printf("{\"connections\":%d,\"connectSeconds\":%.3f,\"connectsPerSecond\":%.0f", tally.ready, seconds,
         tally.ready / seconds);
  if (o->server_pid) printf(",\"connectCpuUs\":%.2f", (after.cpu_seconds - before.cpu_seconds) * 1e6 / o->connections);
  return before;
}

static void hold_idle(const Options *o) {
  if (o->idle_seconds == 0) return;
  Usage before = usage_of(o->server_pid);
  pump_for(o->idle_seconds);
  if (o->server_pid)
    printf(",\"idleCpuSeconds\":%.4f", usage_of(o->server_pid).cpu_seconds - before.cpu_seconds);
}

static void raise_file_limit(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv) {
  static Options options;
  read_options(argc, argv, &options);
  raise_file_limit();
  Usage start = connect_all(&options);
  hold_idle(&options);
  print_memory(&options, start, usage_of(options.server_pid));
  if (options.frame || options.post) {
    publisher_open(&options);
    if (options.warmup_seconds > 0) publish(&options, options.warmup_seconds, 0);
    Run run = publish(&options, options.seconds, options.messages);
    print_run(&options, &run);
  }
  printf(",\"errors\":%d}\n", tally.errors);
  return 0;
}
