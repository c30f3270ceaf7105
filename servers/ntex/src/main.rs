//! Hello World on ntex, as its own documentation shows it.
//!
//! Usage: ntex-hello HOST PORT THREADS

use std::{env, io, net::IpAddr, process};

use ntex::http::header::{HeaderValue, CONTENT_TYPE, SERVER};
use ntex::time::Seconds;
use ntex::web::{self, App, HttpResponse, HttpServer};

/// An answer; Date, Content-Length and Connection are ntex's work.
fn answer(mut response: HttpResponse) -> HttpResponse {
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static("ntex"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

async fn hello() -> HttpResponse {
    answer(HttpResponse::Ok().body("Hello World"))
}

async fn other() -> HttpResponse {
    answer(HttpResponse::NotFound().body("Not Found"))
}

fn fail(host: IpAddr, port: u16, error: &io::Error) -> ! {
    let reason = match error.kind() {
        io::ErrorKind::AddrInUse => "Address already in use".to_string(), // As the other servers write it.
        _ => error.to_string(),
    };
    eprintln!("ntex: cannot listen on {host}:{port}: {reason}");
    process::exit(1)
}

#[ntex::main]
async fn main() -> io::Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let parsed = || Some((words.first()?.parse().ok()?, words.get(1)?.parse().ok()?, words.get(2)?.parse().ok()?));
    let Some((host, port, threads)) = parsed() else {
        eprintln!("usage: ntex-hello HOST PORT THREADS");
        process::exit(2)
    };
    let bound = HttpServer::new(async || App::new().route("/", web::to(hello)).default_service(web::to(other)))
        .workers(threads)
        .backlog(4096)
        .shutdown_timeout(Seconds(0)) // A signal ends it at once.
        .bind((host, port));
    match bound {
        Ok(server) => server.run().await,
        Err(error) => fail(host, port, &error),
    }
}
