//! What the dictionary knows of the paths and tags in a template: reports unknown ones, with the nearest known one. It
//! refuses no path: events may have more members than are known.

use std::cell::{OnceCell, RefCell};
use std::collections::{HashMap, HashSet};

use super::diagnostic::Severity;
use super::findings::DiagnosticList;
use super::tag_lookup::TagLookup;
use super::tags;
use crate::json::Json;
use crate::json::nearest::{NearestName, SHOWN_BYTES_MAX, likely, nearest, shown};
use crate::model::event::EventPattern;

/// The members that Posthaste itself adds to every template's data.
pub const EVENT_PATHS: [&str; 7] =
    ["event.type", "event.id", "event.time", "event.account", "event.source", "event.subject", "event.datacontenttype"];
/// Names that a CloudEvent has for something else than an attribute that templates see.
const NO_ATTRIBUTES: [&str; 3] = ["data", "database64", "specversion"];

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
    /// The paths by the names under which other languages could know them.
    names: OnceCell<HashMap<String, String>>,
}

struct EventPaths {
    paths: Vec<String>,
    /// The paths and all that lead to them.
    all: HashSet<String>,
}

impl<'d> KnownPaths<'d> {
    pub(crate) fn new(dictionary: &'d dyn TagLookup, event: Option<&'d EventPattern>, data: Option<Json<'d>>) -> Self {
        let (carried, names) = (OnceCell::new(), OnceCell::new());
        Self { dictionary, event, data, warned: RefCell::default(), carried, names }
    }

    pub(crate) fn dictionary(&self) -> &'d dyn TagLookup {
        self.dictionary
    }

    /// The path of the value that a name means: a tag, a path with any separators, or the last part of one.
    pub(crate) fn named(&self, name: &str) -> Option<String> {
        let tag = name.split_once(':').and_then(|(entity, attribute)| self.dictionary.tag_path(entity, attribute));
        tag.or_else(|| self.names().get(&plain_name(name)).map(String::as_str)).map(str::to_owned)
    }

    fn names(&self) -> &HashMap<String, String> {
        self.names.get_or_init(|| {
            let mut paths: Vec<String> = self.carried().into_iter().flat_map(|carried| carried.paths.clone()).collect();
            if let Some(data) = self.data {
                add_paths(data, "", &mut paths);
            }
            let mut names = HashMap::new();
            for path in paths.iter().map(String::as_str).chain(EVENT_PATHS) {
                names.insert(plain_name(path), path.to_owned());
            }
            for path in &paths {
                let last = path.rsplit('.').next().unwrap_or(path);
                names.entry(plain_name(last)).or_insert_with(|| path.clone());
            }
            names
        })
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
        if path.is_empty() || findings.is_full(Severity::Warning) || self.carries(&path) || !self.is_new(&path) {
            return;
        }
        let paths = self.carried().map(|carried| carried.paths.iter());
        let candidates = paths.into_iter().flatten().map(String::as_str);
        if let Some(instead) = self.instead(&path) {
            let message = format!(
                "{} not known to carry {}: where it is missing, it is empty. {instead}",
                self.events(),
                shown(&path)
            );
            return findings.add(Severity::Warning, "unknown_path", at, message, None);
        }
        // A distant name of another entity would confuse: the author's own data is not a misspelling.
        let first = |path: &str| path.split('.').next().map(str::to_owned);
        let helps = |found: &NearestName<'_>| found.likely || first(found.name) == first(&path);
        let nearest = nearest(&path, candidates.chain(EVENT_PATHS)).filter(helps);
        let look_alike = nearest.and_then(|nearest| other_alphabet(&path, nearest.name)).unwrap_or_default();
        let hint = nearest.map(|nearest| nearest.sentence(nearest.name)).unwrap_or_default() + &look_alike;
        let message =
            format!("{} not known to carry {}: if it is missing, it is empty.{hint}", self.events(), shown(&path));
        let suggestion = nearest.map(|nearest| nearest.name.to_owned());
        findings.add(Severity::Warning, "unknown_path", at, message, suggestion);
    }

    /// What to write for what other engines have: the size of a value, the clock, an id.
    fn instead(&self, path: &str) -> Option<String> {
        if let Some((value, "length" | "size" | "count" | "len" | "Length" | "Count")) = path.rsplit_once('.')
            && self.carries(value)
        {
            return Some(format!("For the count of its elements or characters write {{{{length {}}}}}.", shown(value)));
        }
        let plain = path.to_ascii_lowercase().replace(['_', '-'], "");
        Some(match plain.as_str() {
            "now" | "today" | "currentdate" | "currenttime" | "timestamp" => {
                "The time of the event is {{event.time}}.".to_owned()
            }
            "uuid" | "guid" | "randomuuid" => "Each event has an id: {{event.id}}.".to_owned(),
            _ => return None,
        })
    }

    /// The covered events, with the verb of the sentence.
    fn events(&self) -> String {
        match self.event {
            Some(event) => format!("Events of type {event} are"),
            None => "The dictionary's events are".to_owned(),
        }
    }

    fn carries(&self, path: &str) -> bool {
        // `length` is the number of elements of a list.
        let is_length = |list: &str| match self.in_data(list) {
            Some(value) => matches!(value, Json::Array(_)),
            None => self.carries_as_written(list),
        };
        self.carries_as_written(path) || path.strip_suffix(".length").is_some_and(is_length)
    }

    fn carries_as_written(&self, path: &str) -> bool {
        path == "event"
            || EVENT_PATHS.contains(&path)
            || is_extension(path)
            || self.in_data(path).is_some()
            || self.carried().is_none_or(|carried| carried.all.contains(path))
    }

    fn in_data(&self, path: &str) -> Option<Json<'d>> {
        let step = |value: Json<'d>, name: &str| match value {
            Json::Object(members) => members.get(name),
            _ => None,
        };
        path.split('.').try_fold(self.data?, step)
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

/// A name without the differences in case and separators.
fn plain_name(name: &str) -> String {
    name.to_lowercase().replace(['_', '-', ':'], ".")
}

/// The most paths of the data that are known by name.
const DATA_PATHS_MAX: usize = 1_000;

/// Adds the paths of data, without the elements of lists.
fn add_paths(data: Json<'_>, before: &str, paths: &mut Vec<String>) {
    let Json::Object(members) = data else { return };
    for (name, value) in members.iter() {
        if paths.len() >= DATA_PATHS_MAX || before.len() + name.len() > SHOWN_BYTES_MAX {
            return;
        }
        let path = if before.is_empty() { name.to_owned() } else { format!("{before}.{name}") };
        add_paths(value, &path, paths);
        paths.push(path);
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

/// Names a letter of another alphabet in a path that looks like a known one.
fn other_alphabet(path: &str, known: &str) -> Option<String> {
    let looks_latin = |c: &char| matches!(c, '\u{370}'..='\u{52f}');
    let letter = path.chars().find(looks_latin).filter(|_| known.is_ascii())?;
    Some(format!(" The letter {letter} (U+{:04X}) is of another alphabet.", u32::from(letter)))
}
