//! The signals that stop a process: SIGTERM, SIGINT, and SIGHUP, which a closed terminal and
//! `systemctl reload` send. All three drain.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM, SIGINT and SIGHUP, in the order of their arrival.
pub(super) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    /// `None` where the process was started to outlive its terminal, as `nohup` does.
    hangup: Option<Signal>,
}

impl StopSignals {
    /// Listens from now on. A signal that arrives later never finds its default action, which
    /// ends the process without a drain.
    pub(super) fn new() -> io::Result<Self> {
        let hangup = if is_hangup_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())?, hangup })
    }

    /// Waits for the next one and names it.
    pub(super) async fn next(&mut self) -> &'static str {
        let hangup = async {
            match &mut self.hangup {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = hangup => "SIGHUP",
        }
    }
}

/// Waits for the first of them and names it.
pub(super) fn stop_signal() -> io::Result<impl Future<Output = &'static str>> {
    let mut signals = StopSignals::new()?;
    Ok(async move { signals.next().await })
}

/// A handler would take the place of "ignore", which is the reason why `nohup` works.
fn is_hangup_ignored() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hangup(&status))
}

/// Reads the mask of ignored signals in `/proc/PID/status`, where SIGHUP is the lowest bit.
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::ignores_hangup;

    #[test]
    fn the_mask_tells_what_nohup_set() {
        for (status, expected) in [
            ("Name:\tp\nSigIgn:\t0000000000001001\nSigCgt:\t0\n", true),
            ("Name:\tp\nSigIgn:\t0000000000001000\nSigCgt:\t1\n", false),
            ("SigIgn:\tx\n", false),
            ("", false),
        ] {
            assert_eq!(ignores_hangup(status), expected, "{status}");
        }
    }
}
