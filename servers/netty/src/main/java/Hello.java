import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.unix.UnixChannelOption;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpObject;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.util.AsciiString;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Locale;

/**
 * Hello World on Netty, as its own HTTP example is built, on its native transport for Linux with a listening socket
 * (SO_REUSEPORT) for each thread.
 *
 * <p>Usage: Hello HOST PORT THREADS
 */
public final class Hello {
    private static final ByteBuf BODY = constant("Hello World");
    private static final ByteBuf NOT_FOUND = constant("Not Found");
    private static final ByteBuf BAD_REQUEST = constant("Bad Request");
    private static final AsciiString NAME = AsciiString.cached("netty");

    public static void main(String[] words) throws InterruptedException {
        if (words.length != 3) {
            System.err.println("usage: Hello HOST PORT THREADS");
            System.exit(2);
        }
        InetSocketAddress address = new InetSocketAddress(words[0], Integer.parseInt(words[1]));
        int threads = Integer.parseInt(words[2]);
        reserve(address);
        EventLoopGroup group = new MultiThreadIoEventLoopGroup(threads, EpollIoHandler.newFactory());
        ServerBootstrap bootstrap = new ServerBootstrap()
                .group(group)
                .channel(EpollServerSocketChannel.class)
                .option(UnixChannelOption.SO_REUSEPORT, threads > 1)
                .option(ChannelOption.SO_BACKLOG, 4096)
                .childHandler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        channel.pipeline().addLast(new HttpServerCodec(), new Conversation());
                    }
                });
        for (int at = 0; at < threads; at++) {
            bootstrap.bind(address).sync();
        }
    }

    /** With SO_REUSEPORT a forgotten server would quietly take a share of the load, so ask without it first. */
    private static void reserve(InetSocketAddress address) {
        try (ServerSocket socket = new ServerSocket()) {
            socket.setReuseAddress(true);
            socket.bind(address);
        } catch (IOException error) {
            String place = address.getHostString() + ":" + address.getPort();
            System.err.println("netty: cannot listen on " + place + ": " + error.getMessage());
            System.exit(1);
        }
    }

    private static ByteBuf constant(String text) {
        return Unpooled.unreleasableBuffer(Unpooled.copiedBuffer(text, StandardCharsets.US_ASCII)).asReadOnly();
    }

    /** One connection: answers each request when its end has come. */
    private static final class Conversation extends SimpleChannelInboundHandler<HttpObject> {
        private HttpRequest request;

        @Override
        protected void channelRead0(ChannelHandlerContext context, HttpObject part) {
            if (part instanceof HttpRequest head) {
                request = head;
            }
            if (part.decoderResult().isFailure()) {
                answer(context, false);
            } else if (part instanceof LastHttpContent) {
                answer(context, true);
            }
        }

        private void answer(ChannelHandlerContext context, boolean good) {
            boolean keep = good && HttpUtil.isKeepAlive(request);
            FullHttpResponse response = good ? response(request) : response(HttpResponseStatus.BAD_REQUEST, BAD_REQUEST);
            if (!keep) {
                response.headers().set(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE);
                context.write(response).addListener(ChannelFutureListener.CLOSE);
                return;
            }
            if (!request.protocolVersion().isKeepAliveDefault()) {
                response.headers().set(HttpHeaderNames.CONNECTION, HttpHeaderValues.KEEP_ALIVE);
            }
            context.write(response, context.voidPromise());
        }

        private static FullHttpResponse response(HttpRequest request) {
            String target = request.uri();
            boolean found = target.equals("/") || target.startsWith("/?");
            HttpResponseStatus status = found ? HttpResponseStatus.OK : HttpResponseStatus.NOT_FOUND;
            FullHttpResponse response = response(status, found ? BODY : NOT_FOUND);
            return request.method().equals(HttpMethod.HEAD) ? response.replace(Unpooled.EMPTY_BUFFER) : response;
        }

        private static FullHttpResponse response(HttpResponseStatus status, ByteBuf body) {
            FullHttpResponse response = new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, status, body.duplicate());
            response.headers()
                    .set(HttpHeaderNames.SERVER, NAME)
                    .set(HttpHeaderNames.DATE, Clock.date())
                    .set(HttpHeaderNames.CONTENT_TYPE, HttpHeaderValues.TEXT_PLAIN)
                    .setInt(HttpHeaderNames.CONTENT_LENGTH, body.readableBytes());
            return response;
        }

        /** All answers to what was read at once leave at once. */
        @Override
        public void channelReadComplete(ChannelHandlerContext context) {
            context.flush();
        }

        /** Who does not read is not read from, so that answers do not pile up. */
        @Override
        public void channelWritabilityChanged(ChannelHandlerContext context) {
            context.channel().config().setAutoRead(context.channel().isWritable());
        }

        /** A client that breaks off is no error of the server's. */
        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            context.close();
        }
    }

    /** The date as HTTP writes it, formatted once a second. */
    private record Clock(long second, AsciiString text) {
        private static final DateTimeFormatter FORMAT =
                DateTimeFormatter.ofPattern("EEE, dd MMM yyyy HH:mm:ss 'GMT'", Locale.US).withZone(ZoneOffset.UTC);
        private static volatile Clock now = new Clock(0, AsciiString.EMPTY_STRING);

        static AsciiString date() {
            long second = System.currentTimeMillis() / 1000;
            Clock known = now;
            if (known.second != second) {
                known = new Clock(second, new AsciiString(FORMAT.format(Instant.ofEpochSecond(second))));
                now = known;
            }
            return known.text;
        }
    }
}
