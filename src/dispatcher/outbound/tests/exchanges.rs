//! Single exchanges: which deadline is reported, and which connections are reused.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{LONG, Scripted, outlet, post, settings, target};
use crate::model::outcome::Outcome;

/// A receiver that handles each connection with this function.
async fn serve<F: Future<Output = ()> + 'static>(each: impl Fn(TcpStream) -> F + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    actix_rt::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            actix_rt::spawn(each(connection));
        }
    });
    format!("http://127.0.0.1:{port}/")
}

/// Reads one small request; `None` if the connection ended.
async fn request(connection: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"!") {
        if connection.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[actix_rt::test]
async fn a_deadline_is_named_for_its_phase() {
    let short = settings(|own| own.attempt_timeout = Duration::from_millis(150));
    let silent = serve(|connection| async move {
        let _connection = connection;
        std::future::pending().await
    })
    .await;
    let resolver = Scripted::new(&[None]);
    let named = target("http://receiver.example/");
    assert_eq!(post(&outlet(&short, &resolver, &named), &named, "!").await.0, Outcome::TimeoutResolve);
    for (url, body, expected) in [
        (silent.replace("http", "https"), 1, Outcome::TimeoutTls),
        (silent.clone(), 50_000_000, Outcome::TimeoutSend),
        (silent.clone(), 1, Outcome::TimeoutResponse),
    ] {
        let target = target(&url);
        assert_eq!(post(&outlet(&short, &resolver, &target), &target, vec![b'!'; body]).await, (expected, None));
    }
}

/// A listener whose backlog is full drops new connections.
#[actix_rt::test]
async fn a_connection_that_is_never_made_passes_its_deadline() {
    use rustix::net::{AddressFamily, SocketType, bind, listen, socket};
    let listener = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(&listener, &std::net::SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
    listen(&listener, 0).expect("it listens");
    let listener = std::net::TcpListener::from(listener);
    let address = listener.local_addr().expect("bound");
    let mut waiting = Vec::new();
    while let Ok(Ok(connection)) = tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
        waiting.push(connection);
        assert!(waiting.len() < 10, "the backlog has no end");
    }
    let short = settings(|own| own.attempt_timeout = Duration::from_millis(150));
    let target = target(&format!("http://{address}/"));
    let outcome = post(&outlet(&short, &Scripted::new(&[None]), &target), &target, "!").await;
    assert_eq!(outcome, (Outcome::TimeoutConnect, None));
}

#[actix_rt::test]
async fn a_peer_that_sends_first_or_closes_at_once_gets_no_request() {
    let talker = serve(|mut connection| async move {
        let _ = connection.write_all(b"HTTP/1.1 204 X\r\n\r\n").await;
        let _ = request(&mut connection).await;
    })
    .await;
    let leaver = serve(|_| async {}).await;
    for (url, expected) in [
        (talker, [Outcome::BadAnswer, Outcome::Delivered]),
        (leaver, [Outcome::ConnectionLostBeforeSend, Outcome::ConnectionLostAfterSend]),
    ] {
        let target = target(&url);
        let outlet = outlet(&settings(|_| {}), &Scripted::new(&[None]), &target);
        for _ in 0..20 {
            // Data that arrives between the check of the connection and the first byte can't be told from a response.
            let (outcome, _) = post(&outlet, &target, "!").await;
            assert!(expected.contains(&outcome), "{outcome:?}");
        }
    }
}

/// It closes after its response without an announcement. Requests are lost until that is observed; then each connection
/// carries one request and announces it.
#[actix_rt::test]
async fn a_receiver_that_closes_silently_is_detected() {
    let url = serve(|mut connection| async move {
        if let Some(request) = request(&mut connection).await {
            let status = if request.contains("connection: close") { 201 } else { 200 };
            let response = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
            let _ = connection.write_all(response.as_bytes()).await;
        }
    })
    .await;
    let target = target(&url);
    let outlet = outlet(&settings(|_| {}), &Scripted::new(&[None]), &target);
    let mut ends = Vec::new();
    for _ in 0..200 {
        ends.push(post(&outlet, &target, "!").await);
    }
    let lost = ends.iter().filter(|end| end.0 != Outcome::Delivered).count();
    assert!(lost <= 1, "{lost} are lost");
    assert!(ends[5..].iter().all(|end| *end == (Outcome::Delivered, Some(201))), "{ends:?}");
}

/// The same at a high rate: of all the connections that could be tried, one is.
#[actix_rt::test]
async fn a_receiver_that_closes_silently_costs_one_request_at_a_high_rate() {
    let url = serve(|mut connection| async move {
        if request(&mut connection).await.is_some() {
            let _ = connection.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 0\r\n\r\n").await;
        }
    })
    .await;
    let target = target(&url);
    let outlet = outlet(&settings(|_| {}), &Scripted::new(&[None]), &target);
    let mut lost = 0;
    for _ in 0..30 {
        let round = futures_util::future::join_all((0..32).map(|_| post(&outlet, &target, "!"))).await;
        lost += round.iter().filter(|end| end.0 != Outcome::Delivered).count();
    }
    assert!(lost <= 1, "{lost} are lost");
}

/// What stands behind one address are servers that restart in turn. Each restart can cost a request, and connections are
/// used again after each.
#[actix_rt::test]
async fn a_receiver_that_restarts_often_keeps_its_connections() {
    let seen = std::rc::Rc::new(std::cell::Cell::new(0));
    let counted = std::rc::Rc::clone(&seen);
    let url = serve(move |mut connection| {
        counted.set(counted.get() + 1);
        async move {
            for _ in 0..1_100 {
                if request(&mut connection).await.is_none() {
                    break;
                }
                let _ = connection.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 0\r\n\r\n").await;
            }
        }
    })
    .await;
    let target = target(&url);
    let outlet = outlet(&settings(|own| own.keep_alive = LONG), &Scripted::new(&[None]), &target);
    let mut lost = 0;
    for _ in 0..4_400 {
        lost += usize::from(post(&outlet, &target, "!").await.0 != Outcome::Delivered);
    }
    assert!(lost <= 4, "{lost} are lost");
    // A busy machine makes a few more than four, where one was idle for longer than the receiver is known to keep it.
    assert!(seen.get() < 100, "{} connections", seen.get());
}

/// A receiver that keeps its connections is found out as fast: a burst after the first response uses all of them.
#[actix_rt::test]
async fn connections_to_a_receiver_that_keeps_them_are_used_again_at_a_high_rate() {
    let seen = std::rc::Rc::new(std::cell::Cell::new(0));
    let counted = std::rc::Rc::clone(&seen);
    let url = serve(move |mut connection| {
        counted.set(counted.get() + 1);
        async move {
            while request(&mut connection).await.is_some() {
                let _ = connection.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 0\r\n\r\n").await;
            }
        }
    })
    .await;
    let target = target(&url);
    let outlet = outlet(&settings(|own| own.keep_alive = LONG), &Scripted::new(&[None]), &target);
    for _ in 0..2 {
        assert_eq!(post(&outlet, &target, "!").await, (Outcome::Delivered, Some(200)));
    }
    let (mut most, mut last) = (32, Instant::now());
    for _ in 0..10 {
        // On a busy machine a connection may be idle for longer than has been proven: then one tries, the others are new.
        if last.elapsed() > Duration::from_millis(400) {
            most += 32;
        }
        last = Instant::now();
        let round = futures_util::future::join_all((0..32).map(|_| post(&outlet, &target, "!"))).await;
        assert!(round.iter().all(|end| *end == (Outcome::Delivered, Some(200))), "{round:?}");
    }
    assert!(seen.get() <= most, "{} connections", seen.get());
}

/// A receiver that counts connections and says how long it keeps them.
#[actix_rt::test]
async fn a_receivers_keep_alive_is_respected() {
    for (fields, connections) in
        [("", 1), ("keep-alive: timeout=60\r\n", 1), ("keep-alive: timeout=0\r\n", 10), ("connection: close\r\n", 10)]
    {
        let seen = std::rc::Rc::new(std::cell::Cell::new(0));
        let counted = std::rc::Rc::clone(&seen);
        let response = format!("HTTP/1.1 200 X\r\n{fields}content-length: 0\r\n\r\n");
        let url = serve(move |mut connection| {
            counted.set(counted.get() + 1);
            let response = response.clone();
            async move {
                while request(&mut connection).await.is_some() {
                    let _ = connection.write_all(response.as_bytes()).await;
                }
            }
        })
        .await;
        let target = target(&url);
        let outlet =
            outlet(&settings(|own| own.keep_alive = Duration::from_secs(60)), &Scripted::new(&[None]), &target);
        for _ in 0..10 {
            assert_eq!(post(&outlet, &target, "!").await, (Outcome::Delivered, Some(200)));
        }
        assert_eq!(seen.get(), connections, "{fields:?}");
    }
}

/// A response without a length does not delay the attempt if the receiver keeps the connection open.
#[actix_rt::test]
async fn a_response_without_a_length_ends_with_its_head() {
    let url = serve(|mut connection| async move {
        while request(&mut connection).await.is_some() {
            let _ = connection.write_all(b"HTTP/1.1 200 X\r\n\r\n").await;
        }
    })
    .await;
    let target = target(&url);
    let outlet = outlet(&settings(|_| {}), &Scripted::new(&[None]), &target);
    let begun = Instant::now();
    for _ in 0..10 {
        assert_eq!(post(&outlet, &target, "!").await, (Outcome::Delivered, Some(200)));
    }
    assert!(begun.elapsed() < super::LONG);
}

/// A body is sent behind its head or beside it, by its size; what arrives is the same.
#[actix_rt::test]
async fn a_body_of_any_size_arrives_whole_and_once() {
    let (sender, mut arrived) = tokio::sync::mpsc::unbounded_channel();
    let url = serve(move |mut connection| {
        let sender = sender.clone();
        async move {
            let mut bytes = Vec::new();
            while let Some((begin, length)) = super::receiver::read_head(&mut connection, &mut bytes).await {
                if super::receiver::read_until(&mut connection, &mut bytes, begin + length).await.is_none() {
                    return;
                }
                let _ = sender.send(bytes.split_off(begin));
                bytes.clear();
                let _ = connection.write_all(b"HTTP/1.1 204 X\r\n\r\n").await;
            }
        }
    })
    .await;
    let target = target(&url);
    let outlet = outlet(&settings(|_| {}), &Scripted::new(&[None]), &target);
    for size in [0_usize, 1, 4_095, 4_096, 4_097, 100_000, 3_000_000] {
        let body: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        assert_eq!(post(&outlet, &target, body.clone()).await, (Outcome::Delivered, Some(204)), "{size}");
        assert!(arrived.recv().await.as_ref() == Some(&body), "{size}");
    }
    assert!(arrived.try_recv().is_err());
}
