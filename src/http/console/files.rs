//! The console's files: those compiled in, or those of a folder during development of the page.

use std::io::Read as _;
use std::path::Path;
use std::sync::LazyLock;

use actix_web::web::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use flate2::read::GzDecoder;
use sha2::{Digest as _, Sha256};

/// By name, compressed with gzip; empty if the console was not built.
static COMPILED_IN: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/console_files.rs"));

static BUILT: LazyLock<Vec<(&'static str, File)>> =
    LazyLock::new(|| COMPILED_IN.iter().map(|(name, gzip)| (*name, File::compressed(gzip))).collect());

/// One file.
#[derive(Debug, Clone)]
pub(super) struct File {
    /// Depends on the content of the file.
    pub(super) etag: String,
    pub(super) gzip: Option<Bytes>,
    plain: Option<Bytes>,
}

/// A file that is compiled in.
pub(super) fn built(name: &str) -> Option<File> {
    BUILT.iter().find(|(own, _)| *own == name).map(|(_, file)| file.clone())
}

/// A file of a folder, read each time. `name` is a name of the route table, never a path.
pub(super) fn read(dir: &Path, name: &str) -> Option<File> {
    std::fs::read(dir.join(name)).ok().map(File::of)
}

impl File {
    fn compressed(gzip: &'static [u8]) -> Self {
        Self { etag: etag(gzip), gzip: Some(Bytes::from_static(gzip)), plain: None }
    }

    /// A file that is sent uncompressed.
    pub(super) fn of(plain: Vec<u8>) -> Self {
        Self { etag: etag(&plain), gzip: None, plain: Some(plain.into()) }
    }

    /// The content of the file, for a client that does not accept gzip.
    pub(super) fn plain(&self) -> Bytes {
        let inflated = || {
            let mut plain = Vec::new();
            let gzip: &[u8] = self.gzip.as_deref().unwrap_or_default();
            let read = GzDecoder::new(gzip).read_to_end(&mut plain);
            read.map(|_| Bytes::from(plain)).unwrap_or_default()
        };
        self.plain.clone().unwrap_or_else(inflated)
    }
}

fn etag(content: &[u8]) -> String {
    format!("\"{}\"", BASE64.encode(&Sha256::digest(content)[..12]))
}
