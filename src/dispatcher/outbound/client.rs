//! How a POST leaves: the one place that connects sockets. The address guard sits between the
//! name's resolution and the socket, so no caller can forget it and no second resolution can
//! differ from the first. It never follows a redirect and never sends anything twice.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_service::Service;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection};
use awc::http::Uri;
use futures_util::future::LocalBoxFuture;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;

use crate::config::Dispatch;
use crate::model::destination::Destination;
use crate::model::egress::EgressRules;

/// None of the addresses that a name has may be dialled.
#[derive(Debug)]
pub(in crate::dispatcher) struct AddressRefused;

impl fmt::Display for AddressRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the host has no address that may be dialled")
    }
}

impl std::error::Error for AddressRefused {}

/// What all threads' clients have in common.
#[derive(Debug, Clone)]
pub struct Outbound {
    tls: Arc<ClientConfig>,
    egress: Arc<EgressRules>,
    connections: usize,
    keep_alive: Duration,
    attempt_timeout: Duration,
}

impl Outbound {
    /// Prepares TLS and the address guard. An error says which file of certificates is wrong and how.
    pub fn new(config: &Dispatch) -> Result<Self, String> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(file) = &config.ca_file {
            add_roots(&mut roots, file).map_err(|e| format!("dispatch.ca_file: {}: {e}", file.display()))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| format!("TLS can't be set up: {e}"))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            tls: Arc::new(tls),
            egress: Arc::new(config.egress.clone()),
            connections: config.connections_per_destination,
            keep_alive: config.keep_alive,
            attempt_timeout: config.attempt_timeout,
        })
    }

    /// A client of its own for a destination: awc's connection limit and its idle sockets belong to
    /// a client, and only its end frees them.
    pub(in crate::dispatcher) fn client(&self, resolver: &Rc<TokioResolver>, destination: &Destination) -> awc::Client {
        let connect = GuardedConnect {
            egress: Arc::clone(&self.egress),
            resolver: Rc::clone(resolver),
            destination: destination.clone(),
            timeout: self.attempt_timeout,
        };
        let connector = awc::Connector::new()
            .connector(connect)
            .rustls_0_23(Arc::clone(&self.tls))
            .limit(self.connections)
            .conn_keep_alive(self.keep_alive)
            // The attempt's own deadline is the one that counts.
            .timeout(self.attempt_timeout)
            .handshake_timeout(self.attempt_timeout);
        awc::Client::builder().connector(connector).disable_timeout().disable_redirects().no_default_headers().finish()
    }
}

fn add_roots(roots: &mut RootCertStore, file: &Path) -> Result<(), String> {
    let certificates = CertificateDer::pem_file_iter(file).map_err(|e| e.to_string())?;
    let mut added = 0;
    for certificate in certificates {
        roots.add(certificate.map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
        added += 1;
    }
    if added == 0 { Err("it holds no certificate".into()) } else { Ok(()) }
}

/// A resolver for the thread that calls. It answers from the hosts file and the system's name
/// servers, and keeps answers as long as they say.
pub(in crate::dispatcher) fn resolver() -> Result<TokioResolver, String> {
    let builder = TokioResolver::builder_tokio().unwrap_or_else(|error| {
        // As the C library does where there is no resolv.conf.
        tracing::warn!(%error, "no name servers are configured; using the one on this machine");
        let local = NameServerConfig::udp_and_tcp(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![local]);
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    });
    builder.build().map_err(|e| format!("names can't be resolved: {e}"))
}

/// Resolves, keeps the addresses that may be dialled, and connects to one of those.
#[derive(Clone)]
struct GuardedConnect {
    egress: Arc<EgressRules>,
    resolver: Rc<TokioResolver>,
    destination: Destination,
    timeout: Duration,
}

impl GuardedConnect {
    async fn connect(self) -> Result<TcpStream, ConnectError> {
        let addresses = self.addresses().await?;
        let judged = addresses.into_iter().filter(|a| self.egress.judge_address(&self.destination.host, *a).is_ok());
        let permitted: Vec<IpAddr> = judged.collect();
        if permitted.is_empty() {
            return Err(ConnectError::Resolver(Box::new(AddressRefused)));
        }
        // Each address has its share of the time, so that a dead one leaves some for the next.
        let share = self.timeout / u32::try_from(permitted.len()).unwrap_or(u32::MAX);
        let mut last = io::Error::from(io::ErrorKind::TimedOut);
        for address in permitted {
            let connecting = TcpStream::connect(SocketAddr::new(address, self.destination.port));
            match tokio::time::timeout(share, connecting).await {
                Ok(Ok(stream)) => {
                    // A small request must not wait for the answer to the one before.
                    stream.set_nodelay(true).map_err(ConnectError::Io)?;
                    return Ok(stream);
                }
                Ok(Err(error)) => last = error,
                Err(_) => last = io::Error::from(io::ErrorKind::TimedOut),
            }
        }
        Err(ConnectError::Io(last))
    }

    async fn addresses(&self) -> Result<Vec<IpAddr>, ConnectError> {
        let host = self.destination.host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let found = self.resolver.lookup_ip(host).await;
        let found = found.map_err(|error| ConnectError::Resolver(Box::new(error)))?;
        Ok(found.iter().collect())
    }
}

impl Service<ConnectInfo<Uri>> for GuardedConnect {
    type Response = Connection<Uri, TcpStream>;
    type Error = ConnectError;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&self, request: ConnectInfo<Uri>) -> Self::Future {
        let connect = self.clone().connect();
        let uri = request.request().clone();
        Box::pin(async move { Ok(Connection::new(uri, connect.await?)) })
    }
}
