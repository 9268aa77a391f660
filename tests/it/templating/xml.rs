//! XML: the body has the template's elements, with the values inserted.

use posthaste::model::template::Format;
use proptest::collection::vec;
use proptest::prelude::*;
use quick_xml::events::{BytesStart, Event};

use super::parts::{self, Expr, Piece, Scope, expr, pieces};
use super::{body, compiled, config, data};

/// An element, or a part of its content.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Element(&'static str, Vec<(&'static str, Vec<Piece>)>, Vec<Node>),
    Text(Vec<Piece>),
    Constant(&'static str),
    If(Expr, Vec<Node>, Vec<Node>),
    Each(Expr, Vec<Node>),
}

/// What the parser finds: tags, with text between them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Found {
    Open(String, Vec<(String, String)>),
    Close(String),
    Text(String),
}

fn names() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec!["a", "b-1", "_é", "p:x"])
}

pub(crate) fn root() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![
        3 => pieces().prop_map(Node::Text),
        1 => proptest::sample::select(vec!["<!-- {x} -->", "<![CDATA[<&]]>", "<e/>", "&#233;&amp;", "]]", "'"]).prop_map(Node::Constant),
    ];
    let node = leaf.prop_recursive(3, 16, 4, |inner| {
        let some = vec(inner, 0..4);
        let attributes = (pieces(), pieces(), 0_usize..3).prop_map(|(one, two, count)| {
            [("k", one), ("p:k", two)].into_iter().take(count).collect::<Vec<_>>()
        });
        prop_oneof![
            3 => (names(), attributes, some.clone()).prop_map(|(name, attributes, inside)| Node::Element(name, attributes, inside)),
            1 => (expr(), some.clone(), some.clone()).prop_map(|(on, then, other)| Node::If(on, then, other)),
            1 => (proptest::sample::select(vec!["xs", "o"]), some).prop_map(|(list, each)| Node::Each(Expr::Member(list, 4), each)),
        ]
    });
    vec(node, 0..4).prop_map(|inside| {
        let namespace = ("xmlns:p", vec![Piece::Constant("urnp".to_owned())]);
        Node::Element("p:root", vec![namespace], inside)
    })
}

fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn escape(text: &str) -> String {
    let fits = text.chars().filter(|&c| is_allowed(c));
    fits.map(|c| if c.is_alphanumeric() { c.to_string() } else { format!("&#x{:x};", u32::from(c)) }).collect()
}

impl Node {
    pub(crate) fn write(&self, depth: usize) -> String {
        let all = |nodes: &[Node], depth| nodes.iter().map(|node| node.write(depth)).collect::<String>();
        match self {
            Self::Element(name, attributes, inside) => {
                let attributes: String = attributes
                    .iter()
                    .map(|(name, value)| format!(" {name}=\"{}\"", parts::write(value, depth, escape)))
                    .collect();
                format!("<{name}{attributes}>{}</{name} >", all(inside, depth))
            }
            Self::Text(pieces) => parts::write(pieces, depth, escape),
            Self::Constant(text) => (*text).to_owned(),
            Self::If(on, then, other) => {
                format!(
                    "{{{{#if {}}}}}{}{{{{else}}}}{}{{{{/if}}}}",
                    on.path(depth),
                    all(then, depth),
                    all(other, depth)
                )
            }
            Self::Each(list, each) if depth < 3 => {
                format!("{{{{#each {}}}}}{}{{{{/each}}}}", list.path(depth), all(each, depth + 1))
            }
            Self::Each(..) => String::new(),
        }
    }

