//! The budget of file descriptors. The process's limit is divided between incoming connections, outgoing connections,
//! and all other uses, so that no kind of connection can use up what another needs. Knows no socket.

use std::io;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Resource, getrlimit};

/// The least that is reserved for other uses: the store's files, Redis, name servers, standard streams.
const RESERVE_MIN: usize = 64;
/// The most that is reserved. Nodes with the most streams and threads use fewer.
const RESERVE_MAX: usize = 1_536;
/// The system's table is made this large at most, a megabyte of its memory.
const TABLE_MAX: usize = 1 << 17;

/// How many descriptors each use may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptors {
    /// Connections from clients.
    pub incoming: usize,
    /// Connections to destinations.
    pub outgoing: usize,
    /// All other uses.
    pub reserve: usize,
}

impl Descriptors {
    /// Divides this process's limit of open files. See [`Self::divide`].
    pub fn of_process(connections_max: usize) -> Self {
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        Self::divide(usize::try_from(limit).unwrap_or(usize::MAX), connections_max)
    }

    /// Divides a limit. The reserve is one eighth, within its bounds. Clients get at most `connections_max` and at most
    /// half of the rest; destinations get what is left.
    pub fn divide(limit: usize, connections_max: usize) -> Self {
        let reserve = (limit / 8).clamp(RESERVE_MIN, RESERVE_MAX);
        let rest = limit.saturating_sub(reserve);
        let incoming = connections_max.min(rest / 2).max(1);
        let outgoing = rest.saturating_sub(incoming).max(1);
        Self { incoming, outgoing, reserve }
    }

    /// Has the system make its table of descriptors as large as the budget. Linux doubles a table that is full, and with
    /// several threads it waits until no processor uses the old one (`expand_files` of fs/file.c). That takes tens of
    /// milliseconds on a busy machine, in which a thread neither accepts nor connects.
    pub fn make_table(self) -> io::Result<()> {
        let all = self.incoming.saturating_add(self.outgoing).saturating_add(self.reserve);
        let highest = all.min(TABLE_MAX).saturating_sub(1);
        let (end, _other) = io::pipe()?;
        fcntl_dupfd_cloexec(&end, i32::try_from(highest).unwrap_or(i32::MAX))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_table_is_as_large_as_the_budget() {
        let size = || {
            let status = std::fs::read_to_string("/proc/self/status").expect("it is there");
            let size = status.lines().find_map(|line| line.strip_prefix("FDSize:")?.trim().parse::<usize>().ok());
            size.expect("a number")
        };
        let all = getrlimit(Resource::Nofile).current.map_or(TABLE_MAX, |limit| limit as usize).min(TABLE_MAX);
        Descriptors::of_process(100).make_table().expect("there is a free descriptor");
        assert!(size() >= all, "{} of {all}", size());
    }

    #[test]
    fn each_use_has_its_part() {
        for (limit, connections_max, incoming, outgoing, reserve) in [
            (20_000, 10_000, 9_232, 9_232, 1_536),
            (1_024, 10_000, 448, 448, 128),
            (1_048_576, 10_000, 10_000, 1_037_040, 1_536),
            (256, 8, 8, 184, 64),
            // Too few for all uses: each still gets one.
            (10, 10_000, 1, 1, 64),
        ] {
            let expected = Descriptors { incoming, outgoing, reserve };
            assert_eq!(Descriptors::divide(limit, connections_max), expected, "{limit} {connections_max}");
        }
    }
}
