/* What the rulers share: how a request is read and answered, how to listen, how threads start.
 *
 * Who includes it defines NAME first. It is a header, so that the compiler sees all of a ruler at once. */
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    INPUT_BYTES = 8192,
    LONGEST_TYPE = 128,
    LONGEST_HEAD = 256 + LONGEST_TYPE,
    LONGEST_BODY = 16384, /* as `init` knows, too */
    LONGEST_ANSWER = LONGEST_HEAD + LONGEST_BODY,
    LINGER_BYTES = 1 << 20,
    MOST_THREADS = 1024
};

/* What is answered, unless the command line names something else. */
static struct {
    const char *type;
    size_t bytes;
    char body[LONGEST_BODY + 1]; /* one more, to see that a file is too long */
} content = {"text/plain", 11, "Hello World"};

/* What a request wants of its connection. HTTP/1.0 closes unless asked not to, and wants to be told that it is kept. */
typedef enum { KEEP, KEEP_AND_SAY_SO, CLOSE, ANSWERS, REFUSE = ANSWERS } Wish;

typedef struct {
    time_t second;
    size_t longest; /* the bytes that any of them takes at most */
    struct {
        size_t bytes;
        char text[LONGEST_ANSWER];
    } of[ANSWERS];
} Answers;

/* What became of some input: bytes taken from it and written to the output, and why no more. */
typedef struct {
    size_t taken, written;
    bool last;    /* the client wants no answer after these */
    bool refused; /* what comes next is no request, or one that a server that reads no bodies cannot skip */
    bool full;    /* the output has no room for one more */
} Reply;

/* The date changes once a second, and only then is anything composed. */
static void compose(Answers *answers) {
    static const char *const wishes[ANSWERS] = {"", "Connection: keep-alive\r\n", "Connection: close\r\n"};
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (now.tv_sec == answers->second) return;
    answers->second = now.tv_sec;
    struct tm parts;
    char date[64];
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now.tv_sec, &parts));
    answers->longest = 0;
    for (int wish = 0; wish < ANSWERS; wish++) {
        char *text = answers->of[wish].text;
        int head = snprintf(text, LONGEST_HEAD,
                            "HTTP/1.1 200 OK\r\nServer: " NAME "\r\nDate: %s\r\n"
                            "Content-Type: %s\r\nContent-Length: %zu\r\n%s\r\n",
                            date, content.type, content.bytes, wishes[wish]);
        memcpy(text + head, content.body, content.bytes);
        answers->of[wish].bytes = head + content.bytes;
        if (answers->of[wish].bytes > answers->longest) answers->longest = answers->of[wish].bytes;
    }
}

/* Method, target and version, and nothing else before the line's end. */
static bool is_request_line(const char *head, const char *line_end) {
    if (line_end - head < 14 || line_end[-1] != '\r' || memcmp(line_end - 10, " HTTP/1.", 8)) return false;
    const char *space = memchr(head, ' ', line_end - head);
    return head[0] >= 'A' && head[0] <= 'Z' && memchr(space + 1, ' ', line_end - space - 1) == line_end - 10;
}

/* The word is in lower case, and the line has an end, where the comparison stops at the latest. */
static bool begins(const char *line, const char *word) {
    return (line[0] | 0x20) == word[0] && !strncasecmp(line, word, strlen(word));
}

static bool holds(const char *line, const char *line_end, const char *word) {
    while (line < line_end && !begins(line, word)) line++;
    return line < line_end;
}

/* Reads a whole head, blank line included. */
static Wish wish_of(const char *head, const char *end) {
    const char *line_end = memchr(head, '\n', end - head);
    if (!is_request_line(head, line_end)) return REFUSE;
    bool old = line_end[-2] == '0', close = false, keep = false;
    for (const char *line = line_end + 1; line < end; line = line_end + 1) {
        line_end = memchr(line, '\n', end - line);
        if (begins(line, "content-length:") || begins(line, "transfer-encoding:")) return REFUSE;
        if (!begins(line, "connection:")) continue;
        close = close || holds(line, line_end, "close");
        keep = keep || holds(line, line_end, "keep-alive");
    }
    if (close || (old && !keep)) return CLOSE;
    return old ? KEEP_AND_SAY_SO : KEEP;
}

/* Writes an answer for each whole request of the input, until one is the last or the output is full. */
static Reply reply(const Answers *answers, const char *input, size_t filled, char *output, size_t room) {
    Reply done = {0};
    const char *blank;
    while (!done.last && (blank = memmem(input + done.taken, filled - done.taken, "\r\n\r\n", 4))) {
        done.full = done.written + answers->longest > room;
        if (done.full) break;
        Wish wish = wish_of(input + done.taken, blank + 4);
        done.refused = wish == REFUSE;
        if (done.refused) break;
        memcpy(output + done.written, answers->of[wish].text, answers->of[wish].bytes);
        done.written += answers->of[wish].bytes;
        done.taken = blank + 4 - input;
        done.last = wish == CLOSE;
    }
    return done;
}

static void fail(const char *host, const char *port) {
    fprintf(stderr, NAME ": cannot listen on %s:%s: %s\n", host, port, strerror(errno));
    exit(1);
}

/* For what a server cannot do without; a single connection is rather given up. */
static void no_memory(void) {
    fprintf(stderr, NAME ": no memory\n");
    exit(1);
}

static int bound(const char *host, const char *port, int flags, bool shared) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), yes = 1;
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

static int listening(const char *host, const char *port, int flags, bool shared) {
    int listener = bound(host, port, flags, shared);
    if (listen(listener, 4096)) fail(host, port);
    return listener;
}

static void raise_file_limit(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* Answers what is in a file from now on. */
static int read_content(const char *name, const char *type) {
    FILE *file = fopen(name, "rb");
    if (!file) return fprintf(stderr, NAME ": cannot read %s: %s\n", name, strerror(errno)), 1;
    content.bytes = fread(content.body, 1, sizeof content.body, file);
    fclose(file);
    if (content.bytes > LONGEST_BODY)
        return fprintf(stderr, NAME ": %s has more than %d bytes\n", name, LONGEST_BODY), 1;
    if (strlen(type) > LONGEST_TYPE)
        return fprintf(stderr, NAME ": the content type has more than %d bytes\n", LONGEST_TYPE), 1;
    content.type = type;
    return 0;
}

/* Serves with a listener of these flags in each of THREADS threads; `serve` gets a pointer to it and never returns. */
static int run(int count, char **words, int flags, void *(*serve)(void *)) {
    int threads = count >= 4 && count <= 6 ? atoi(words[3]) : 0;
    if (threads < 1 || threads > MOST_THREADS)
        return fprintf(stderr, "usage: " NAME " HOST PORT THREADS [BODY_FILE [CONTENT_TYPE]], with 1 to %d threads\n",
                       MOST_THREADS), 2;
    if (count > 4 && read_content(words[4], count > 5 ? words[5] : content.type)) return 1;
    raise_file_limit();
    /* With SO_REUSEPORT a forgotten server would quietly take a share of the load, so ask without it first. */
    close(bound(words[1], words[2], flags, false));
    int listeners[threads];
    for (int at = 0; at < threads; at++) listeners[at] = listening(words[1], words[2], flags, threads > 1);
    for (int at = 1; at < threads; at++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve, &listeners[at]))
            return fprintf(stderr, NAME ": cannot start thread %d of %d\n", at + 1, threads), 1;
    }
    serve(&listeners[0]);
    return 0;
}