    fn find(&self, scope: &Scope<'_>, out: &mut Vec<Found>) {
        let text = |pieces: &[Piece]| parts::text(pieces, scope).chars().filter(|&c| is_allowed(c)).collect::<String>();
        let mut all = |nodes: &[Node], scope: &Scope<'_>| nodes.iter().for_each(|node| node.find(scope, out));
        match self {
            Self::Element(name, attributes, inside) => {
                let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect();
                out.push(Found::Open((*name).to_owned(), attributes));
                inside.iter().for_each(|node| node.find(scope, out));
                out.push(Found::Close((*name).to_owned()));
            }
            Self::Text(pieces) => add_text(out, &text(pieces)),
            Self::Constant("<e/>") => {
                out.push(Found::Open("e".to_owned(), Vec::new()));
                out.push(Found::Close("e".to_owned()));
            }
            Self::Constant(constant) => add_text(
                out,
                match *constant {
                    "<![CDATA[<&]]>" => "<&",
                    "&#233;&amp;" => "é&",
                    "<!-- {x} -->" => "",
                    other => other,
                },
            ),
            Self::If(on, then, other) => all(if on.holds(scope) { then } else { other }, scope),
            Self::Each(list, each) if scope.elements.len() < 3 => {
                for (place, element) in scope.list(list).into_iter().enumerate() {
                    all(each, &scope.with(element, place));
                }
            }
            Self::Each(..) => {}
        }
    }
}

fn add_text(out: &mut Vec<Found>, text: &str) {
    match out.last_mut() {
        _ if text.is_empty() => {}
        Some(Found::Text(before)) => before.push_str(text),
        _ => out.push(Found::Text(text.to_owned())),
    }
}

fn open(tag: &BytesStart<'_>) -> Result<Found, String> {
    let name = tag.name().as_ref().to_owned();
    let mut attributes = Vec::new();
    for attribute in tag.attributes().with_checks(true) {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let key = attribute.key.as_ref().to_owned();
        let raw = &*attribute.value;
        if raw.contains('<') {
            return Err("< in an attribute".to_owned());
        }
        let value = quick_xml::escape::unescape(raw).map_err(|error| error.to_string())?;
        attributes.push((key, value.into_owned()));
    }
    Ok(Found::Open(name, attributes))
}

/// Parses strictly: quick-xml with all its checks, and checks that it lacks.
pub(crate) fn parse(body: &[u8]) -> Result<Vec<Found>, String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    if let Some(c) = text.chars().find(|&c| !is_allowed(c)) {
        return Err(format!("{c:?} is not allowed"));
    }
    let mut reader = quick_xml::Reader::from_str(text);
    reader.config_mut().enable_all_checks(true);
    let (mut out, mut depth, mut roots) = (Vec::new(), 0_usize, 0);
    loop {
        match reader.read_event().map_err(|error| format!("{error} in {text}"))? {
            Event::Start(tag) => {
                roots += usize::from(depth == 0);
                depth += 1;
                out.push(open(&tag)?);
            }
            Event::Empty(tag) => {
                roots += usize::from(depth == 0);
                let found = open(&tag)?;
                let Found::Open(name, _) = &found else { unreachable!() };
                let name = name.clone();
                out.extend([found, Found::Close(name)]);
            }
            Event::End(tag) => {
                depth = depth.checked_sub(1).ok_or("closed twice")?;
                out.push(Found::Close(tag.name().as_ref().to_owned()));
            }
            Event::Text(inside) => {
                let inside: &str = &inside;
                if inside.contains("]]>") || (depth == 0 && !inside.trim_matches([' ', '\t', '\r', '\n']).is_empty()) {
                    return Err(format!("text {inside:?}"));
                }
                if depth > 0 {
                    add_text(&mut out, inside);
                }
            }
            Event::GeneralRef(reference) => {
                let name: &str = &reference;
                let value =
                    quick_xml::escape::unescape(&format!("&{name};")).map_err(|error| error.to_string())?.into_owned();
                if depth == 0 {
                    return Err("a reference outside".to_owned());
                }
                add_text(&mut out, &value);
            }
            Event::CData(inside) if depth > 0 => add_text(&mut out, &inside),
            Event::Comment(_) | Event::Decl(_) => {}
            Event::Eof if depth == 0 && roots == 1 => return Ok(out),
            other => return Err(format!("{other:?}, {depth} open, {roots} roots")),
        }
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn bodies_have_the_author_s_elements(root in root(), members in data::members()) {
        let template = root.write(0);
        let compiled = compiled(Format::Xml, &template).map_err(TestCaseError::fail)?;
        if let Some(body) = body(&compiled, &members) {
            let found = parse(&body).map_err(|error| TestCaseError::fail(format!("{template}\n{error}")))?;
            let mut expected = Vec::new();
            root.find(&Scope::of(&members), &mut expected);
            prop_assert_eq!(found, expected, "{}", template);
        }
    }
}
