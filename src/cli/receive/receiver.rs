//! A server that accepts POSTs and sends the same response to all of them. It must never be the slowest part of a
//! measurement, so it only counts unless requests must be shown. It never prints.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::error::PayloadError;
use actix_web::http::{Method, StatusCode, header};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use jiff::Timestamp;

use super::ReceivedPost;

/// How much of a body is kept for display.
const BODY_BYTES_KEPT_MAX: usize = 1 << 20;
/// Longer than senders keep connections, so that no sender uses a connection that is being closed.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Receives each POST, on any of the receiver's threads.
pub(in crate::cli) type PostCallback = Arc<dyn Fn(ReceivedPost) + Send + Sync>;

/// How a receiver behaves.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Behaviour {
    /// The status of every response, 200 to 599.
    pub(in crate::cli) status: u16,
    /// The delay of each response.
    pub(in crate::cli) delay: Duration,
    /// Threads that receive.
    pub(in crate::cli) threads: usize,
}

/// A running receiver.
pub(in crate::cli) struct Receiver {
    address: SocketAddr,
    server: ServerHandle,
    received: Arc<AtomicUsize>,
}

/// What the receiver's threads share.
#[derive(Clone)]
struct Handler {
    status: StatusCode,
    delay: Duration,
    show: Option<PostCallback>,
    received: Arc<AtomicUsize>,
}

impl Receiver {
    /// Listens from now on.
    pub(in crate::cli) fn start(
        listen: SocketAddr,
        behaviour: Behaviour,
        show: Option<PostCallback>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(listen)?;
        let address = listener.local_addr()?;
        let received = Arc::new(AtomicUsize::new(0));
        let status = StatusCode::from_u16(behaviour.status).map_err(io::Error::other)?;
        let handler = Handler { status, delay: behaviour.delay, show, received: Arc::clone(&received) };
        let server = HttpServer::new(move || {
            App::new().app_data(web::Data::new(handler.clone())).default_service(web::to(take))
        });
        let server = server.workers(behaviour.threads).keep_alive(KEEP_ALIVE).disable_signals().listen(listener)?.run();
        let handle = server.handle();
        actix_rt::spawn(server);
        Ok(Self { address, server: handle, received })
    }

    /// Its address.
    pub(in crate::cli) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops at once, and returns the number of POSTs.
    pub(in crate::cli) async fn stop(self) -> usize {
        self.server.stop(false).await;
        self.received.load(Ordering::SeqCst)
    }
}

async fn take(request: HttpRequest, mut payload: web::Payload, handler: web::Data<Handler>) -> HttpResponse {
    if request.method() != Method::POST {
        return HttpResponse::MethodNotAllowed().insert_header((header::ALLOW, "POST")).finish();
    }
    let kept_max = if handler.show.is_some() { BODY_BYTES_KEPT_MAX } else { 0 };
    // The sender closed the connection.
    let Ok((body, bytes_left_out)) = read(&mut payload, kept_max).await else {
        return HttpResponse::BadRequest().finish();
    };
    let (time, arrived) = (Timestamp::now(), Instant::now());
    handler.received.fetch_add(1, Ordering::SeqCst);
    if let Some(show) = &handler.show {
        let headers = headers(&request);
        let path = request.uri().path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
        let method = request.method().to_string();
        show(ReceivedPost { time, arrived, method, path, headers, body, bytes_left_out });
    }
    if !handler.delay.is_zero() {
        actix_rt::time::sleep(handler.delay).await;
    }
    HttpResponse::new(handler.status)
}

/// Reads a body and keeps its beginning; returns how many bytes it did not keep.
async fn read(payload: &mut web::Payload, kept_max: usize) -> Result<(Bytes, usize), PayloadError> {
    let mut kept = BytesMut::new();
    let mut left_out = 0;
    while let Some(chunk) = payload.next().await {
        let chunk = chunk?;
        let room = (kept_max - kept.len()).min(chunk.len());
        kept.extend_from_slice(&chunk[..room]);
        left_out += chunk.len() - room;
    }
    Ok((kept.freeze(), left_out))
}

/// The headers sorted by name, since their original order is unknown.
fn headers(request: &HttpRequest) -> Vec<(String, String)> {
    let headers = request.headers().iter();
    let headers =
        headers.map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let mut headers: Vec<_> = headers.collect();
    headers.sort_by(|a, b| a.0.cmp(&b.0));
    headers
}
