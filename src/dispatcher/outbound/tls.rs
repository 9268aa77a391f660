//! TLS towards receivers: version 1.2 or later, HTTP/1.1 only, the public certificate authorities and those that the
//! operator adds, and the node's own certificate if it has one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::records::RecordTransport;
use super::socket::Socket;
use crate::config::Dispatch;
use crate::model::destination::Destination;
use crate::model::outcome::Outcome;

/// Why TLS can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file of certificate authorities.
    #[error("dispatch.ca_file: {}: {source}", file.display())]
    Authorities {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: CertificateError,
    },
    /// The node's own certificate or its key.
    #[error("dispatch.client_certificate: {}: {source}", file.display())]
    ClientCertificate {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: CertificateError,
    },
    /// An error of the TLS library.
    #[error("TLS can't be set up: {0}")]
    Library(#[from] rustls::Error),
}

/// Why a file of certificates can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// It is not PEM, or can't be read.
    #[error(transparent)]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// It has no certificate.
    #[error("it holds no certificate")]
    Empty,
    /// It has no private key.
    #[error("no private key: {0}")]
    NoKey(rustls::pki_types::pem::Error),
    /// A certificate or the key is not valid.
    #[error(transparent)]
    Invalid(#[from] rustls::Error),
}

/// Prepares TLS for all connections of the node.
pub(super) fn config(settings: &Dispatch) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(file) = &settings.ca_file {
        add_roots(&mut roots, file).map_err(|source| TlsError::Authorities { file: file.clone(), source })?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = builder.with_root_certificates(roots);
    let mut tls = match &settings.client_certificate {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let refused = |source| TlsError::ClientCertificate { file: file.clone(), source };
            let (chain, key) = own_certificate(file).map_err(refused)?;
            builder.with_client_auth_cert(chain, key).map_err(|error| refused(error.into()))?
        }
    };
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(tls))
}

fn add_roots(roots: &mut RootCertStore, file: &Path) -> Result<(), CertificateError> {
    for certificate in certificates(file)? {
        roots.add(certificate)?;
    }
    Ok(())
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let certificates = CertificateDer::pem_file_iter(file)?.collect::<Result<Vec<_>, _>>()?;
    if certificates.is_empty() { Err(CertificateError::Empty) } else { Ok(certificates) }
}

fn own_certificate(file: &Path) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), CertificateError> {
    let key = PrivateKeyDer::from_pem_file(file).map_err(CertificateError::NoKey)?;
    Ok((certificates(file)?, key))
}

/// Makes the handshake. An error of the connection during the handshake counts as one of TLS.
pub(super) async fn handshake(
    config: &Arc<ClientConfig>,
    destination: &Destination,
    tcp: TcpStream,
) -> Result<Socket, Outcome> {
    // Certificates name a host without the dot at its end.
    let host = destination.bare_host().trim_end_matches('.').to_owned();
    let name = ServerName::try_from(host).map_err(|_| Outcome::Tls)?;
    let connected = TlsConnector::from(Arc::clone(config)).connect(name, RecordTransport(tcp)).await;
    connected.map(|tls| Socket::Tls(Box::new(tls))).map_err(|_| Outcome::Tls)
}
