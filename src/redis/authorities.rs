//! Reads the file of certificate authorities (PEM) that Redis is checked against. The client library accepts a file
//! without any and then trusts no server; here that is a mistake.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::AddressError;

/// The most bytes of a file: all public authorities together are less than half a megabyte.
const BYTES_MAX: u64 = 8 << 20;

/// The bytes of a file, each certificate of which can be trusted.
pub(super) fn read(file: &Path) -> Result<Vec<u8>, AddressError> {
    let pem = bytes(file).map_err(AuthorityError::from);
    let checked = pem.and_then(|pem| check(&pem).map(|()| pem));
    checked.map_err(|detail| AddressError {
        setting: "store.ca_file",
        detail: format!("{} {detail}; name a file of certificate authorities in PEM", file.display()),
    })
}

fn bytes(file: &Path) -> io::Result<Vec<u8>> {
    let mut pem = Vec::new();
    File::open(file)?.take(BYTES_MAX + 1).read_to_end(&mut pem)?;
    if pem.len() as u64 > BYTES_MAX {
        return Err(io::Error::other(format!("it has more than {BYTES_MAX} bytes, which is the most")));
    }
    Ok(pem)
}

/// Why a file's content can't be used. The parser's own words could show bytes of the file, which may be another one
/// than was meant.
#[derive(Debug, thiserror::Error)]
enum AuthorityError {
    #[error("can't be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("is not well-formed PEM")]
    NotPem,
    #[error("holds a certificate that can't be used ({0})")]
    Certificate(rustls::Error),
    #[error("holds no certificate")]
    Empty,
}

fn check(pem: &[u8]) -> Result<(), AuthorityError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| AuthorityError::NotPem)?;
        roots.add(certificate).map_err(AuthorityError::Certificate)?;
    }
    if roots.is_empty() { Err(AuthorityError::Empty) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_no_authority_is_refused_and_not_repeated() {
        let begin = "-----BEGIN CERTIFICATE-----";
        let end = "-----END CERTIFICATE-----";
        for (text, expected) in [
            (String::new(), "holds no certificate"),
            ("junk hunter2".to_owned(), "holds no certificate"),
            ("-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----".to_owned(), "holds no certificate"),
            (format!("{begin}\nhunter2"), "is not well-formed PEM"),
            (format!("{begin}\n!hunter2!\n{end}\n"), "is not well-formed PEM"),
            (format!("{begin}\naHVudGVyMg==\n{end}\n"), "holds a certificate that can't be used"),
        ] {
            let error = check(text.as_bytes()).expect_err(&text).to_string();
            assert!(error.contains(expected) && !error.contains("hunter2"), "{text}: {error}");
        }
    }

    #[test]
    fn a_missing_or_too_large_file_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let long = folder.path().join("long");
        File::create(&long).and_then(|file| file.set_len(BYTES_MAX + 1)).expect("a file");
        for (path, expected) in [
            (folder.path().join("none"), "can't be read: No such file"),
            (folder.path().to_owned(), "can't be read: Is a directory"),
            (long, "can't be read: it has more than 8388608 bytes"),
        ] {
            let error = read(&path).expect_err(expected).to_string();
            let begin = format!("store.ca_file: {} {expected}", path.display());
            assert!(error.starts_with(&begin) && error.ends_with("in PEM"), "{error}");
        }
    }
}
