/* The same ruler as floor.c, on io_uring: what a correct "Hello World" costs where system calls are shared.
 *
 * One io_uring_enter hands over all that is to be done and waits for all that has been done. Each thread has a ring and
 * a listening socket of its own (SO_REUSEPORT); sockets are direct descriptors, which only the ring knows. Accepting
 * and receiving are multishot: asked for once, they go on. What comes is put into buffers that all connections share.
 * A connection has at most one send on its way, with the answers to all requests that had come; while it waits for a
 * slow reader, at most INPUT_BYTES are taken in before receiving is cancelled, to be asked for again afterwards.
 *
 * System calls for a request, as strace counted them with 64 connections, 1 thread and wrk on 2 cores: 0.13
 * io_uring_enter on open connections, 0.44 with a connection for each, and no other.
 *
 * Usage: floor_uring HOST PORT THREADS [BODY_FILE [CONTENT_TYPE]]. It needs Linux 6.0, and is at its best from 6.1 on,
 * with IORING_SETUP_DEFER_TASKRUN. When it has ended, the kernel takes some 10 ms more to free the port. */
#define _GNU_SOURCE
#define NAME "floor_uring"
#include "ruler.h"
#include <liburing.h>

enum {
    ENTRIES = 1024,           /* of the submission queue; the completion queue has twice as many */
    MOST_CONNECTIONS = 65536, /* of each thread, as far as the limit of files allows */
    BUFFERS = 1024,           /* a power of two */
    BUFFER_BYTES = 4096 + 64, /* at multiples of 4096 all buffers would share a few lines of the caches */
    OUTPUT_BYTES = 32768,
};

/* What a completion is of; it stands in the user data, below the connection's slot. */
typedef enum { ACCEPTED, RECEIVED, SENT, SHUT, NOT_CANCELLED, IGNORED, OPERATIONS } Operation;

/* TALKING until the last answer is written; then LINGERING until the client leaves, since to close a socket that holds
 * unread input would send a reset, which can destroy the answer on its way; ENDING where nothing is to be read. */
typedef enum { TALKING, LINGERING, ENDING } Phase;

typedef struct Connection {
    struct Connection *next; /* of those that nobody uses */
    Phase phase;
    bool receiving, cancelling, sending, shutting; /* what the kernel has been asked for and has not finished */
    bool ended;              /* the client sends no more */
    bool unread;             /* the socket may hold more input */
    size_t discarded;        /* bytes received after the last answer */
    size_t filled, room;     /* bytes in input, and those that fit */
    size_t sent, written;    /* bytes of output that the kernel took, and all */
    char *input;             /* what came and could not be answered yet */
    char output[OUTPUT_BYTES];
} Connection;

typedef struct {
    struct io_uring ring;
    struct io_uring_buf_ring *free_buffers;
    char *buffers;
    int listener;
    Answers answers;
    Connection *connections[MOST_CONNECTIONS]; /* by slot; the kernel uses all slots in turn */
    Connection *spare;                         /* so that there are only as many as there were at once */
} Worker;

static void stop(const char *what, int error) {
    fprintf(stderr, NAME ": %s: %s. It needs Linux 6.0 or later, and a system that allows io_uring.\n", what,
            strerror(error));
    exit(1);
}

static struct io_uring_sqe *entry(Worker *worker) {
    struct io_uring_sqe *entry;
    while (!(entry = io_uring_get_sqe(&worker->ring))) io_uring_submit(&worker->ring);
    return entry;
}

static uint64_t user_data(Operation operation, unsigned slot) { return (uint64_t)slot * OPERATIONS + operation; }

/* Comes after the entry is prepared, which clears what stood there. */
static void mark(struct io_uring_sqe *entry, Operation operation, unsigned slot, unsigned flags) {
    io_uring_sqe_set_data64(entry, user_data(operation, slot));
    io_uring_sqe_set_flags(entry, flags);
}

static void accept_all(Worker *worker) {
    struct io_uring_sqe *accepting = entry(worker);
    io_uring_prep_multishot_accept_direct(accepting, worker->listener, NULL, NULL, 0);
    mark(accepting, ACCEPTED, 0, 0);
}

static void receive(Worker *worker, unsigned slot) {
    struct io_uring_sqe *receiving = entry(worker);
    io_uring_prep_recv_multishot(receiving, slot, NULL, 0, 0);
    mark(receiving, RECEIVED, slot, IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT);
    worker->connections[slot]->receiving = true;
}

static void cancel(Worker *worker, unsigned slot) {
    struct io_uring_sqe *cancelling = entry(worker);
    io_uring_prep_cancel64(cancelling, user_data(RECEIVED, slot), 0);
    mark(cancelling, NOT_CANCELLED, slot, IOSQE_CQE_SKIP_SUCCESS);
    worker->connections[slot]->cancelling = true;
}

