// Hello World on Boost.Beast, as its own asynchronous examples are built
// (https://www.boost.org/doc/libs/1_74_0/libs/beast/doc/html/beast/examples.html): one io_context and one listening
// socket (SO_REUSEPORT) for each thread, so that no lock is ever waited for.
//
// Usage: beast HOST PORT THREADS

#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <csignal>
#include <ctime>
#include <iostream>
#include <memory>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <vector>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;
using boost::system::error_code;

namespace {

using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;
constexpr auto kPatience = std::chrono::seconds(2);

// The date as HTTP writes it, formatted once a second by each thread.
const std::string& date() {
    thread_local std::time_t second = 0;
    thread_local std::string text;
    std::time_t now = std::time(nullptr);
    if (now != second) {
        char buffer[64];
        std::tm parts;
        text.assign(buffer, std::strftime(buffer, sizeof buffer, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &parts)));
        second = now;
    }
    return text;
}

class Session : public std::enable_shared_from_this<Session> {
public:
    explicit Session(tcp::socket&& socket) : stream_(std::move(socket)) {}

    void read() {
        parser_.emplace();
        parser_->body_limit(8 * 1024 * 1024);
        http::async_read(stream_, buffer_, *parser_,
                         [self = shared_from_this()](error_code error, std::size_t) { self->on_read(error); });
    }

private:
    void on_read(error_code error) {
        if (error == http::error::end_of_stream) return hang_up();
        if (error && error.category() == http::make_error_code(http::error::bad_method).category()) return refuse();
        if (error) return;
        const auto& request = parser_->get();
        const bool found = request.target() == "/" || request.target().starts_with("/?");
        compose(found ? http::status::ok : http::status::not_found, found ? "Hello World" : "Not Found",
                request.version(), request.keep_alive());
        if (request.method() == http::verb::head) write_head();
        else write();
    }

    void refuse() {
        compose(http::status::bad_request, "Bad Request", 11, false);
        write();
    }

    void compose(http::status status, const char* body, unsigned version, bool keep_alive) {
        response_ = {status, version};
        response_.set(http::field::server, "beast");
        response_.set(http::field::date, date());
        response_.set(http::field::content_type, "text/plain");
        response_.keep_alive(keep_alive);
        response_.body() = body;
        response_.prepare_payload();
    }

    void write() {
        http::async_write(stream_, response_,
                          [self = shared_from_this()](error_code error, std::size_t) { self->on_written(error); });
    }

    void write_head() {
        serializer_.emplace(response_);
        http::async_write_header(stream_, *serializer_, [self = shared_from_this()](error_code error, std::size_t) {
            self->on_written(error);
        });
    }

    void on_written(error_code error) {
        if (error) return;
        if (response_.keep_alive()) read();
        else hang_up();
    }

    // To close a socket that holds unread input sends a reset, which can destroy the answer on its way, so our side is
    // closed first and the rest is read for a while.
    void hang_up() {
        error_code ignored;
        stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
        stream_.expires_after(kPatience);
        discard();
    }

    void discard() {
        buffer_.clear();
        stream_.async_read_some(buffer_.prepare(16 * 1024),
                                [self = shared_from_this()](error_code error, std::size_t count) {
                                    self->discarded_ += count;
                                    if (!error && self->discarded_ < (1 << 20)) self->discard();
                                });
    }

    beast::tcp_stream stream_;
    beast::flat_buffer buffer_{64 * 1024};
    boost::optional<http::request_parser<http::string_body>> parser_;
    http::response<http::string_body> response_;
    boost::optional<http::response_serializer<http::string_body>> serializer_;
    std::size_t discarded_ = 0;
};

tcp::acceptor listening(asio::io_context& context, const tcp::endpoint& endpoint, bool shared) {
    tcp::acceptor acceptor(context, endpoint.protocol());
    acceptor.set_option(tcp::acceptor::reuse_address(true));
    if (shared) acceptor.set_option(ReusePort(true));
    acceptor.set_option(tcp::no_delay(true));  // accepted sockets inherit it
    acceptor.bind(endpoint);
    acceptor.listen(4096);
    return acceptor;
}

void accept(tcp::acceptor& acceptor) {
    acceptor.async_accept([&acceptor](error_code error, tcp::socket socket) {
        if (!error) std::make_shared<Session>(std::move(socket))->read();
        else std::this_thread::sleep_for(std::chrono::milliseconds(10));  // no descriptors left, until somebody leaves
        accept(acceptor);
    });
}

void serve(const tcp::endpoint& endpoint, bool shared) {
    asio::io_context context(1);  // one thread runs it, so it need not lock
    tcp::acceptor acceptor = listening(context, endpoint, shared);
    accept(acceptor);
    context.run();
}

}  // namespace

int main(int count, char** words) {
    if (count != 4) {
        std::cerr << "usage: beast HOST PORT THREADS\n";
        return 2;
    }
    rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    const tcp::endpoint endpoint(asio::ip::make_address(words[1]), static_cast<unsigned short>(std::stoi(words[2])));
    const int threads = std::stoi(words[3]);
    try {
        // With SO_REUSEPORT a forgotten server would quietly take a share of the load, so ask without it first.
        asio::io_context context;
        tcp::acceptor(context, endpoint, true);
    } catch (const boost::system::system_error& error) {
        std::cerr << "beast: cannot listen on " << words[1] << ":" << words[2] << ": " << error.code().message() << "\n";
        return 1;
    }
    std::vector<std::thread> workers;
    for (int at = 1; at < threads; at++) workers.emplace_back(serve, endpoint, threads > 1);
    serve(endpoint, threads > 1);
}
