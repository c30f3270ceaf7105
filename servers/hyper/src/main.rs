//! Hello World on hyper, as its own examples are built, with the runtime that it recommends for speed: a tokio runtime
//! of one thread, and a listening socket (SO_REUSEPORT), for each thread.
//!
//! Usage: hyper-hello HOST PORT THREADS

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;
use std::{env, io, process, thread};

use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{HeaderValue, CONTENT_TYPE, SERVER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket};

async fn hello(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let found = request.uri().path() == "/";
    let mut body = request.into_body();
    while !body.is_end_stream() {
        if !matches!(body.frame().await, Some(Ok(_))) {
            break;
        }
    }
    let text: &'static str = if found { "Hello World" } else { "Not Found" };
    let mut response = Response::new(Full::from(text));
    if !found {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static("hyper"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response) // Date, Content-Length and Connection are hyper's work.
}

fn listen(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(shared)?;
    socket.set_nodelay(true)?; // Accepted sockets inherit it.
    socket.bind(address)?;
    socket.listen(4096)
}

async fn serve(address: SocketAddr, shared: bool) -> io::Result<()> {
    let listener = listen(address, shared)?;
    let http = http1::Builder::new(); // Not its pipeline_flush, which buffers without bound what a client does not read.
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await; // No descriptors left, until somebody leaves.
            continue;
        };
        // A client that breaks off is no error of the server's.
        let connection = http.serve_connection(TokioIo::new(stream), service_fn(hello));
        tokio::spawn(async move { connection.await.ok() });
    }
}

fn run(address: SocketAddr, shared: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    if let Err(error) = runtime.and_then(|runtime| runtime.block_on(serve(address, shared))) {
        fail(address, &error);
    }
}

fn fail(address: SocketAddr, error: &io::Error) -> ! {
    let reason = match error.kind() {
        io::ErrorKind::AddrInUse => "Address already in use".to_string(), // As the other servers write it.
        _ => error.to_string(),
    };
    eprintln!("hyper: cannot listen on {address}: {reason}");
    process::exit(1)
}

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    let parsed = || Some((words.first()?.parse().ok()?, words.get(1)?.parse().ok()?, words.get(2)?.parse().ok()?));
    let Some((host, port, threads)) = parsed() else {
        eprintln!("usage: hyper-hello HOST PORT THREADS");
        process::exit(2)
    };
    let address = SocketAddr::new(host, port);
    // With SO_REUSEPORT a forgotten server would quietly take a share of the load, so ask without it first.
    if let Err(error) = std::net::TcpListener::bind(address) {
        fail(address, &error);
    }
    for _ in 1..threads {
        thread::spawn(move || run(address, true));
    }
    run(address, threads > 1);
}