/* The kernel itself goes on after a part, as MSG_WAITALL tells it. */
static void send_output(Worker *worker, unsigned slot) {
    Connection *connection = worker->connections[slot];
    struct io_uring_sqe *sending = entry(worker);
    io_uring_prep_send(sending, slot, connection->output + connection->sent, connection->written - connection->sent,
                       MSG_NOSIGNAL | MSG_WAITALL);
    mark(sending, SENT, slot, IOSQE_FIXED_FILE);
    connection->sending = true;
}

/* The kernel does this in another thread, which looks up the slot then: it must be over before the slot is free. */
static void send_end(Worker *worker, unsigned slot) {
    struct io_uring_sqe *shutting = entry(worker);
    io_uring_prep_shutdown(shutting, slot, SHUT_WR);
    mark(shutting, SHUT, slot, IOSQE_FIXED_FILE);
    worker->connections[slot]->shutting = true;
}

static void close_slot(Worker *worker, unsigned slot) {
    struct io_uring_sqe *closing = entry(worker);
    io_uring_prep_close_direct(closing, slot);
    mark(closing, IGNORED, slot, IOSQE_CQE_SKIP_SUCCESS);
}

static void hang_up(Worker *worker, unsigned slot) {
    close_slot(worker, slot);
    Connection *connection = worker->connections[slot];
    free(connection->input);
    connection->next = worker->spare;
    worker->spare = connection;
    worker->connections[slot] = NULL;
}

/* Where there is no memory for more input, the connection ends after what is being sent. */
static void keep(Connection *connection, const char *bytes, size_t count) {
    if (connection->filled + count > connection->room || !connection->input) {
        size_t room = connection->filled + count + INPUT_BYTES;
        char *input = realloc(connection->input, room);
        if (!input) {
            connection->phase = ENDING;
            return;
        }
        connection->room = room;
        connection->input = input;
    }
    memcpy(connection->input + connection->filled, bytes, count);
    connection->filled += count;
}

static void forget(Connection *connection, size_t count) {
    connection->filled -= count;
    memmove(connection->input, connection->input + count, connection->filled);
    if (connection->filled) return;
    free(connection->input);
    connection->input = NULL;
}

/* Sends the answers to all whole requests, as far as there is room for them, and returns the bytes of those. */
static size_t answer(Worker *worker, unsigned slot, const char *bytes, size_t count) {
    Connection *connection = worker->connections[slot];
    Reply done = reply(&worker->answers, bytes, count, connection->output, OUTPUT_BYTES);
    size_t left = count - done.taken;
    bool endless = left >= INPUT_BYTES && !done.full;
    if (done.last) connection->phase = left || connection->unread ? LINGERING : ENDING;
    else if (done.refused || endless) connection->phase = done.written ? LINGERING : ENDING;
    connection->sent = 0;
    connection->written = done.written;
    if (done.written) send_output(worker, slot);
    return done.taken;
}

/* Does whatever a connection needs next, after anything has happened to it. */
static void settle(Worker *worker, unsigned slot) {
    Connection *connection = worker->connections[slot];
    if (connection->phase == TALKING && !connection->sending && connection->filled)
        forget(connection, answer(worker, slot, connection->input, connection->filled));
    bool crammed = connection->sending && connection->filled >= INPUT_BYTES;
    bool listens = !connection->ended && connection->phase != ENDING && (connection->phase == LINGERING || !crammed);
    if (listens && !connection->receiving) receive(worker, slot);
    if (listens) return;
    if (connection->receiving && !connection->cancelling) cancel(worker, slot);
    if (!connection->receiving && !connection->sending && !connection->shutting) hang_up(worker, slot);
}

static void accepted(Worker *worker, int slot) {
    if (slot < 0) {
        usleep(10000); /* no room for more, until somebody leaves */
        return;
    }
    Connection *connection = worker->spare;
    if (connection) worker->spare = connection->next;
    else if (!(connection = malloc(sizeof *connection))) {
        close_slot(worker, slot);
        return;
    }
    worker->connections[slot] = connection;
    memset(connection, 0, offsetof(Connection, output));
    receive(worker, slot);
}

static void take(Worker *worker, unsigned slot, const char *bytes, size_t count) {
    Connection *connection = worker->connections[slot];
    if (connection->phase != TALKING) {
        connection->discarded += count;
        if (connection->discarded > LINGER_BYTES) connection->phase = ENDING;
        return;
    }
    bool idle = !connection->sending && !connection->filled;
    size_t taken = idle ? answer(worker, slot, bytes, count) : 0;
    if (taken < count) keep(connection, bytes + taken, count - taken);
}

static void give_back(Worker *worker, unsigned buffer) {
    io_uring_buf_ring_add(worker->free_buffers, worker->buffers + buffer * BUFFER_BYTES, BUFFER_BYTES, buffer,
                          io_uring_buf_ring_mask(BUFFERS), 0);
    io_uring_buf_ring_advance(worker->free_buffers, 1);
}

