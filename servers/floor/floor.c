/* The least that a correct "Hello World" needs on Linux: a ruler, not a web server.
 *
 * It looks for the blank line that ends a request and sends the same answer to each, so it is of class "stripped":
 * methods and paths are not read. All else is as HTTP demands it: one answer for each request, whole and in order,
 * however requests are cut or joined; connections kept or closed as the client asks; nothing lost to slow readers.
 *
 * System calls for a request, as strace counted them with 64 connections, 1 thread and wrk on 2 cores: 1.0 recv, 1.0
 * send and 0.11 epoll_wait (0.14 on a calmer day) on open connections; 1.0 each of accept4, recv, send and close and
 * 0.37 epoll_wait with a connection for each. Each thread has an epoll and a listening socket of its own
 * (SO_REUSEPORT). Usage: floor HOST PORT THREADS [BODY_FILE [CONTENT_TYPE]]; a file's bytes are answered in place of
 * "Hello World". */
#define _GNU_SOURCE
#define NAME "floor"
#include "ruler.h"
#include <sys/epoll.h>

enum { EVENTS = 256, OUTPUT_BYTES = 65536, MOST_ACCEPTS = 1024 };

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
    Answers answers;
    char output[OUTPUT_BYTES];
} Worker;

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

static size_t send_some(int fd, const char *bytes, size_t count, bool *broken) {
    ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);
    *broken = sent < 0 && errno != EAGAIN;
    return sent < 0 ? 0 : sent;
}

/* Answers all whole requests that have been read; false: the connection is gone, or must wait before it reads on. */
static bool answer(Worker *worker, Connection *connection, bool drained) {
    Reply done = reply(&worker->answers, connection->input, connection->filled, worker->output, OUTPUT_BYTES);
    size_t used = done.written;
    connection->last = done.last || done.refused;
    connection->filled -= done.taken;
    memmove(connection->input, connection->input + done.taken, connection->filled);
    bool broken = false;
    size_t sent = used ? send_some(connection->fd, worker->output, used, &broken) : 0;
    bool endless = connection->filled == INPUT_BYTES && !done.full && !done.last;
    if (broken || endless || (done.refused && !used)) {
        hang_up(connection);
        return false;
    }
    if (sent < used) {
        connection->held = malloc(used - sent);
        if (!connection->held) {
            hang_up(connection);
            return false;
        }
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
    return done.full ? answer(worker, connection, drained) : true;
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
 * then never needs to know of it. After MOST_ACCEPTS the open connections have their turn: who is left in the queue is
 * told of again at once. */
static void accept_all(Worker *worker) {
    for (int count = 0; count < MOST_ACCEPTS; count++) {
        int fd = accept4(worker->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE) usleep(10000); /* until somebody leaves */
            return;
        }
        Connection *connection = malloc(sizeof *connection);
        if (!connection) {
            close(fd);
            return;
        }
        memset(connection, 0, offsetof(Connection, input));
        connection->fd = fd;
        if (converse(worker, connection)) watch(worker, connection, EPOLLIN);
    }
}

static Worker *new_worker(int listener) {
    Worker *worker = calloc(1, sizeof *worker);
    if (!worker) no_memory();
    worker->listener = listener;
    worker->epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN}; /* not EPOLLET: who could not be accepted is told of again */
    epoll_ctl(worker->epoll, EPOLL_CTL_ADD, worker->listener, &event);
    return worker;
}

static void *serve(void *listener) {
    Worker *worker = new_worker(*(int *)listener);
    struct epoll_event events[EVENTS];
    for (;;) {
        int ready = epoll_wait(worker->epoll, events, EVENTS, -1);
        bool accepting = false;
        compose(&worker->answers);
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

int main(int count, char **words) {
    return run(count, words, SOCK_NONBLOCK, serve);
}
