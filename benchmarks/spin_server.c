/* A keep-alive Hello World on epoll whose cost per request can be raised by a known amount: a ruler for measuring
 * methods, not a server to compare. Usage: spin_server PORT SPIN. It reads each request up to its blank line, spins,
 * and answers once; SPIN 0 is the shortest spin. With port 0, it serves nothing but prints how many nanoseconds a spin
 * takes. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ALWAYS = 100, MOST_CONNECTIONS = 4096, MOST_EVENTS = 64, BUFFER_BYTES = 4096 };

static const char ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nHello World";

static struct { size_t used; char bytes[BUFFER_BYTES]; } pending[MOST_CONNECTIONS];

static volatile uint64_t sink;

/* Processors execute out of order: without a fence, a part of a spin would overlap with what comes before and after. */
static inline void fence(void) {
#if defined(__x86_64__)
    __builtin_ia32_lfence();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

/* Spins ALWAYS units and `units` more: the beginning and the end of the loop cost time too, which thus cancels out. */
static void spin(long units) {
    fence();
    uint64_t value = sink;
    for (long unit = 0; unit < ALWAYS + units; unit++) value = value * 6364136223846793005u + 1442695040888963407u;
    sink = value;
    fence();
}

static double cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1e9 + now.tv_nsec;
}

static int time_spin(long units) {
    const long calls = 1000000;
    double before = cpu_ns();
    for (long call = 0; call < calls; call++) spin(units);
    printf("%.3f\n", (cpu_ns() - before) / calls);
    return 0;
}

static int listen_on(int port) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) {
        perror("spin_server: cannot listen");
        exit(1);
    }
    return listener;
}

static void accept_all(int poll, int listener) {
    int connection;
    while ((connection = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (connection >= MOST_CONNECTIONS) { close(connection); continue; }
        int yes = 1;
        setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        pending[connection].used = 0;
        struct epoll_event event = {.events = EPOLLIN, .data.fd = connection};
        epoll_ctl(poll, EPOLL_CTL_ADD, connection, &event);
    }
}

static void serve(int connection, long units) {
    char *bytes = pending[connection].bytes;
    size_t used = pending[connection].used;
    ssize_t got = recv(connection, bytes + used, BUFFER_BYTES - used, 0);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN) close(connection);
        return;
    }
    used += got;
    char *end;
    while ((end = memmem(bytes, used, "\r\n\r\n", 4))) {
        spin(units);
        if (send(connection, ANSWER, sizeof ANSWER - 1, MSG_NOSIGNAL) != (ssize_t)sizeof ANSWER - 1) {
            close(connection);
            return;
        }
        size_t taken = end + 4 - bytes;
        memmove(bytes, bytes + taken, used -= taken);
    }
    pending[connection].used = used;
    if (used == BUFFER_BYTES) close(connection);
}

int main(int count, char **words) {
    if (count != 3) return fprintf(stderr, "usage: spin_server PORT SPIN\n"), 2;
    long units = atol(words[2]);
    if (atoi(words[1]) == 0) return time_spin(units);
    int listener = listen_on(atoi(words[1])), poll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, ready[MOST_EVENTS];
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int number = epoll_wait(poll, ready, MOST_EVENTS, -1);
        for (int at = 0; at < number; at++) {
            if (ready[at].data.fd == listener) accept_all(poll, listener);
            else serve(ready[at].data.fd, units);
        }
    }
}
