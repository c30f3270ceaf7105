/* The least that a correct "Hello World" needs on Linux: a ruler, not a web server.
 *
 * It looks for the blank line that ends a request and sends the same answer to each, so it is of class "stripped":
 * methods and paths are not read. All else is as HTTP demands it: one answer for each request, whole and in order,
 * however requests are cut or joined; connections kept or closed as the client asks; nothing lost to slow readers.
 *
 * System calls: recv and send for a request on an open connection, with a share of an epoll_wait; accept4, recv, send
 * and close for a connection of one request. Usage: floor HOST PORT THREADS. Each thread has an epoll and a listening
 * socket of its own (SO_REUSEPORT). */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, INPUT_BYTES = 8192, OUTPUT_BYTES = 65536, LONGEST_ANSWER = 256, LINGER_BYTES = 1 << 20 };

typedef struct {
    int fd;
    bool watched, lingering;
    size_t filled;            /* bytes in input */
    size_t discarded;         /* bytes read after the last answer */
    char *held;               /* answers that the kernel did not take */
    size_t held_from, held_to;
    bool last;                /* whether the last answer has been written */
    char input[INPUT_BYTES];
} Connection;

typedef struct {
    int epoll, listener;
    time_t second;
    size_t kept_bytes, closing_bytes;
    char kept[LONGEST_ANSWER], closing[LONGEST_ANSWER];
    char output[OUTPUT_BYTES];
} Worker;

static size_t compose(char *answer, const char *date, const char *connection) {
    return snprintf(answer, LONGEST_ANSWER,
                    "HTTP/1.1 200 OK\r\nServer: floor\r\nDate: %s\r\nContent-Type: text/plain\r\n"
                    "Content-Length: 11\r\n%s\r\nHello World", date, connection);
}

/* The date changes once a second, and only then is anything composed. */
static void compose_answers(Worker *worker) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (now.tv_sec == worker->second) return;
    worker->second = now.tv_sec;
    struct tm parts;
    char date[64];
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now.tv_sec, &parts));
    worker->kept_bytes = compose(worker->kept, date, "");
    worker->closing_bytes = compose(worker->closing, date, "Connection: close\r\n");
}

static void hang_up(Connection *connection) {
    close(connection->fd); /* This also takes it out of the epoll. */
    free(connection->held);
    free(connection);
}

static void watch(Worker *worker, Connection *connection, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = connection};
    epoll_ctl(worker->epoll, connection->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, connection->fd, &event);
    connection->watched = true;
}

/* Reads what comes after the last answer until the client hangs up: to close a socket that holds unread input would
 * send a reset, which can destroy the answer on its way. */
static void linger(Worker *worker, Connection *connection) {
    if (!connection->lingering) {
        connection->lingering = true;
        shutdown(connection->fd, SHUT_WR);
        watch(worker, connection, EPOLLIN);
    }
    for (;;) {
        ssize_t got = recv(connection->fd, connection->input, INPUT_BYTES, 0);
        if (got < 0 && errno == EAGAIN) return;
        if (got > 0) connection->discarded += got;
        if (got <= 0 || connection->discarded > LINGER_BYTES) break;
    }
    hang_up(connection);
}

/* Whether the head asks for the end of the connection: HTTP/1.0, or a header that says so. */
static bool wants_close(const char *head, size_t bytes) {
    const char *end = head + bytes, *line = memchr(head, '\n', bytes);
    if (line - head >= 9 && memcmp(line - 9, "HTTP/1.0", 8) == 0) return true;
    for (; line && ++line < end; line = memchr(line, '\n', end - line))
        if (end - line > 17 && strncasecmp(line, "connection:", 11) == 0)
            return memmem(line, strcspn(line, "\r\n"), "close", 5) != NULL;
    return false;
}

/* Whether it is a request at all, and one without a body, which a server that reads no lengths cannot skip. */
static bool is_plain(const char *head, size_t bytes) {
    const char *end = head + bytes, *line = memchr(head, '\n', bytes);
    if (line - head < 14 || line[-1] != '\r' || memcmp(line - 10, " HTTP/1.", 8) || head[0] < 'A' || head[0] > 'Z')
        return false;
    const char *space = memchr(head, ' ', line - head); /* method, target, version: three words */
    if (memchr(space + 1, ' ', line - space - 1) != line - 10) return false;
    for (; line && ++line < end; line = memchr(line, '\n', end - line))
        if (!strncasecmp(line, "content-length:", 15) || !strncasecmp(line, "transfer-encoding:", 18)) return false;
    return true;
}

static size_t send_some(int fd, const char *bytes, size_t count, bool *broken) {
    ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);
    *broken = sent < 0 && errno != EAGAIN;
    return sent < 0 ? 0 : sent;
}

