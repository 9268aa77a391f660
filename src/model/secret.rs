//! Signing secrets, as the Standard Webhooks specification defines them. A trigger has several during a rotation.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// The most secrets of one trigger: each costs a signature of every delivery.
pub const SECRETS_MAX: usize = 8;

/// The prefix of every secret.
const PREFIX: &str = "whsec_";
/// What a secret is, as a regular expression for the documents of the interface: the base64 of 24 to 64 bytes.
pub const SECRET_PATTERN: &str = concat!(
    "^whsec_([A-Za-z0-9+/]{4}){8,20}",
    "([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=|[A-Za-z0-9+/]{4}([A-Za-z0-9+/][AQgw]==)?)?$"
);
/// The same for its name.
pub const SECRET_ID_PATTERN: &str = "^sec_[0-9a-f]{16}$";
/// The random bytes of a generated secret.
const RANDOM_BYTES: usize = 32;

/// A signing secret: its key, which is never shown, and when it ends.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    key: Arc<[u8]>,
    /// It does not sign from this time on; `None`: it does not expire.
    pub until: Option<Timestamp>,
}

/// The text is not a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret is {PREFIX} and the base64 of 24 to 64 random bytes")]
pub struct SecretError;

impl Secret {
    /// Reads `whsec_…`. It does not expire.
    pub fn new(text: &str) -> Result<Self, SecretError> {
        let key = text.strip_prefix(PREFIX).and_then(|rest| BASE64.decode(rest).ok());
        let key = key.filter(|key| (24..=64).contains(&key.len())).ok_or(SecretError)?;
        Ok(Self { key: key.into(), until: None })
    }

    /// The same secret with this expiry, or without one.
    pub fn with_end(self, until: Option<Timestamp>) -> Self {
        Self { until, ..self }
    }

    /// Generates a secret.
    pub fn make() -> Result<Self, getrandom::Error> {
        let mut key = [0; RANDOM_BYTES];
        getrandom::fill(&mut key)?;
        Ok(Self { key: key.as_slice().into(), until: None })
    }

    /// The key of the signature's HMAC.
    pub fn as_bytes(&self) -> &[u8] {
        &self.key
    }

    /// The text that the store keeps.
    pub fn to_text(&self) -> String {
        format!("{PREFIX}{}", BASE64.encode(&self.key))
    }

    /// Its name in interfaces: the same for the same key, and it does not reveal the key.
    pub fn id(&self) -> String {
        let digest = Sha256::new().chain_update(b"posthaste secret id\0").chain_update(&self.key).finalize();
        let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        format!("sec_{number:016x}")
    }

    /// Whether it signs at this time, in seconds since 1970.
    pub fn is_valid_at(&self, unix_seconds: u64) -> bool {
        self.until.is_none_or(|until| i64::try_from(unix_seconds).is_ok_and(|now| until.as_second() > now))
    }

    /// Sets this expiry, unless it expires earlier.
    pub fn end_by(&mut self, time: Timestamp) {
        self.until = Some(self.until.map_or(time, |until| until.min(time)));
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({}, until {:?})", self.id(), self.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_read_made_and_ended() {
        for bad in ["", "x", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_*"] {
            assert_eq!(Secret::new(bad), Err(SecretError), "{bad}");
        }
        let mut made = Secret::make().expect("randomness");
        let read = Secret::new(&made.to_text()).expect("what was made");
        assert_eq!((read.id(), &read), (made.id(), &made));
        assert_ne!(made.id(), Secret::make().expect("randomness").id());
        assert!(made.is_valid_at(u64::MAX / 4));
        made.end_by(Timestamp::from_second(100).expect("a time"));
        made.end_by(Timestamp::from_second(200).expect("a time"));
        assert!(made.is_valid_at(99) && !made.is_valid_at(100), "an earlier end stays");
        assert!(!format!("{made:?}").contains(&made.to_text()[PREFIX.len()..]));
    }
}
