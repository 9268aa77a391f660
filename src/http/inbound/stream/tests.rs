//! Turns of connections that send or receive much.

use std::future::poll_fn;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;

use super::super::client_connection::ServerContext;
use super::*;
use crate::flow::probe::soon;

const BODY: usize = 200_000;

/// A stream, and its client.
pub(in super::super) async fn connected() -> (InboundStream, TcpStream) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("a connection");
    let (socket, peer) = listener.accept().await.expect("a connection");
    let shared = ServerContext::for_test(10, watch::channel(false).1);
    let connections = ThreadConnections::start(&shared);
    let connection = connections.accept(peer.ip()).expect("room");
    let limits = HeadLimits { bytes: 32 << 10, fields: 96 };
    (InboundStream::new(socket, limits, connection, connections), client)
}

#[actix_rt::test]
async fn other_tasks_have_their_turn_while_a_client_sends_much() {
    let (mut stream, mut client) = connected().await;
    let head = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {BODY}\r\n\r\n");
    let whole = head.len() + BODY;
    actix_rt::spawn(async move {
        client.write_all(&[head.as_bytes(), &[b'x'; BODY]].concat()).await.expect("it is read");
        std::future::pending::<()>().await;
    });
    let (mut all, mut turns) = (0, 0);
    let mut room = vec![0; 8 << 10];
    while all < whole {
        let turn = poll_fn(|context| {
            let mut read = 0;
            loop {
                let mut out = ReadBuf::new(&mut room);
                match Pin::new(&mut stream).poll_read(context, &mut out) {
                    Poll::Ready(done) => done.expect("no failure"),
                    Poll::Pending if read == 0 => return Poll::Pending,
                    Poll::Pending => return Poll::Ready(read),
                }
                read += out.filled().len();
                if all + read == whole {
                    return Poll::Ready(read);
                }
            }
        });
        let read = soon(turn).await;
        assert!(read < TURN_BYTES + room.len(), "{read} at a time");
        (all, turns) = (all + read, turns + 1);
    }
    assert!(turns >= BODY / (TURN_BYTES + room.len()), "{turns}");
}

#[actix_rt::test]
async fn other_tasks_have_their_turn_while_much_is_written() {
    let (mut stream, mut client) = connected().await;
    let whole = vec![b'x'; 1 << 20];
    let reading = actix_rt::spawn(async move {
        let mut all = Vec::new();
        client.read_to_end(&mut all).await.expect("it is sent");
        all.len()
    });
    let (mut all, mut turns) = (0, 0);
    while all < whole.len() {
        let turn = poll_fn(|context| {
            let before = all;
            while all < whole.len() {
                match Pin::new(&mut stream).poll_write(context, &whole[all..]) {
                    Poll::Ready(done) => all += done.expect("no failure"),
                    Poll::Pending if all == before => return Poll::Pending,
                    Poll::Pending => break,
                }
            }
            Poll::Ready(all - before)
        });
        let written = soon(turn).await;
        assert!(written <= 2 * TURN_BYTES, "{written} at a time");
        turns += 1;
    }
    assert!(turns >= whole.len() / (2 * TURN_BYTES), "{turns}");
    drop(stream);
    assert_eq!(soon(reading).await.expect("no panic"), whole.len());
}

/// A client whose heads are each complete in time is not slow, however they are cut.
#[actix_rt::test]
async fn each_head_has_its_own_time() {
    let (mut stream, mut client) = connected().await;
    let mut since = Vec::new();
    for piece in ["GET / HTTP/1.1\r\n\r\nGET", " / HTTP/1.1\r\n\r\nG", "ET / HTTP/1.1\r\n\r\nGE"] {
        client.write_all(piece.as_bytes()).await.expect("sent");
        soon(stream.read(&mut [0; 256])).await.expect("a head");
        since.push(stream.connection().head_since().expect("a part of a head is held"));
    }
    assert!(since.is_sorted_by(|a, b| a < b), "{since:?}");
}
