//! What the dictionary knows of the paths and tags in a template: reports unknown ones, with the nearest known one. It
//! refuses no path: events may have more members than are known.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::HashSet;

use super::diagnostic::Severity;
use super::findings::DiagnosticList;
use super::tag_lookup::TagLookup;
use super::tags;
use crate::json::Json;
use crate::model::event::EventPattern;
use crate::templating::nearest::{NearestName, likely, nearest};

/// The members that Posthaste itself adds to every template's data.
pub const EVENT_PATHS: [&str; 7] =
    ["event.type", "event.id", "event.time", "event.account", "event.source", "event.subject", "event.datacontenttype"];
/// Names that a CloudEvent has for something else than an attribute that templates see.
const NO_ATTRIBUTES: [&str; 3] = ["data", "database64", "specversion"];

/// The most bytes of a name that a message repeats.
const SHOWN_BYTES_MAX: usize = 100;

/// The part of the dictionary that one template needs.
pub(crate) struct KnownPaths<'d> {
    dictionary: &'d dyn TagLookup,
    event: Option<&'d EventPattern>,
    /// Data for the preview: its members count as known too.
    data: Option<Json<'d>>,
    /// The paths that were reported, so that each is reported once.
    warned: RefCell<HashSet<String>>,
    /// The paths that events carry; `None` if nothing is known of them.
    carried: OnceCell<Option<EventPaths>>,
}

struct EventPaths {
    paths: Vec<String>,
    /// The paths and all that lead to them.
    all: HashSet<String>,
}

impl<'d> KnownPaths<'d> {
    pub(crate) fn new(dictionary: &'d dyn TagLookup, event: Option<&'d EventPattern>, data: Option<Json<'d>>) -> Self {
        Self { dictionary, event, data, warned: RefCell::default(), carried: OnceCell::new() }
    }

    /// The path of a tag; reports an error if there is no such tag.
    pub(crate) fn tag(&self, tag: &str, at: usize, findings: &mut DiagnosticList<'_>) -> Option<Vec<String>> {
        let (entity, attribute) = tag.split_once(':')?;
        let Some(path) = self.dictionary.tag_path(entity, attribute) else {
            self.unknown_tag(tag, at, findings);
            return None;
        };
        let names: Vec<String> = path.split('.').map(str::to_owned).collect();
        if !self.carries(path) && self.is_new(path) {
            let message = format!(
                "*|{tag}|* stands for {path}. {} not known to carry it: if it is missing, it is empty.",
                self.events()
            );
            findings.add(Severity::Warning, "unknown_path", at, message, None);
        }
        Some(names)
    }

    fn unknown_tag(&self, tag: &str, at: usize, findings: &mut DiagnosticList<'_>) {
        if findings.is_full(Severity::Error) {
            return;
        }
        if let Some(message) = tags::foreign(tag) {
            return findings.error("unknown_tag", at, message);
        }
        let meant = tag.split_once(':').and_then(|(entity, attribute)| self.dictionary.tag_meant(entity, attribute));
        if let Some(meant) = meant {
            let meant = format!("*|{meant}|*");
            let message = format!("There is no tag *|{}|*. Did you mean {meant}?", shown(tag));
            return findings.add(Severity::Error, "unknown_tag", at, message, Some(meant));
        }
        let tags = self.dictionary.tags();
        let nearest = nearest(tag, tags.iter().map(String::as_str));
        let suggestion = nearest.map(|nearest| format!("*|{}|*", nearest.name));
        let hint = nearest.zip(suggestion.as_deref()).map(|(nearest, shown)| nearest.sentence(shown));
        let message = format!("There is no tag *|{}|*.{}", shown(tag), hint.unwrap_or_default());
        findings.add(Severity::Error, "unknown_tag", at, message, suggestion);
    }

    /// Reports a path from the root that events are not known to carry.
    pub(crate) fn path(&self, names: &[String], at: usize, findings: &mut DiagnosticList<'_>) {
        // The dictionary has no paths for elements of lists.
        let plain = names.iter().take_while(|name| name.parse::<usize>().is_err());
        let path = plain.map(String::as_str).collect::<Vec<_>>().join(".");
        if path.is_empty() || self.carries(&path) || findings.is_full(Severity::Warning) || !self.is_new(&path) {
            return;
        }
        let paths = self.carried().map(|carried| carried.paths.iter());
        let candidates = paths.into_iter().flatten().map(String::as_str);
        // A distant name of another entity would confuse: the author's own data is not a misspelling.
        let first = |path: &str| path.split('.').next().map(str::to_owned);
        let helps = |found: &NearestName<'_>| found.likely || first(found.name) == first(&path);
        let nearest = nearest(&path, candidates.chain(EVENT_PATHS)).filter(helps);
        let hint = nearest.map(|nearest| nearest.sentence(nearest.name)).unwrap_or_default();
        let message =
            format!("{} not known to carry {}: if it is missing, it is empty.{hint}", self.events(), shown(&path));
        let suggestion = nearest.map(|nearest| nearest.name.to_owned());
        findings.add(Severity::Warning, "unknown_path", at, message, suggestion);
    }

    /// The covered events, with the verb of the sentence.
    fn events(&self) -> String {
        match self.event {
            Some(event) => format!("Events of type {event} are"),
            None => "The dictionary's events are".to_owned(),
        }
    }

    fn carries(&self, path: &str) -> bool {
        path == "event"
            || EVENT_PATHS.contains(&path)
            || is_extension(path)
            || self.data_has(path)
            || self.carried().is_none_or(|carried| carried.all.contains(path))
            // `length` is the number of elements of a list.
            || path.strip_suffix(".length").is_some_and(|list| self.carries(list))
    }

    fn data_has(&self, path: &str) -> bool {
        let step = |value: Json<'d>, name: &str| match value {
            Json::Object(members) => members.get(name),
            _ => None,
        };
        self.data.is_some_and(|data| path.split('.').try_fold(data, step).is_some())
    }

    /// Whether a path was not reported before.
    fn is_new(&self, path: &str) -> bool {
        self.warned.borrow_mut().insert(path.to_owned())
    }

    fn carried(&self) -> Option<&EventPaths> {
        let ask = || {
            let paths = self.dictionary.paths(self.event)?;
            let mut all = HashSet::new();
            for path in &paths {
                let ends = path.match_indices('.').map(|(end, _)| end);
                all.extend(ends.chain([path.len()]).map(|end| path[..end].to_owned()));
            }
            Some(EventPaths { paths, all })
        };
        self.carried.get_or_init(ask).as_ref()
    }
}

/// Whether a path is that of an extension attribute, which a CloudEvent may have (CloudEvents 1.0, section 3.1). One
/// that is a letter or two away from what every event has was most likely meant to be that.
fn is_extension(path: &str) -> bool {
    let is_attribute = |name: &str| {
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        !name.is_empty() && name.chars().all(letters) && !NO_ATTRIBUTES.contains(&name)
    };
    let Some(name) = path.strip_prefix("event.").filter(|name| is_attribute(name)) else { return false };
    let known = EVENT_PATHS.iter().filter_map(|known| known.strip_prefix("event."));
    likely(name, known).is_none()
}

/// A name of the author's, as a message shows it.
fn shown(name: &str) -> Cow<'_, str> {
    if name.len() <= SHOWN_BYTES_MAX {
        return name.into();
    }
    format!("{}…", &name[..name.floor_char_boundary(SHOWN_BYTES_MAX)]).into()
}
