//! `posthaste receive`: prints each POST that arrives, until a signal. It never sends anything and keeps nothing.

mod receipt;
mod receiver;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::print::{complain, counted, is_output_closed, report, say, say_exactly};
use super::{ReceiveArguments, signals};

pub(super) use receipt::ReceivedPost;
pub(super) use receiver::{Behaviour, PostCallback, Receiver};

/// Prints what arrives.
pub(super) fn run(arguments: &ReceiveArguments) -> ExitCode {
    actix_rt::System::new().block_on(async {
        let stop = match signals::stop_signal() {
            Ok(stop) => stop,
            Err(error) => {
                complain(&format!("signals can't be received: {error}"));
                return ExitCode::FAILURE;
            }
        };
        let output_closed = Arc::new(Notify::new());
        let behaviour = Behaviour {
            status: arguments.status,
            delay: Duration::from_millis(arguments.delay_ms),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        };
        let receiver = match Receiver::start(arguments.listen, behaviour, show(arguments, &output_closed)) {
            Ok(receiver) => receiver,
            Err(error) => {
                complain(&format!("can't listen on {}: {error}", arguments.listen));
                return ExitCode::FAILURE;
            }
        };
        let listening = format!("listening on http://{}", receiver.address());
        if arguments.json {
            report(&listening)
        } else {
            say(&listening)
        }
        tokio::select! {
            _ = stop => {}
            () = output_closed.notified() => {}
        }
        let received = receiver.stop().await;
        match (arguments.quiet, arguments.json) {
            (true, true) => say_exactly(&format!("{{\"received\":{received}}}")),
            (true, false) => say(&format!("received {}", counted(received, "POST"))),
            (false, _) => {}
        }
        ExitCode::SUCCESS
    })
}

/// Prints each POST. Ends the command once its output is closed.
fn show(arguments: &ReceiveArguments, output_closed: &Arc<Notify>) -> Option<PostCallback> {
    if arguments.quiet {
        return None;
    }
    let (json, output_closed) = (arguments.json, Arc::clone(output_closed));
    Some(Arc::new(move |receipt: ReceivedPost| {
        if json {
            say_exactly(&receipt.json().to_string())
        } else {
            say(&format!("{}\n", receipt.text()))
        }
        if is_output_closed() {
            output_closed.notify_one();
        }
    }))
}
