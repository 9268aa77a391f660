//! The connections of one destination. The HTTP client's connector makes them and bounds their number. Between two
//! deliveries they are kept here, and not by the client: for each request, the client makes two buffers of 8 kB, a codec
//! with a clock of its own that has a task and a timer, and parses the response's head a second time.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};

/// The stream writes the attempt's request in place of these bytes.
const PLACEHOLDER: &[u8] = b"POST";
/// The short response is read in pieces of this size.
const ANSWER_BYTES: usize = 64;
/// How long an orderly close of a TLS connection may take.
pub(super) const CLOSED_WITHIN: Duration = Duration::from_secs(1);

trait PooledStream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> PooledStream for T {}

type BoxedStream = Box<dyn PooledStream>;
type ConnectFuture = LocalBoxFuture<'static, Option<BoxedStream>>;

/// The connections of one destination.
pub(super) struct ConnectionPool {
    connect: Box<dyn Fn() -> ConnectFuture>,
    closes_orderly: bool,
    /// The one that was used last is at the back, and is used first.
    idle: RefCell<VecDeque<BoxedStream>>,
}

impl ConnectionPool {
    /// `connect` makes a connection, or none where the attempt's progress says why. `closes_orderly`: the end of each is
    /// announced, within [`CLOSED_WITHIN`].
    pub(super) fn new<F, C>(connect: impl Fn() -> F + 'static, closes_orderly: bool) -> Self
    where
        F: Future<Output = Option<C>> + 'static,
        C: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let connect = move || -> ConnectFuture {
            let connecting = connect();
            Box::pin(async move { Some(Box::new(connecting.await?) as BoxedStream) })
        };
        Self { connect: Box::new(connect), closes_orderly, idle: RefCell::default() }
    }

    /// Has the current attempt's request written, and its response read. The result is in the attempt's progress.
    pub(super) async fn exchange(&self, closes: bool) -> io::Result<()> {
        let mut carrier = match self.take() {
            Some(carrier) => carrier,
            None => (self.connect)().await.ok_or(io::ErrorKind::NotConnected)?,
        };
        carrier.write_all(PLACEHOLDER).await?;
        carrier.flush().await?;
        let reusable = read_response(&mut carrier).await? && !closes;
        if reusable {
            self.idle.borrow_mut().push_back(carrier);
        } else {
            self.close(carrier);
        }
        self.close_unusable();
        Ok(())
    }

    fn take(&self) -> Option<BoxedStream> {
        loop {
            let mut carrier = self.idle.borrow_mut().pop_back()?;
            if is_usable(&mut carrier) {
                return Some(carrier);
            }
            self.close(carrier);
        }
    }

    /// Closes those that were idle for too long.
    fn close_unusable(&self) {
        let unusable = |idle: &mut VecDeque<BoxedStream>| {
            if idle.front_mut().is_some_and(|carrier| !is_usable(carrier)) { idle.pop_front() } else { None }
        };
        while let Some(carrier) = unusable(&mut self.idle.borrow_mut()) {
            self.close(carrier);
        }
    }

    fn close(&self, mut carrier: BoxedStream) {
        if self.closes_orderly {
            actix_rt::spawn(async move {
                // A receiver that does not respond to the close is not waited for longer.
                let _ = tokio::time::timeout(CLOSED_WITHIN, carrier.shutdown()).await;
            });
        }
    }
}

/// Reads the short response to its end. Returns whether the connection can be used again.
async fn read_response(carrier: &mut BoxedStream) -> io::Result<bool> {
    let mut responded = false;
    poll_fn(|cx| {
        loop {
            match poll_read(carrier, cx)? {
                Poll::Ready(0) => return Poll::Ready(Ok(false)),
                Poll::Ready(_) => responded = true,
                Poll::Pending if responded => return Poll::Ready(Ok(true)),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await
}

/// An idle connection has nothing to read; an end of file means that it may not be used again.
fn is_usable(carrier: &mut BoxedStream) -> bool {
    matches!(poll_read(carrier, &mut Context::from_waker(Waker::noop())), Ok(Poll::Pending))
}

fn poll_read(carrier: &mut BoxedStream, cx: &mut Context<'_>) -> io::Result<Poll<usize>> {
    let mut bytes = [0; ANSWER_BYTES];
    let mut buffer = ReadBuf::new(&mut bytes);
    Ok(match Pin::new(carrier).poll_read(cx, &mut buffer) {
        Poll::Ready(read) => Poll::Ready(read.map(|()| buffer.filled().len())?),
        Poll::Pending => Poll::Pending,
    })
}
