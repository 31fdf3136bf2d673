/* The way to the upstream, made longer: a UDP relay that holds every answer back for a while and counts what comes by.
 * netem would do the delay, but is not in every kernel. Queries are told apart by an id of the relay's own, so that one
 * connected socket to the upstream is enough. Names are known by a 64 bit hash of lower-cased QNAME, QTYPE and QCLASS.
 *
 * Usage: relay LISTEN_PORT UPSTREAM_PORT CONTROL_PORT DELAY_MICROSECONDS, all on 127.0.0.1
 * Control, one datagram each: "count", "anew" (the counts begin anew) and "delay N" (of the answers to come, in
 * microseconds). All are answered with the counts so far: "queries names repeats-in-flight answers dropped". */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

enum {
  BATCH = 64,
  PACKET_OCTETS = 1536,
  HEADER_OCTETS = 12,
  IDS = 1 << 16,
  /* Answers being held back: half a million a second for 30 ms. */
  HELD = 1 << 14,
  /* Names of one count; beyond NAMES_MOST they are still counted but no longer recognized. */
  NAMES = 1 << 22,
  NAMES_MOST = NAMES / 4 * 3,
};

/* A query on its way to the upstream and back, by the relay's id. */
struct waiting {
  struct sockaddr_in client;
  /* Index in names, or -1. */
  int32_t name;
  /* As the client wrote it, in network order. */
  uint16_t id;
  uint8_t used;
};

struct held {
  int64_t due;
  struct sockaddr_in client;
  int32_t name;
  uint32_t length;
  uint8_t packet[PACKET_OCTETS];
};

/* One name of this count. hash 0 = free. */
struct name {
  uint64_t hash;
  uint32_t in_flight;
};

static struct waiting waiting[IDS];
static struct held held[HELD];
static struct name names[NAMES];
static uint32_t first_held, held_count, next_id;
static uint64_t queries, name_count, repeats_in_flight, answers, dropped;
static int64_t delay;

static uint8_t packets[BATCH][PACKET_OCTETS];
static struct sockaddr_in peers[BATCH];
static struct iovec spans[BATCH];
static struct mmsghdr messages[BATCH];

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static struct sockaddr_in local(const char *port) {
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return name;
}

static int open_socket(void) {
  int opened = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  int octets = 8 << 20;
  if (setsockopt(opened, SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof octets))
    setsockopt(opened, SOL_SOCKET, SO_RCVBUF, &octets, sizeof octets);
  return opened;
}

static int open_bound(const char *port) {
  int opened = open_socket();
  struct sockaddr_in own = local(port);
  if (bind(opened, (struct sockaddr *)&own, sizeof own)) {
    perror("relay: bind");
    exit(1);
  }
  return opened;
}

/* Takes up to a batch. Returns how many. */
static int receive(int socket) {
  for (int i = 0; i < BATCH; i++) {
    spans[i] = (struct iovec){packets[i], PACKET_OCTETS};
    messages[i].msg_hdr = (struct msghdr){.msg_name = &peers[i], .msg_iov = &spans[i], .msg_iovlen = 1};
    messages[i].msg_hdr.msg_namelen = sizeof peers[i];
  }
  int received = recvmmsg(socket, messages, BATCH, MSG_DONTWAIT, 0);
  return received < 0 ? 0 : received;
}

/* Sends the first messages; one that cannot be sent is given up. */
static void send_all(int socket, int count) {
  for (int sent = 0; sent < count;) {
    int more = sendmmsg(socket, messages + sent, count - sent, 0);
    if (more <= 0) dropped++;
    sent += more > 0 ? more : 1;
  }
}

/* FNV-1a of the question, lower-cased; 0 where there is none. */
static uint64_t hash_question(const uint8_t *packet, uint32_t length) {
  uint32_t end = HEADER_OCTETS;
  while (end < length && packet[end] != 0) end += packet[end] + 1;
  end += 5;
  if (end > length) return 0;
  uint64_t hash = 14695981039346656037ULL;
  for (uint32_t at = HEADER_OCTETS; at < end; at++) hash = (hash ^ (uint64_t)tolower(packet[at])) * 1099511628211ULL;
  return hash ? hash : 1;
}

/* Counts a query. Returns the index of its name, or -1. */
static int32_t count_query(const uint8_t *packet, uint32_t length) {
  queries++;
  uint64_t hash = hash_question(packet, length);
  if (hash == 0) return -1;
  uint32_t at = (uint32_t)(hash >> 20) & (NAMES - 1);
  while (names[at].hash != 0 && names[at].hash != hash) at = (at + 1) & (NAMES - 1);
  if (names[at].hash == 0) {
    name_count++;
    if (name_count > NAMES_MOST) return -1;
    names[at].hash = hash;
  }
  if (names[at].in_flight > 0) repeats_in_flight++;
  names[at].in_flight++;
  return (int32_t)at;
}

