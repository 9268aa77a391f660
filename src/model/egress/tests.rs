//! Which addresses, hosts and ports may be dialled.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::address::{CLOUD_METADATA, GLOBAL_UNICAST, NOT_PUBLIC_V4, NOT_PUBLIC_V6, contains_v4, contains_v6};
use super::*;
use crate::model::url::TriggerUrl;

fn rules(networks: &[&str], hosts: &[&str], ports: &[u16]) -> EgressRules {
    EgressRules {
        allow_networks: networks.iter().map(|network| network.parse().expect("a network")).collect(),
        allow_hosts: hosts.iter().map(|host| HostPattern::new(host).expect("a pattern")).collect(),
        allow_ports: ports.to_vec(),
        nat64_prefixes: Vec::new(),
    }
}

fn permits(rules: &EgressRules, address: impl Into<IpAddr>) -> bool {
    rules.check_address("h.example", address.into()).is_ok()
}

/// What the rules say of a URL that a trigger could have.
fn check(rules: &EgressRules, url: &str) -> Result<(), EgressRefused> {
    let url = TriggerUrl::new(url).unwrap_or_else(|error| panic!("{url}: {error}"));
    rules.check(&url.destination)
}

fn v6(text: &str) -> Ipv6Addr {
    text.parse().expect("an address")
}

/// Every form in which an IPv6 address holds an IPv4 address and is refused whatever that is.
fn refused_forms(inner: Ipv4Addr) -> Vec<Ipv6Addr> {
    let bits = u128::from(inner.to_bits());
    let forms = [
        bits,
        0xffff_0000 << 32 | bits,
        0x2002 << 112 | bits << 80 | 1,
        0x2001_0000 << 96 | bits << 64 | u128::from(!Ipv4Addr::new(8, 8, 8, 8).to_bits()),
        0x2001_0000 << 96 | 0x0808_0808 << 64 | u128::from(!inner.to_bits()),
        0x2a00_1450 << 96 | 0x0000_5efe << 32 | bits,
        0x2a00_1450 << 96 | 0x0200_5efe << 32 | bits,
        0xfe80 << 112 | 0x0200_5efe << 32 | bits,
        0x0064_ff9b_0001 << 80 | bits,
        0x0064_ff9b_0001 << 80 | (bits >> 16) << 64 | (bits & 0xffff) << 40,
        0x0064_ff9b_0001_0000 << 64 | bits << 24,
    ];
    forms.into_iter().map(Ipv6Addr::from_bits).collect()
}

#[test]
fn the_address_inside_and_the_one_outside_of_every_range() {
    let none = EgressRules::default();
    for range in &NOT_PUBLIC_V4 {
        assert!(range.reason.starts_with("RFC "), "{}: no reason", range.first);
        let first = range.first.to_bits();
        let last = first | (u32::MAX >> range.bits);
        for inside in [first, last] {
            let inside = Ipv4Addr::from_bits(inside);
            assert!(!permits(&none, inside), "{inside}: {}", range.reason);
            assert!(!permits(&none, inside.to_ipv6_mapped()), "{inside} mapped");
            let nat64 = Ipv6Addr::from_bits(0x0064_ff9b << 96 | u128::from(inside.to_bits()));
            assert!(!permits(&none, nat64), "{inside} as {nat64}");
        }
        for outside in [first.checked_sub(1), last.checked_add(1)].into_iter().flatten() {
            let outside = Ipv4Addr::from_bits(outside);
            let is_other = NOT_PUBLIC_V4.iter().any(|other| contains_v4(other, outside));
            assert_eq!(permits(&none, outside), !is_other, "{outside} beside {}", range.first);
            assert_eq!(permits(&none, outside.to_ipv6_mapped()), !is_other, "{outside} mapped");
        }
    }
    for range in NOT_PUBLIC_V6.iter().chain([&GLOBAL_UNICAST]) {
        assert!(range.reason.starts_with("RFC "), "{}: no reason", range.first);
        let first = range.first.to_bits();
        let last = first | (u128::MAX >> range.bits);
        let is_global = range.bits == GLOBAL_UNICAST.bits;
        for (address, inside) in [(first - 1, false), (first, true), (last, true), (last + 1, false)] {
            let address = Ipv6Addr::from_bits(address);
            let expected =
                contains_v6(&GLOBAL_UNICAST, address) && !NOT_PUBLIC_V6.iter().any(|other| contains_v6(other, address));
            assert_eq!(permits(&none, address), expected, "{address} at the edge of {}", range.first);
            assert!(!(inside && !is_global && expected), "{address}: {}", range.reason);
        }
    }
}

