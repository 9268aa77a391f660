//! `[quotas]`: what one account may keep.

use super::reader::SettingsReader;
use crate::model::headers::HEADERS_MAX;
use crate::model::quotas::Quotas;
use crate::model::secret::SECRETS_MAX;

pub(super) fn read(reader: &mut SettingsReader) -> Quotas {
    Quotas {
        triggers: reader.number("quotas.triggers_per_account", 0..=100_000_000),
        templates: reader.number("quotas.templates_per_account", 0..=100_000_000),
        bytes: reader.number("quotas.bytes_per_account", 0..=1 << 40),
        filter_bytes: reader.number("quotas.filter_bytes_max", 2..=1 << 20),
        headers: reader.number("quotas.headers_per_trigger", 0..=HEADERS_MAX as i64),
        secrets: reader.number("quotas.secrets_per_trigger", 0..=SECRETS_MAX as i64),
    }
}