static void settle(int32_t name) {
  if (name >= 0 && names[name].in_flight > 0) names[name].in_flight--;
}

static int forward_queries(int listener, int upstream) {
  int received = receive(listener), kept = 0;
  for (int i = 0; i < received; i++) {
    if (messages[i].msg_len < HEADER_OCTETS) continue;
    uint16_t own = next_id++ & (IDS - 1);
    struct waiting *slot = &waiting[own];
    /* A round of ids ago, and no answer: it is lost. */
    if (slot->used) settle(slot->name);
    slot->client = peers[i];
    memcpy(&slot->id, packets[i], 2);
    slot->name = count_query(packets[i], messages[i].msg_len);
    slot->used = 1;
    memcpy(packets[i], &own, 2);
    spans[kept] = (struct iovec){packets[i], messages[i].msg_len};
    messages[kept].msg_hdr = (struct msghdr){.msg_iov = &spans[kept], .msg_iovlen = 1};
    kept++;
  }
  send_all(upstream, kept);
  return received == BATCH;
}

static int hold_answers(int upstream) {
  int received = receive(upstream);
  int64_t due = now() + delay;
  for (int i = 0; i < received; i++) {
    uint16_t own;
    memcpy(&own, packets[i], 2);
    struct waiting *slot = &waiting[own];
    if (messages[i].msg_len < HEADER_OCTETS || !slot->used) continue;
    slot->used = 0;
    if (held_count == HELD) {
      dropped++;
      settle(slot->name);
      continue;
    }
    struct held *answer = &held[(first_held + held_count++) & (HELD - 1)];
    answer->due = due;
    answer->client = slot->client;
    answer->name = slot->name;
    answer->length = messages[i].msg_len;
    memcpy(answer->packet, packets[i], answer->length);
    memcpy(answer->packet, &slot->id, 2);
  }
  return received == BATCH;
}

/* Sends what was held long enough, the oldest first. */
static int send_answers(int listener) {
  int64_t clock = now();
  int count = 0;
  while (count < BATCH && held_count > 0 && held[first_held].due <= clock) {
    struct held *answer = &held[first_held];
    spans[count] = (struct iovec){answer->packet, answer->length};
    messages[count].msg_hdr = (struct msghdr){.msg_iov = &spans[count], .msg_iovlen = 1};
    messages[count].msg_hdr.msg_name = &answer->client;
    messages[count].msg_hdr.msg_namelen = sizeof answer->client;
    settle(answer->name);
    first_held = (first_held + 1) & (HELD - 1);
    held_count--;
    count++;
  }
  answers += count;
  send_all(listener, count);
  return count == BATCH;
}

static void begin_anew(void) {
  queries = name_count = repeats_in_flight = answers = dropped = 0;
  memset(names, 0, sizeof names);
  for (int i = 0; i < IDS; i++) waiting[i].name = -1;
  for (int i = 0; i < HELD; i++) held[i].name = -1;
}

static void obey(int control) {
  char line[128];
  struct sockaddr_in peer;
  socklen_t peer_length = sizeof peer;
  ssize_t length = recvfrom(control, line, sizeof line - 1, 0, (struct sockaddr *)&peer, &peer_length);
  if (length <= 0) return;
  line[length] = 0;
  char counts[128];
  int counts_length = snprintf(counts, sizeof counts, "%lu %lu %lu %lu %lu", queries, name_count, repeats_in_flight,
                               answers, dropped);
  if (strncmp(line, "delay ", 6) == 0) delay = atoll(line + 6) * 1000;
  else if (strcmp(line, "anew") == 0) begin_anew();
  sendto(control, counts, counts_length, 0, (struct sockaddr *)&peer, peer_length);
}

int main(int count, char **arguments) {
  if (count != 5) return 2;
  int listener = open_bound(arguments[1]), upstream = open_socket(), control = open_bound(arguments[3]);
  struct sockaddr_in to = local(arguments[2]);
  if (connect(upstream, (struct sockaddr *)&to, sizeof to)) return 1;
  delay = atoll(arguments[4]) * 1000;
  begin_anew();
  /* The kernel would wake a sleeper up to 50 µs late, to save power. */
  prctl(PR_SET_TIMERSLACK, 1);
  struct pollfd watch[] = {{listener, POLLIN, 0}, {upstream, POLLIN, 0}, {control, POLLIN, 0}};
  for (;;) {
    int64_t left = held_count > 0 ? held[first_held].due - now() : 1000000000LL;
    if (left < 0) left = 0;
    struct timespec wait = {left / 1000000000LL, left % 1000000000LL};
    ppoll(watch, 3, &wait, NULL);
    for (int more = 1; more;) {
      more = forward_queries(listener, upstream);
      more |= hold_answers(upstream);
      more |= send_answers(listener);
    }
    if (watch[2].revents & POLLIN) obey(control);
  }
}
