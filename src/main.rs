//! The `posthaste` command.

use std::process::ExitCode;

/// Each event is a few dozen small allocations that one thread makes and another may free.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    posthaste::cli::run()
}