#[test]
fn an_ipv4_address_inside_ipv6_is_refused_in_every_form() {
    let none = EgressRules::default();
    for inner in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "8.8.8.8"] {
        let inner: Ipv4Addr = inner.parse().expect("an address");
        for form in refused_forms(inner) {
            assert!(!permits(&none, form), "{inner} as {form}");
        }
    }
    let public: Ipv4Addr = Ipv4Addr::new(8, 8, 8, 8);
    assert!(permits(&none, public.to_ipv6_mapped()));
    assert!(permits(&none, v6("64:ff9b::8.8.8.8")));
}

#[test]
fn what_else_the_registry_calls_not_globally_reachable() {
    let none = EgressRules::default();
    for address in [
        "::",
        "::1",
        "64:ff9b:1::1",
        "64:ff9b:1:ffff::8.8.8.8",
        "100::1",
        "100:0:0:1::1",
        "2001:2::1",
        "2001:10::1",
        "2001:20::1",
        "2001:1ff:ffff::1",
        "2620:4f:8000::1",
        "3ffe::1:0:5efe:808:808",
        "4000::1",
        "5f00::1",
        "fc00::1",
        "fdff::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
    ] {
        assert!(!permits(&none, v6(address)), "{address}");
    }
    for address in
        ["2001:200::1", "2003::1", "2620:4f:7fff::1", "2620:4f:8001::1", "2606:4700::1111", "2a00:1450::5efe:1"]
    {
        assert!(permits(&none, v6(address)), "{address}");
    }
}

#[test]
fn an_allowed_network_is_that_network_and_no_more() {
    assert!(permits(&rules(&["127.0.0.0/8"], &[], &[]), Ipv4Addr::LOCALHOST));
    assert!(permits(&rules(&["127.0.0.0/8"], &[], &[]), Ipv4Addr::LOCALHOST.to_ipv6_mapped()));
    assert!(!permits(&rules(&["127.0.0.0/8"], &[], &[]), Ipv6Addr::LOCALHOST));
    assert!(!permits(&rules(&["10.1.0.0/16"], &[], &[]), Ipv4Addr::new(10, 2, 0, 1)));
    assert!(permits(&rules(&["10.1.0.0/16", "fd00::/8"], &[], &[]), v6("fd00::1")));
}

#[test]
fn cloud_metadata_needs_its_own_entry() {
    let everything = rules(&["0.0.0.0/0", "::/0"], &["*.example"], &[]);
    for address in CLOUD_METADATA {
        assert!(
            matches!(everything.check_address("h.example", address), Err(EgressRefused::CloudMetadata(_))),
            "{address}"
        );
        let own = rules(&[&format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 })], &[], &[]);
        assert!(permits(&own, address), "{address}");
        let IpAddr::V4(inner) = address else { continue };
        for form in refused_forms(inner).into_iter().chain([v6(&format!("64:ff9b::{inner}"))]) {
            assert!(!permits(&everything, form), "{inner} as {form}");
            assert!(!permits(&own, form), "{inner} named, {form} not");
        }
        assert!(
            !permits(&everything, inner.to_ipv6_mapped()) && permits(&own, inner.to_ipv6_mapped()),
            "{inner} mapped"
        );
    }
}

