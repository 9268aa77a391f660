//! TLS towards receivers: version 1.2 or later, HTTP/1.1 only, the public certificate authorities and those that the
//! operator adds, and the node's own certificate if it has one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject as _};
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
    #[error("{} {source}; name a file of certificate authorities in PEM", file.display())]
    Authorities {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: CertificateError,
    },
    /// The node's own certificate or its key.
    #[error(
        "{} {source}; name a file in PEM with the node's certificate, those that sign it, and its private key",
        file.display()
    )]
    ClientCertificate {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: CertificateError,
    },
}

/// Why a file of certificates can't be used. The parser's own words could show bytes of the file.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// It is not there, or may not be read.
    #[error("can't be read: {0}")]
    Unreadable(io::Error),
    /// Its PEM has a mistake.
    #[error("is not well-formed PEM")]
    NotPem,
    /// It has no certificate.
    #[error("holds no certificate")]
    Empty,
    /// It has no private key.
    #[error("holds no private key")]
    NoKey,
    /// A certificate or the key is not valid.
    #[error("holds a certificate or key that can't be used ({0})")]
    Invalid(#[from] rustls::Error),
}

impl From<pem::Error> for CertificateError {
    fn from(error: pem::Error) -> Self {
        match error {
            pem::Error::Io(error) => Self::Unreadable(error),
            _ => Self::NotPem,
        }
    }
}

impl TlsError {
    pub(super) fn setting(&self) -> &'static str {
        match self {
            Self::Authorities { .. } => "dispatch.ca_file",
            Self::ClientCertificate { .. } => "dispatch.client_certificate",
        }
    }
}

/// Prepares TLS for all connections of the node, or finds every mistake in its settings.
pub(super) fn config(settings: &Dispatch) -> Result<Arc<ClientConfig>, Vec<TlsError>> {
    let mut errors = Vec::new();
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(file) = &settings.ca_file
        && let Err(source) = add_roots(&mut roots, file)
    {
        errors.push(TlsError::Authorities { file: file.clone(), source });
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.expect("the library's own provider has its own versions").with_root_certificates(roots);
    let tls = match &settings.client_certificate {
        None => Some(builder.with_no_client_auth()),
        Some(file) => {
            let own = own_certificate(file);
            let tls = own.and_then(|(chain, key)| Ok(builder.with_client_auth_cert(chain, key)?));
            tls.map_err(|source| errors.push(TlsError::ClientCertificate { file: file.clone(), source })).ok()
        }
    };
    match tls {
        Some(mut tls) if errors.is_empty() => {
            tls.alpn_protocols = vec![b"http/1.1".to_vec()];
            Ok(Arc::new(tls))
        }
        _ => Err(errors),
    }
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
    let chain = certificates(file)?;
    let key = PrivateKeyDer::from_pem_file(file).map_err(|error| match error {
        pem::Error::NoItemsFound => CertificateError::NoKey,
        error => error.into(),
    })?;
    Ok((chain, key))
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
