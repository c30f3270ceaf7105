# Hello World on Crystal's own HTTP::Server, as a user of it would write it.
#
# A Crystal program runs its fibers on one thread. More threads are more processes, which share the port by SO_REUSEPORT:
# see `reuse_port` of bind_tcp at https://crystal-lang.org/api/1.6.0/HTTP/Server.html. bind_tcp itself takes no backlog,
# and the usual 128 is too short for a thousand clients at once.
#
# Usage: server HOST PORT THREADS

require "http/server"

BACKLOG = 4096
HELPER  = "--helper" # Marks the processes that the first one starts.

# The date as HTTP writes it, formatted once a second.
class Calendar
  getter date : String = HTTP.format_time(Time.utc)

  def keep : Nil
    spawn do
      loop do
        sleep (1_000_000_000 - Time.utc.nanosecond).nanoseconds
        @date = HTTP.format_time(Time.utc)
      end
    end
  end
end

def answer(context : HTTP::Server::Context, date : String) : Nil
  request, response = context.request, context.response
  request.body.try &.skip_to_end # Else the connection would end behind a posted body.
  found = request.path == "/"
  text = found ? "Hello World" : "Not Found"
  response.status = :not_found unless found
  response.headers["Server"] = "crystal"
  response.headers["Date"] = date
  response.headers["Connection"] = "close" unless request.keep_alive? # Crystal closes, but does not say so.
  response.content_type = "text/plain"
  response.content_length = text.bytesize
  response.print text unless request.method == "HEAD"
end

def serve(host : String, port : Int32, shared : Bool) : Nil
  calendar = Calendar.new
  calendar.keep
  server = HTTP::Server.new { |context| answer(context, calendar.date) }
  server.bind TCPServer.new(host, port, backlog: BACKLOG, reuse_port: shared)
  server.listen
end

# With SO_REUSEPORT a forgotten server would quietly take a share of the load, so ask without it first.
def claim(host : String, port : Int32) : Nil
  TCPServer.new(host, port).close
rescue error : Socket::BindError
  abort "crystal: cannot listen on #{host}:#{port}: #{error.os_error.try(&.message) || error.message}"
end

# Starts the other processes. With one less it is not the server that was asked for.
def start_helpers(count : Int32) : Array(Process)
  program = Process.executable_path || abort "crystal: this system does not tell where the program lies"
  helpers = Array.new(count) { Process.new(program, ARGV + [HELPER], error: Process::Redirect::Inherit) }
  helpers.each { |helper| spawn { helper.wait; exit 1 } }
  helpers
end

def end_when_told(helpers : Array(Process)) : Nil
  {Signal::TERM, Signal::INT}.each &.trap do
    helpers.each { |helper| helper.terminate if helper.exists? }
    exit
  end
end

abort "usage: server HOST PORT THREADS", 2 unless ARGV.size == 3 || ARGV[3]? == HELPER
host, port, threads = ARGV[0], ARGV[1].to_i, ARGV[2].to_i
if ARGV[3]? != HELPER
  claim(host, port)
  end_when_told(start_helpers(threads - 1))
end
serve(host, port, threads > 1)