/* Without F_MORE receiving is over: at the end, when cancelled, and when all buffers were in use (ENOBUFS). */
static void received(Worker *worker, unsigned slot, int result, unsigned flags) {
    Connection *connection = worker->connections[slot];
    unsigned buffer = flags >> IORING_CQE_BUFFER_SHIFT;
    connection->receiving = flags & IORING_CQE_F_MORE;
    connection->cancelling = connection->cancelling && connection->receiving;
    connection->unread = !connection->receiving || flags & IORING_CQE_F_SOCK_NONEMPTY;
    if (result > 0) take(worker, slot, worker->buffers + buffer * BUFFER_BYTES, result);
    else connection->ended = result != -ENOBUFS && result != -ECANCELED;
    if (flags & IORING_CQE_F_BUFFER) give_back(worker, buffer);
    settle(worker, slot);
}

static void sent(Worker *worker, unsigned slot, int result) {
    Connection *connection = worker->connections[slot];
    connection->sending = false;
    connection->sent += result > 0 ? result : 0;
    if (result <= 0) connection->phase = ENDING;
    else if (connection->sent < connection->written) send_output(worker, slot);
    else if (connection->phase == LINGERING) send_end(worker, slot);
    settle(worker, slot);
}

static void handle(Worker *worker, const struct io_uring_cqe *completion) {
    uint64_t data = io_uring_cqe_get_data64(completion);
    unsigned slot = data / OPERATIONS;
    switch (data % OPERATIONS) {
    case ACCEPTED:
        accepted(worker, completion->res);
        if (!(completion->flags & IORING_CQE_F_MORE)) accept_all(worker);
        break;
    case RECEIVED: received(worker, slot, completion->res, completion->flags); break;
    case SENT: sent(worker, slot, completion->res); break;
    case SHUT:
        worker->connections[slot]->shutting = false;
        settle(worker, slot);
        break;
    case NOT_CANCELLED: /* It was over already, or is asked again. */
        if (!worker->connections[slot] || !worker->connections[slot]->receiving) break;
        worker->connections[slot]->cancelling = false;
        settle(worker, slot);
    }
}

static void make_ring(struct io_uring *ring) {
    int error = io_uring_queue_init(ENTRIES, ring, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
    if (error == -EINVAL) error = io_uring_queue_init(ENTRIES, ring, 0);
    if (error) stop("cannot use io_uring", -error);
}

static void make_buffers(Worker *worker) {
    worker->buffers = malloc(BUFFERS * BUFFER_BYTES);
    if (!worker->buffers) no_memory();
    memset(worker->buffers, 0, BUFFERS * BUFFER_BYTES); /* or the first requests would pay for the pages */
    worker->free_buffers = aligned_alloc(4096, BUFFERS * sizeof(struct io_uring_buf));
    if (!worker->free_buffers) no_memory();
    struct io_uring_buf_reg registration = {.ring_addr = (uintptr_t)worker->free_buffers, .ring_entries = BUFFERS};
    int error = io_uring_register_buf_ring(&worker->ring, &registration, 0);
    if (error) stop("cannot register buffers", -error);
    io_uring_buf_ring_init(worker->free_buffers);
    for (unsigned buffer = 0; buffer < BUFFERS; buffer++) give_back(worker, buffer);
}

/* A ring belongs to the thread that makes it. */
static Worker *new_worker(int listener) {
    Worker *worker = calloc(1, sizeof *worker);
    if (!worker) no_memory();
    worker->listener = listener;
    make_ring(&worker->ring);
    make_buffers(worker);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    int error = io_uring_register_files_sparse(&worker->ring,
                                               limit.rlim_cur < MOST_CONNECTIONS ? limit.rlim_cur : MOST_CONNECTIONS);
    if (error) stop("cannot register descriptors", -error);
    return worker;
}

static void *serve(void *listener) {
    Worker *worker = new_worker(*(int *)listener);
    accept_all(worker);
    for (;;) {
        io_uring_submit_and_wait(&worker->ring, 1);
        compose(&worker->answers);
        unsigned head, count = 0;
        struct io_uring_cqe *completion;
        io_uring_for_each_cqe(&worker->ring, head, completion) {
            handle(worker, completion);
            count++;
        }
        io_uring_cq_advance(&worker->ring, count);
    }
    return NULL;
}

/* Before anything listens. Multishot receiving cannot be asked for, but came with the same Linux as this operation. */
static void check_kernel(void) {
    struct io_uring ring;
    make_ring(&ring);
    struct io_uring_probe *probe = io_uring_get_probe_ring(&ring);
    if (!probe || !io_uring_opcode_supported(probe, IORING_OP_SEND_ZC)) stop("cannot receive multishot", ENOSYS);
    io_uring_free_probe(probe);
    io_uring_queue_exit(&ring);
}

int main(int count, char **words) {
    check_kernel();
    return run(count, words, 0, serve);
}