/// The example of RFC 6052, section 2.4: 192.0.2.33 behind a prefix of each length, and other addresses so.
#[test]
fn what_a_translator_of_the_operator_reaches_is_judged() {
    let forms = [
        ("2001:db8::/32", "2001:db8:c000:221::"),
        ("2001:db8:100::/40", "2001:db8:1c0:2:21::"),
        ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::"),
        ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"),
        ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"),
        ("2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"),
    ];
    for (prefix, address) in forms {
        let prefix: Ipv6Net = prefix.parse().expect("a prefix");
        assert!(is_nat64_length(prefix.prefix_len()));
        assert_eq!(embedded::behind(v6(address), prefix.prefix_len()).to_string(), "192.0.2.33", "{prefix}");
    }
    let none = rules(&["10.0.0.0/8", "2a00::/16"], &["h.example"], &[]);
    let own = EgressRules { nat64_prefixes: vec!["2a00:64::/96".parse().expect("a prefix")], ..none.clone() };
    for (inner, public) in [("8.8.8.8", true), ("10.0.0.1", false), ("127.0.0.1", false), ("168.63.129.16", false)] {
        let address = v6(&format!("2a00:64::{inner}"));
        assert!(permits(&none, address), "{address}: nobody said that it is translated");
        assert_eq!(permits(&own, address), public, "{address}");
    }
    assert!(permits(&own, v6("2a00:65::10.0.0.1")), "it is outside of the prefix");
}

