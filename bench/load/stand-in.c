/* A server whose delays are known: each query is sent back with its QR bit flipped, after
 *   delay MICROS    so long
 *   freeze MILLIS   nothing, but in the last so many milliseconds of each second it does nothing; what has queued is answered then
 *   serve MICROS    so long for each query, one at a time: a server of exactly 1,000,000 / MICROS queries a second
 * counted from when the kernel had the query (SO_TIMESTAMPNS), not from when this program looked. It measures what delays it
 * really made, so that what a load tester measures can be told from what was there. It never sleeps, and has a core for itself.
 *
 * A message of "RSET" makes it forget what it measured, one of "STAT" has it tell: {"count": …, "drops": …, "span": …, …},
 * times in nanoseconds.
 * Usage: stand-in PORT MODE NUMBER */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/sock_diag.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = 64, OCTETS = 512, PENDING = 1 << 14, CONTROL = 64, DELAYS = 1 << 24 };
static const int64_t SECOND = 1000000000;

/* A query that waits for its time. */
struct pending {
  uint8_t octets[OCTETS];
  struct sockaddr_in peer;
  socklen_t length;
  int64_t received, release;
};

static struct pending ring[PENDING];
static uint32_t head, tail;
static struct mmsghdr in[BATCH], out[BATCH];
static struct iovec in_spans[BATCH], out_spans[BATCH];
static uint8_t controls[BATCH][CONTROL];
static uint32_t delays[DELAYS], sorted[DELAYS];
static int64_t count, first, last;
static int udp;

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return t.tv_sec * SECOND + t.tv_nsec;
}

static int64_t received_at(struct msghdr *message) {
  for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS) continue;
    struct timespec t;
    memcpy(&t, CMSG_DATA(c), sizeof t);
    return t.tv_sec * SECOND + t.tv_nsec;
  }
  return now();
}

static uint32_t drops(void) {
  uint32_t words[SK_MEMINFO_VARS] = {0};
  socklen_t length = sizeof words;
  getsockopt(udp, SOL_SOCKET, SO_MEMINFO, words, &length);
  return words[SK_MEMINFO_DROPS];
}

static int ascending(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static uint32_t dropped_before;

static void reset(void) {
  count = first = last = 0;
  dropped_before = drops();
}

static void tell(struct sockaddr_in *peer) {
  static const double percents[] = {0, 50, 90, 95, 99, 99.9, 100};
  char text[512];
  int64_t known = count < DELAYS ? count : DELAYS;
  memcpy(sorted, delays, known * sizeof *delays);
  qsort(sorted, known, sizeof *sorted, ascending);
  int length = snprintf(text, sizeof text, "{\"count\":%ld,\"drops\":%u,\"span\":%ld", (long)count,
                        drops() - dropped_before, (long)(last - first));
  for (unsigned i = 0; i < sizeof percents / sizeof *percents; i++) {
    /* The smallest value that so many percent do not exceed, as HdrHistogram has it. */
    int64_t rank = (int64_t)(known * percents[i] / 100 + 0.999999);
    uint32_t value = known == 0 ? 0 : sorted[rank > 0 ? rank - 1 : 0];
    length += snprintf(text + length, sizeof text - length, ",\"p%g\":%u", percents[i], value);
  }
  length += snprintf(text + length, sizeof text - length, "}");
  sendto(udp, text, length, 0, (struct sockaddr *)peer, sizeof *peer);
}

/* Takes what is there, as far as there is room. `hold`: nanoseconds; negative: one after another, so long each. */
static void receive(int64_t hold) {
  static int64_t busy_until;
  int room = PENDING - (tail - head);
  int slots = room < BATCH ? room : BATCH;
  if (slots == 0) return;
  for (int i = 0; i < slots; i++) {
    struct pending *each = &ring[(tail + i) % PENDING];
    in_spans[i] = (struct iovec){each->octets, OCTETS};
    in[i].msg_hdr = (struct msghdr){.msg_name = &each->peer, .msg_namelen = sizeof each->peer, .msg_iov = &in_spans[i],
                                    .msg_iovlen = 1, .msg_control = controls[i], .msg_controllen = CONTROL};
  }
  int got = recvmmsg(udp, in, slots, MSG_DONTWAIT, 0);
  int kept = 0;
  for (int i = 0; i < got; i++) {
    struct pending *from = &ring[(tail + i) % PENDING], *each = &ring[(tail + kept) % PENDING];
    if (in[i].msg_len == 4 && !memcmp(from->octets, "STAT", 4)) {
      tell(&from->peer);
      continue;
    }
    if (in[i].msg_len == 4 && !memcmp(from->octets, "RSET", 4)) {
      reset();
      sendto(udp, "done", 4, 0, (struct sockaddr *)&from->peer, sizeof from->peer);
      continue;
    }
    if (each != from) *each = *from;
    each->length = in[i].msg_len;
    each->received = received_at(&in[i].msg_hdr);
    if (hold >= 0) each->release = each->received + hold;
    else each->release = busy_until = (busy_until > each->received ? busy_until : each->received) - hold;
    if (first == 0) first = each->received;
    last = each->received;
    kept++;
  }
  tail += kept;
}

/* Sends what is due. */
static void release(int64_t time) {
  int due = 0;
  for (; due < BATCH && head + due != tail && ring[(head + due) % PENDING].release <= time; due++) {
    struct pending *each = &ring[(head + due) % PENDING];
    each->octets[2] ^= 0x80;
    out_spans[due] = (struct iovec){each->octets, each->length};
    out[due].msg_hdr = (struct msghdr){.msg_name = &each->peer, .msg_namelen = sizeof each->peer,
                                       .msg_iov = &out_spans[due], .msg_iovlen = 1};
  }
  for (int sent = 0; sent < due;) {
    int more = sendmmsg(udp, out + sent, due - sent, 0);
    int64_t done = now();
    for (int i = 0; i < more; i++) delays[count++ % DELAYS] = done - ring[(head + sent + i) % PENDING].received;
    /* One that cannot be sent is given up. */
    sent += more > 0 ? more : 1;
  }
  head += due;
}

int main(int argument_count, char **arguments) {
  if (argument_count != 4) return 2;
  int64_t number = atol(arguments[3]);
  int64_t hold = 0, frozen = 0;
  if (!strcmp(arguments[2], "delay")) hold = number * 1000;
  else if (!strcmp(arguments[2], "serve")) hold = -number * 1000;
  else if (!strcmp(arguments[2], "freeze")) frozen = number * 1000000;
  else return 2;
  udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  int octets = 64 << 20, on = 1;
  if (setsockopt(udp, SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof octets))
    setsockopt(udp, SOL_SOCKET, SO_RCVBUF, &octets, sizeof octets);
  setsockopt(udp, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(atoi(arguments[1]))};
  own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(udp, (struct sockaddr *)&own, sizeof own)) return 1;
  for (;;) {
    int64_t time = now();
    if (frozen > 0 && time % SECOND >= SECOND - frozen) continue;
    receive(hold);
    release(now());
  }
}
