/* The reference for what the kernel alone costs: datagrams in batches of up to 64, each sent back with its QR bit
 * flipped. Same batching as the server's worker (poll, recvmmsg, sendmmsg), in C. Usage: echo PORT */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <poll.h>
#include <sys/socket.h>

enum { SLOTS = 64, SLOT_OCTETS = 4096 };

static uint8_t packets[SLOTS][SLOT_OCTETS];
static struct sockaddr_in clients[SLOTS];
static struct iovec spans[SLOTS];
static struct mmsghdr messages[SLOTS];

int main(int count, char **arguments) {
  if (count != 2) return 2;
  int udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  int octets = 4 << 20;
  setsockopt(udp, SOL_SOCKET, SO_RCVBUF, &octets, sizeof octets);
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(atoi(arguments[1]))};
  own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(udp, (struct sockaddr *)&own, sizeof own)) return 1;
  struct pollfd watch = {.fd = udp, .events = POLLIN};
  for (int i = 0; i < SLOTS; i++) {
    messages[i].msg_hdr = (struct msghdr){.msg_name = &clients[i], .msg_iov = &spans[i], .msg_iovlen = 1};
    messages[i].msg_hdr.msg_namelen = sizeof clients[i];
    spans[i] = (struct iovec){packets[i], SLOT_OCTETS};
  }
  for (int received = 0;;) {
    /* After a full batch there is more, as likely as not: only then it is tried without asking. */
    if (received < SLOTS) poll(&watch, 1, 1000);
    received = recvmmsg(udp, messages, SLOTS, MSG_DONTWAIT, 0);
    for (int i = 0; i < received; i++) {
      packets[i][2] ^= 0x80;
      spans[i].iov_len = messages[i].msg_len;
    }
    for (int sent = 0; sent < received;) {
      int more = sendmmsg(udp, messages + sent, received - sent, 0);
      sent += more > 0 ? more : 1;
    }
    for (int i = 0; i < received; i++) {
      spans[i].iov_len = SLOT_OCTETS;
      messages[i].msg_hdr.msg_namelen = sizeof clients[i];
    }
  }
}
