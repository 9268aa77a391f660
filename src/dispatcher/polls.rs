//! Whether a future had to wait.

use std::future::poll_fn;
use std::pin::Pin;

/// The output of a future, and whether the future was pending before. The future is borrowed: an argument of its own size
/// would be stored a second time.
pub(super) async fn has_waited<F: Future>(mut future: Pin<&mut F>) -> (F::Output, bool) {
    let mut has_waited = false;
    let output = poll_fn(|context| {
        let poll = future.as_mut().poll(context);
        has_waited |= poll.is_pending();
        poll
    });
    let output = output.await;
    (output, has_waited)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[actix_rt::test]
    async fn it_says_whether_a_future_was_pending() {
        assert_eq!(has_waited(pin!(std::future::ready(1))).await, (1, false));
        assert_eq!(has_waited(pin!(tokio::task::yield_now())).await, ((), true));
    }
}
