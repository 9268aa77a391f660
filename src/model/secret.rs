//! Signing secrets, as the Standard Webhooks specification defines them.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// A signing secret, as the Standard Webhooks specification writes it: `whsec_` and the base64
/// of 24 to 64 bytes. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<[u8]>);

impl Secret {
    /// Reads `whsec_…`.
    pub fn new(text: &str) -> Result<Self, &'static str> {
        const CURE: &str = "a secret is whsec_ and the base64 of 24 to 64 random bytes";
        let bytes = text
            .strip_prefix("whsec_")
            .and_then(|rest| BASE64.decode(rest).ok())
            .filter(|bytes| (24..=64).contains(&bytes.len()));
        bytes.map(|bytes| Self(bytes.into())).ok_or(CURE)
    }

    /// The key of the signature's HMAC.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As the store keeps it.
    pub fn to_text(&self) -> String {
        format!("whsec_{}", BASE64.encode(&self.0))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}
