/*
 * REGISTERs over UDP, each from another address of 127.0.0.0/8, as fast as one core sends them or at a given rate:
 *   spoof PORT COUNT PER_SECOND(0: as fast as possible)
 * Prints JSON: datagrams and bytes sent, datagrams and bytes that came back while their socket was still open.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define OPEN 8192

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static uint64_t seed = 88172645463325252ULL;
static uint32_t draw(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return (uint32_t)(seed >> 16);
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  int port = atoi(argv[1]);
  long count = atol(argv[2]);
  double rate = atof(argv[3]);
  static int ring[OPEN];
  char text[1024], back[65536];
  long sent = 0, failed = 0, answers = 0;
  long long out = 0, in = 0;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  memset(ring, -1, sizeof ring);
  double began = now();
  for (long i = 0; i < count + OPEN; i++) {
    int at = i % OPEN;
    if (ring[at] >= 0) {
      ssize_t got;
      while ((got = recv(ring[at], back, sizeof back, MSG_DONTWAIT)) > 0) answers++, in += got;
      close(ring[at]);
      ring[at] = -1;
    }
    if (i >= count) continue;
    struct sockaddr_in from = {.sin_family = AF_INET};
    /* 127.16.0.0 and up: what others bind by hand is below. */
    uint32_t address = 0x7f100000u + draw() % 0x00e00000u;
    from.sin_addr.s_addr = htonl(address);
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    if (s < 0 || bind(s, (struct sockaddr *)&from, sizeof from) < 0) {
      failed++;
      if (s >= 0) close(s);
      continue;
    }
    int length = snprintf(text, sizeof text,
      "REGISTER sip:example.test SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK%ld;rport\r\nMax-Forwards: 70\r\n"
      "From: <sip:u%ld@example.test>;tag=%ld\r\nTo: <sip:u%ld@example.test>\r\nCall-ID: %ld@spoofed\r\nCSeq: 1 REGISTER\r\n"
      "Contact: <sip:u%ld@192.0.2.1>\r\nUser-Agent: spoofed\r\nContent-Length: 0\r\n\r\n", i, i, i, i, i, i);
    if (sendto(s, text, length, 0, (struct sockaddr *)&to, sizeof to) == length) sent++, out += length;
    else failed++;
    ring[at] = s;
    if (rate > 0) {
      double due = began + (i + 1) / rate, wait = due - now();
      if (wait > 0.0005) usleep((useconds_t)(wait * 1e6));
    }
    if (i + 1 == count) usleep(500000);
  }
  double took = now() - began;
  printf("{\"sent\":%ld,\"failed\":%ld,\"seconds\":%.1f,\"bytesOut\":%lld,\"answers\":%ld,\"bytesBack\":%lld}\n", sent, failed, took, out, answers, in);
  return 0;
}