#[test]
fn a_host_that_the_operator_names_may_have_private_addresses() {
    let rules = rules(&[], &["hooks.internal", "*.Corp.Example.", "bücher.example"], &[]);
    for (host, named) in [
        ("hooks.internal", true),
        ("hooks.internal.", true),
        ("x.hooks.internal", false),
        ("a.corp.example", true),
        ("a.b.corp.example", true),
        ("corp.example", false),
        ("acorp.example", false),
        (".corp.example", false),
        ("xn--bcher-kva.example", true),
    ] {
        let checked = rules.check_address(host, IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)));
        assert_eq!(checked.is_ok(), named, "{host}");
        let metadata = rules.check_address(host, IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)));
        assert!(metadata.is_err(), "{host}: a name never opens the metadata service");
    }
    for bad in [
        "",
        "*",
        "*.",
        ".",
        "a b",
        "*.*.x",
        "a*.x",
        "http://h",
        "h:80",
        "*.127.0.0.1",
        "*.[::1]",
        "a..b",
        "-x-",
        "*.a..b",
    ] {
        assert!(HostPattern::new(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn ports_of_other_protocols_are_refused() {
    let (none, some) = (EgressRules::default(), rules(&[], &[], &[81, 444, 22]));
    assert!(super::port::BAD.is_sorted());
    for (port, plain, allowed) in [
        (80, true, true),
        (443, true, true),
        (81, false, true),
        (444, false, true),
        (82, false, false),
        (1023, false, false),
        (1024, true, true),
        (8443, true, true),
        (65535, true, true),
        (22, false, false),
        (25, false, false),
        (0, false, false),
        (2049, false, false),
        (6000, false, false),
        (6667, false, false),
        (10080, false, false),
    ] {
        let url = format!("http://h.example:{port}/");
        assert_eq!((check(&none, &url).is_ok(), check(&some, &url).is_ok()), (plain, allowed), "{port}");
        let https = format!("https://h.example:{port}/");
        assert_eq!(check(&none, &https).is_ok(), plain, "{port}");
    }
}

#[test]
fn names_of_private_networks_are_refused() {
    let none = EgressRules::default();
    let (named, network) = (rules(&[], &["intranet", "*.internal"], &[]), rules(&["10.0.0.0/8"], &[], &[]));
    for (host, by_name) in [
        ("localhost", false),
        ("LOCALHOST.", false),
        ("intranet", true),
        ("metadata.google.internal", true),
        ("x.local", false),
        ("x.y.localhost", false),
        ("printer.home.arpa", false),
        ("home.arpa", false),
        ("ｌocalhost", false),
    ] {
        let url = format!("http://{host}/");
        assert!(matches!(check(&none, &url), Err(EgressRefused::PrivateName(_))), "{host}");
        assert_eq!(check(&named, &url).is_ok(), by_name, "{host}");
        assert_eq!(check(&network, &url), Ok(()), "{host}");
    }
    for host in ["example.com", "example.com.", "internal.example", "local.example", "xlocal.example", "arpa.example"] {
        assert_eq!(check(&none, &format!("http://{host}/")), Ok(()), "{host}");
    }
}

/// The ways in which URL parsers let an IPv4 address be written.
fn spellings(address: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = address.octets().map(u32::from);
    let bits = address.to_bits();
    let wide = |text: &str| -> String {
        let widen = |c: char| char::from_u32(u32::from(c) + 0xfee0).unwrap_or(c);
        text.chars()
            .map(|c| {
                if c.is_ascii_digit() {
                    widen(c)
                } else if c == '.' {
                    '。'
                } else {
                    c
                }
            })
            .collect()
    };
    let percent = |text: &str| text.bytes().map(|b| format!("%{b:02x}")).collect::<String>();
    let dotted = address.to_string();
    vec![
        format!("{dotted}."),
        format!("{bits}"),
        format!("{bits:#x}"),
        format!("{bits:#X}").replace("0X", "0x"),
        format!("0{bits:o}"),
        format!("{a}.{}", bits & 0x00ff_ffff),
        format!("{a}.{b}.{}", bits & 0xffff),
        format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("{a:#x}.{b}.0{c:o}.{d}"),
        format!("000{a:o}.{b}.{c}.{d}"),
        wide(&dotted),
        percent(&dotted),
        format!("[::ffff:{dotted}]"),
        format!("[::FFFF:{:x}:{:x}]", bits >> 16, bits & 0xffff),
        format!("[0:0:0:0:0:ffff:{dotted}]"),
        dotted,
    ]
}

proptest! {
    /// However an address is written, the URL is checked by the address itself, and dialled at it.
    #[test]
    fn every_spelling_of_an_address_is_judged_alike(bits in any::<u32>(), private in any::<bool>()) {
        // Half of them in a range that is refused.
        let address = Ipv4Addr::from_bits(if private { bits & 0x00ff_ffff | 0x7f00_0000 } else { bits });
        let none = EgressRules::default();
        let expected = permits(&none, address);
        for spelling in spellings(address) {
            for url in [format!("http://{spelling}/"), format!("HTTP:\\\\{spelling}"), format!("http://{spelling}:8080?x")] {
                // What the parser does not take for an address is no URL, and never a name.
                let Ok(parsed) = TriggerUrl::new(&url) else { continue };
                let found = parsed.destination.address().map(|address| address.to_canonical());
                prop_assert_eq!(found, Some(IpAddr::V4(address)), "{}", url);
                prop_assert_eq!(none.check(&parsed.destination).is_ok(), expected, "{}", url);
            }
        }
    }

    /// No text that the parser takes leads to loopback, a private network or a metadata service.
    #[test]
    fn no_text_leads_inside(host in "[0-9a-fxX.:%\\[\\]。０-９ⅰ①-⑨l-o-]{1,24}") {
        let Ok(url) = TriggerUrl::new(&format!("http://{host}/")) else { return Ok(()) };
        let none = EgressRules::default();
        if none.check(&url.destination).is_ok()
            && let Some(address) = url.destination.address()
        {
            prop_assert!(permits(&none, address), "{} leads to {}", host, address);
        }
    }

    /// The forms of an IPv4 address inside IPv6 are taken apart as they are put together.
    #[test]
    fn every_form_holds_its_address(bits in any::<u32>()) {
        let inner = Ipv4Addr::from_bits(bits);
        for form in refused_forms(inner).into_iter().chain([inner.to_ipv6_mapped(), v6(&format!("64:ff9b::{inner}"))]) {
            prop_assert!(embedded::all(form).any(|found| found == inner), "{} in {}", inner, form);
        }
    }
}
