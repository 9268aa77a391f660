//! Encodings and hashes: `url_encode`, `html`, `csv`, `base64`, `hex`, `sha256`, `md5`. All read the UTF-8 bytes of a
//! text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::Md5;
use sha2::{Digest, Sha256};

use super::super::args::{Args, HelperResult};
use super::super::escape::percent;
use super::{Helper, ResultKind};

const fn encoding(
    name: &'static str,
    description: &'static str,
    gives: ResultKind,
    example: &'static str,
    run: for<'a> fn(&mut Args<'_, 'a>) -> HelperResult<'a>,
) -> Helper {
    Helper::new(name, description, (1, 1), gives, example, run)
}

pub(super) static HELPERS: &[Helper] = &[
    encoding(
        "url_encode",
        "A text percent-encoded, for a part of a URL",
        ResultKind::Text,
        "{{url_encode guest.email}}",
        |args| map(args, percent::encoded),
    ),
    encoding("html", "A text that is safe in HTML", ResultKind::Html, "{{html message.text}}", |args| map(args, html)),
    encoding("csv", "A text as a field of a CSV row", ResultKind::Csv, "{{csv guest.name}}", |args| map(args, csv)),
    encoding("base64", "A text in base64", ResultKind::Text, "{{base64 guest.email}}", |args| {
        map(args, |text| BASE64.encode(text))
    }),
    encoding("hex", "A text's bytes as hexadecimal digits", ResultKind::Text, "{{hex guest.name}}", |args| {
        map(args, |text| hex(text.as_bytes()))
    }),
    encoding(
        "sha256",
        "The SHA-256 of a text as hexadecimal digits",
        ResultKind::Text,
        "{{sha256 (lower guest.email)}}",
        |args| map(args, |text| hex(&Sha256::digest(text))),
    ),
    encoding(
        "md5",
        "The MD5 of a text as hexadecimal digits",
        ResultKind::Text,
        "{{md5 (lower guest.email)}}",
        |args| map(args, |text| hex(&Md5::digest(text))),
    ),
];

/// Applies an encoding that writes at most six bytes for each byte.
fn map<'a>(args: &mut Args<'_, 'a>, make: fn(&str) -> String) -> HelperResult<'a> {
    let text = args.text(0)?;
    args.spend_bytes(text.len())?;
    args.made(make(&text))
}

fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// A field of a CSV row (RFC 4180). A field is also quoted if it has a semicolon or a tab, which some programs use as
/// separators, or white space at an end, which could be lost.
fn csv(text: &str) -> String {
    let special = |c: char| matches!(c, '"' | ',' | ';' | '\t' | '\r' | '\n');
    if text.contains(special) || text.trim().len() != text.len() {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
