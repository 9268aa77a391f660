//! The proxy that connections go through if `dispatch.proxy` is set: a tunnel by HTTP CONNECT (RFC 9110, section
//! 9.3.6). The proxy resolves names, so the node checks names, ports and literal addresses only, and the proxy itself
//! must refuse addresses that are not public.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::response::Response;
use crate::model::destination::Destination;

/// The proxy's address and credentials.
#[derive(Debug, Clone)]
pub(super) struct Proxy {
    pub(super) destination: Destination,
    authorization: Option<String>,
}

/// Why a text does not name a proxy.
#[derive(Debug, thiserror::Error)]
#[error("write it like http://proxy.example:3128 or http://user:password@proxy.example:3128")]
pub struct ProxyError;

impl Proxy {
    pub(super) fn new(text: &str) -> Result<Self, ProxyError> {
        let url = url::Url::parse(text).map_err(|_| ProxyError)?;
        if url.scheme() != "http" || url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(ProxyError);
        }
        let password = url.password().unwrap_or_default();
        let credentials = [url.username(), password].map(|part| percent_decode_str(part).decode_utf8_lossy());
        let [user, password] = &credentials;
        let authorization =
            (!user.is_empty()).then(|| format!("Basic {}", BASE64.encode(format!("{user}:{password}"))));
        Ok(Self { destination: Destination::of(&url).ok_or(ProxyError)?, authorization })
    }

    /// Requests a tunnel to the destination; false if the proxy refuses or closes the connection.
    pub(super) async fn open(&self, tcp: &mut TcpStream, to: &Destination) -> bool {
        let authority = format!("{}:{}", to.host, to.port);
        let mut request = format!("CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n");
        if let Some(authorization) = &self.authorization {
            request.push_str(&format!("proxy-authorization: {authorization}\r\n"));
        }
        request.push_str("\r\n");
        if tcp.write_all(request.as_bytes()).await.is_err() {
            return false;
        }
        let mut response = Response::new(0);
        let mut byte = [0];
        // Read exactly to the end of the head: what follows belongs to the receiver.
        while response.status().is_none() {
            match tcp.read(&mut byte).await {
                Ok(1) if response.feed(&byte).is_ok() => {}
                _ => return false,
            }
        }
        matches!(response.status(), Some(200..300))
    }
}
