/* Hello World on uWebSockets, through the C interface of the library that socketify ships, so that no interpreter
 * stands between. An app for each thread, as uWebSockets' own documentation has it: they share the port
 * (SO_REUSEPORT), and the kernel spreads the connections.
 *
 * Usage: uwebsockets HOST PORT THREADS */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* The part of the library's interface that is used here: it is shipped without a header. The first argument of most
 * is whether the app speaks TLS. */
typedef struct app App;
typedef struct response Response;
typedef struct request Request;
typedef struct { const char *key, *certificate, *passphrase, *dh, *ca, *ciphers; int low_memory; } Tls;
typedef struct { int port; const char *host; int options; } Address;
typedef void Handler(Response *, Request *, void *);
App *uws_create_app(int tls, Tls options);
void uws_app_any(int tls, App *, const char *pattern, Handler *, void *);
void uws_app_listen_with_config(int tls, App *, Address, void (*)(void *socket, Address, void *), void *);
void uws_app_run(int tls, App *);
void uws_res_write_status(int tls, Response *, const char *, size_t);
void uws_res_write_header(int tls, Response *, const char *, size_t, const char *, size_t);
void uws_res_end(int tls, Response *, const char *, size_t, bool close);
void uws_res_end_without_body(int tls, Response *, bool close);
void uws_res_write_header_int(int tls, Response *, const char *, size_t, uint64_t);
size_t uws_req_get_method(Request *, const char **);
size_t uws_req_get_header(Request *, const char *, size_t, const char **);
bool uws_req_is_ancient(Request *);

static Address address;

static void header(Response *response, const char *name, const char *value) {
    uws_res_write_header(0, response, name, strlen(name), value, strlen(value));
}

/* Whether the client wants the connection to end: the library knows, but its C interface does not tell. */
static bool wants_close(Request *request) {
    const char *value;
    size_t length = uws_req_get_header(request, "connection", 10, &value);
    return uws_req_is_ancient(request) || (length == 5 && strncasecmp(value, "close", 5) == 0);
}

static void answer(Response *response, Request *request, const char *status, const char *body) {
    const char *method;
    uws_res_write_status(0, response, status, strlen(status));
    header(response, "Server", "uwebsockets");
    header(response, "Content-Type", "text/plain");
    if (wants_close(request)) header(response, "Connection", "close"); /* The library closes, and says nothing. */
    if (uws_req_get_method(request, &method) == 4 && memcmp(method, "head", 4) == 0) {
        uws_res_write_header_int(0, response, "Content-Length", 14, strlen(body));
        uws_res_end_without_body(0, response, false);
    } else {
        uws_res_end(0, response, body, strlen(body), false); /* What is posted, the library reads and drops. */
    }
}

static void found(Response *response, Request *request, void *unused) {
    (void)unused;
    answer(response, request, "200 OK", "Hello World");
}

static void not_found(Response *response, Request *request, void *unused) {
    (void)unused;
    answer(response, request, "404 Not Found", "Not Found");
}

static void fail(const char *reason) {
    fprintf(stderr, "uwebsockets: cannot listen on %s:%d: %s\n", address.host, address.port, reason);
    exit(1);
}

static void listening(void *socket, Address asked, void *unused) {
    (void)asked, (void)unused;
    if (!socket) fail("the library does not say why");
}

static void *serve(void *unused) {
    App *app = uws_create_app(0, (Tls){0});
    uws_app_any(0, app, "/", found, NULL);
    uws_app_any(0, app, "/*", not_found, NULL);
    uws_app_listen_with_config(0, app, address, listening, NULL);
    uws_app_run(0, app);
    return unused;
}

/* The library always sets SO_REUSEPORT, so a forgotten server would quietly take a share of the load: ask without. */
static void reserve(void) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    struct sockaddr_in wanted = {.sin_family = AF_INET, .sin_port = htons(address.port)};
    if (inet_pton(AF_INET, address.host, &wanted.sin_addr) != 1) fail("the host must be an IPv4 address");
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&wanted, sizeof wanted)) fail(strerror(errno));
    close(listener);
}

int main(int count, char **words) {
    if (count != 4) return fprintf(stderr, "usage: uwebsockets HOST PORT THREADS\n"), 2;
    address = (Address){.port = atoi(words[2]), .host = words[1]};
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    reserve();
    for (int at = 1; at < atoi(words[3]); at++) {
        pthread_t thread;
        pthread_create(&thread, NULL, serve, NULL);
    }
    serve(NULL);
}