/* Answers all whole requests that have been read; false: the connection is gone, or must wait before it reads on. */
static bool answer(Worker *worker, Connection *connection, bool drained) {
    size_t start = 0, used = 0;
    char *blank;
    while (!connection->last && used + LONGEST_ANSWER <= OUTPUT_BYTES &&
           (blank = memmem(connection->input + start, connection->filled - start, "\r\n\r\n", 4))) {
        const char *head = connection->input + start;
        size_t bytes = blank + 4 - head;
        if (!is_plain(head, bytes)) {
            hang_up(connection);
            return false;
        }
        connection->last = wants_close(head, bytes);
        size_t length = connection->last ? worker->closing_bytes : worker->kept_bytes;
        memcpy(worker->output + used, connection->last ? worker->closing : worker->kept, length);
        used += length;
        start += bytes;
    }
    bool full = used + LONGEST_ANSWER > OUTPUT_BYTES;
    connection->filled -= start;
    memmove(connection->input, connection->input + start, connection->filled);
    bool broken = false;
    size_t sent = used ? send_some(connection->fd, worker->output, used, &broken) : 0;
    if (broken || (connection->filled == INPUT_BYTES && !full)) {
        hang_up(connection);
        return false;
    }
    if (sent < used) {
        connection->held = malloc(used - sent);
        memcpy(connection->held, worker->output + sent, used - sent);
        connection->held_from = 0;
        connection->held_to = used - sent;
        watch(worker, connection, EPOLLOUT);
        return false;
    }
    if (connection->last) {
        if (drained && connection->filled == 0) hang_up(connection);
        else linger(worker, connection);
        return false;
    }
    return full ? answer(worker, connection, drained) : true;
}

/* Reads and answers until the socket is empty: a read that gets less than it has room for has emptied it. */
static bool converse(Worker *worker, Connection *connection) {
    for (;;) {
        size_t room = INPUT_BYTES - connection->filled;
        ssize_t got = recv(connection->fd, connection->input + connection->filled, room, 0);
        if (got < 0 && errno == EAGAIN) return true;
        if (got <= 0) {
            hang_up(connection);
            return false;
        }
        connection->filled += got;
        bool drained = (size_t)got < room;
        if (!answer(worker, connection, drained)) return false;
        if (drained) return true;
    }
}

/* The kernel has room again: sends what was held, then goes on. */
static void resume(Worker *worker, Connection *connection) {
    bool broken;
    connection->held_from += send_some(connection->fd, connection->held + connection->held_from,
                                       connection->held_to - connection->held_from, &broken);
    if (broken) {
        hang_up(connection);
        return;
    }
    if (connection->held_from < connection->held_to) return;
    free(connection->held);
    connection->held = NULL;
    if (connection->last) linger(worker, connection);
    else if (answer(worker, connection, false) && converse(worker, connection)) watch(worker, connection, EPOLLIN);
}

/* The request has often come by the time that its connection is accepted; with one request per connection epoll
 * then never needs to know of it. */
static void accept_all(Worker *worker) {
    for (;;) {
        int fd = accept4(worker->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE) usleep(10000); /* until somebody leaves */
            return;
        }
        Connection *connection = malloc(sizeof *connection);
        memset(connection, 0, offsetof(Connection, input));
        connection->fd = fd;
        if (converse(worker, connection)) watch(worker, connection, EPOLLIN);
    }
}

static void *serve(void *argument) {
    Worker *worker = argument;
    struct epoll_event events[EVENTS];
    for (;;) {
        int ready = epoll_wait(worker->epoll, events, EVENTS, -1);
        bool accepting = false;
        compose_answers(worker);
        for (int at = 0; at < ready; at++) {
            Connection *connection = events[at].data.ptr;
            if (!connection) accepting = true;
            else if (connection->lingering) linger(worker, connection);
            else if (connection->held) resume(worker, connection);
            else converse(worker, connection);
        }
        if (accepting) accept_all(worker); /* last, so that no event is left for a connection that is gone */
    }
    return NULL;
}

static void fail(const char *host, const char *port) {
    fprintf(stderr, "floor: cannot listen on %s:%s: %s\n", host, port, strerror(errno));
    exit(1);
}

static int bound(const char *host, const char *port, bool shared) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) { /* or it would listen on every address */
        errno = EINVAL;
        fail(host, port);
    }
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes); /* accepted sockets inherit it */
    if (shared) setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address)) fail(host, port);
    return listener;
}

static Worker *new_worker(const char *host, const char *port, bool shared) {
    Worker *worker = calloc(1, sizeof *worker);
    worker->listener = bound(host, port, shared);
    if (listen(worker->listener, 4096)) fail(host, port);
    worker->epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN}; /* not EPOLLET: who could not be accepted is told of again */
    epoll_ctl(worker->epoll, EPOLL_CTL_ADD, worker->listener, &event);
    compose_answers(worker);
    return worker;
}

int main(int count, char **words) {
    if (count != 4) return fprintf(stderr, "usage: floor HOST PORT THREADS\n"), 2;
    int threads = atoi(words[3]);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    /* With SO_REUSEPORT a forgotten server would quietly take a share of the load, so ask without it first. */
    close(bound(words[1], words[2], false));
    Worker *workers[threads];
    for (int at = 0; at < threads; at++) workers[at] = new_worker(words[1], words[2], threads > 1);
    for (int at = 1; at < threads; at++) {
        pthread_t thread;
        pthread_create(&thread, NULL, serve, workers[at]);
    }
    serve(workers[0]);
}
