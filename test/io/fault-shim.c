/*
 * What kernels may return: an LD_PRELOAD shim over the socket calls of the server, for tests.
 *
 * PEREGRINE_FAULTS   list of call=fault, separated by commas, taken in turn for each call:
 *                    an errno name, or short (one message only), zero (0 messages), toomany (a count over what was
 *                    asked), and on the first message: toolong, longname, longcontrol (lengths of the datagram, the
 *                    address and the control messages that cannot be), trunc (MSG_TRUNC)
 * PEREGRINE_FAULT_EVERY   n: every n-th call of a kind has a fault (default 1)
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <poll.h>
#include <sys/socket.h>

#define FAULTS_MAX 64

struct script {
  const char *name;
  const char *faults[FAULTS_MAX];
  unsigned count;
  unsigned calls;
};

static struct script scripts[] = {{.name = "recvmmsg"}, {.name = "sendmmsg"}, {.name = "poll"}};
static unsigned every = 1;

static const struct { const char *name; int number; } errors[] = {
  {"EPERM", EPERM}, {"EINTR", EINTR}, {"EAGAIN", EAGAIN}, {"ENOMEM", ENOMEM}, {"EINVAL", EINVAL},
  {"EMSGSIZE", EMSGSIZE}, {"ENOBUFS", ENOBUFS}, {"ECONNREFUSED", ECONNREFUSED},
};

__attribute__((constructor)) static void prepare(void) {
  const char *list = getenv("PEREGRINE_FAULTS");
  const char *number = getenv("PEREGRINE_FAULT_EVERY");
  if (number) every = (unsigned)atoi(number);
  if (every == 0) every = 1;
  if (!list) return;
  char *copy = strdup(list), *state = NULL;
  for (char *item = strtok_r(copy, ",", &state); item; item = strtok_r(NULL, ",", &state)) {
    char *fault = strchr(item, '=');
    if (!fault) continue;
    *fault++ = 0;
    for (unsigned i = 0; i < sizeof scripts / sizeof *scripts; i++) {
      struct script *script = &scripts[i];
      if (strcmp(script->name, item) == 0 && script->count < FAULTS_MAX) script->faults[script->count++] = fault;
    }
  }
}

/* The fault of this call, or NULL. With `every` 1 the list is gone through once; otherwise again and again. */
static const char *next_fault(struct script *script) {
  if (script->count == 0) return NULL;
  unsigned call = __atomic_fetch_add(&script->calls, 1, __ATOMIC_RELAXED);
  if (every == 1) return call < script->count ? script->faults[call] : NULL;
  return call % every == 0 ? script->faults[call / every % script->count] : NULL;
}

static int is(const char *fault, const char *name) { return fault && strcmp(fault, name) == 0; }

static int fails(const char *fault) {
  for (unsigned i = 0; fault && i < sizeof errors / sizeof *errors; i++) {
    if (is(fault, errors[i].name)) {
      errno = errors[i].number;
      return 1;
    }
  }
  return 0;
}

int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout) {
  static int (*real)(int, struct mmsghdr *, unsigned, int, struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "recvmmsg");
  const char *fault = next_fault(&scripts[0]);
  if (fails(fault)) return -1;
  if (is(fault, "zero")) return 0;
  if (is(fault, "toomany")) return (int)count + 5;
  int got = real(fd, messages, is(fault, "short") ? 1 : count, flags, timeout);
  if (got > 0 && is(fault, "trunc")) messages[0].msg_hdr.msg_flags |= MSG_TRUNC;
  if (got > 0 && is(fault, "toolong")) messages[0].msg_len = 70000;
  if (got > 0 && is(fault, "longname")) messages[0].msg_hdr.msg_namelen = 4000;
  if (got > 0 && is(fault, "longcontrol")) messages[0].msg_hdr.msg_controllen = 1 << 20;
  return got;
}

int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags) {
  static int (*real)(int, struct mmsghdr *, unsigned, int);
  if (!real) real = dlsym(RTLD_NEXT, "sendmmsg");
  const char *fault = next_fault(&scripts[1]);
  if (fails(fault)) return -1;
  if (is(fault, "zero")) return 0;
  if (is(fault, "toomany")) return (int)count + 3;
  return real(fd, messages, is(fault, "short") ? 1 : count, flags);
}

int poll(struct pollfd *watches, nfds_t count, int timeout) {
  static int (*real)(struct pollfd *, nfds_t, int);
  if (!real) real = dlsym(RTLD_NEXT, "poll");
  /* Not Node's own: those of a worker have a time limit of a second at most and watch for input alone. */
  if (count == 0 || count > 64 || timeout < 0 || timeout > 1000 || watches[0].events != POLLIN) return real(watches, count, timeout);
  const char *fault = next_fault(&scripts[2]);
  if (fails(fault)) return -1;
  if (is(fault, "toomany")) return (int)count + 1;
  return real(watches, count, timeout);
}
