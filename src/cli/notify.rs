//! Tells a service manager that the node is ready or stopping (the protocol of sd_notify(3)). Without one nothing happens.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// What is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServiceState {
    /// The start is complete.
    Ready,
    /// The node drains and ends.
    Stopping,
}

impl ServiceState {
    fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Ready => b"READY=1",
            Self::Stopping => b"STOPPING=1",
        }
    }
}

/// Reports it to the service manager that `NOTIFY_SOCKET` names, if there is one.
pub(super) fn notify(state: ServiceState) {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return };
    if let Err(error) = send(name.as_bytes(), state) {
        tracing::warn!(%error, "the service manager could not be notified that the node is {state:?}");
    }
}

/// A name that begins with `@` is an abstract address; any other is a path.
fn send(name: &[u8], state: ServiceState) -> std::io::Result<()> {
    let address = match name.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name))?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_manager_is_notified_by_path_and_by_abstract_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let abstract_name = format!("posthaste-{}", crate::model::id::new_id());
        let by_path = UnixDatagram::bind(&path).expect("a socket");
        let address = SocketAddr::from_abstract_name(&abstract_name).expect("a name");
        let by_name = UnixDatagram::bind_addr(&address).expect("a socket");
        let mut heard = [0; 32];
        send(path.as_os_str().as_bytes(), ServiceState::Ready).expect("sent");
        assert_eq!(by_path.recv(&mut heard).map(|length| heard[..length].to_vec()).expect("heard"), b"READY=1");
        send(format!("@{abstract_name}").as_bytes(), ServiceState::Stopping).expect("sent");
        assert_eq!(by_name.recv(&mut heard).map(|length| heard[..length].to_vec()).expect("heard"), b"STOPPING=1");
        assert!(send(b"/nowhere/at/all", ServiceState::Ready).is_err());
    }
}
