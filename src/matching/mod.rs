//! The filter of a trigger, `where`: the pattern language of Amazon EventBridge, as
//! aws/event-ruler documents it, read once when a trigger is saved and matched against the data
//! of events. Taken so far: exact values, `prefix`, `anything-but` (values and lists of them),
//! `numeric` and `exists`; the rest of the language is refused by name.

use serde_json::{Map, Value};

use crate::json::kind;
use crate::json::{Json, Object};

/// The deepest nesting of objects in a pattern.
pub const DEPTH_MAX: usize = 32;
/// The most matchers in one pattern; what one event can cost it at most.
pub const MATCHERS_MAX: usize = 1_000;

/// Matchers of EventBridge that are known and not taken yet.
const NOT_YET: [&str; 5] = ["suffix", "equals-ignore-case", "wildcard", "cidr", "$or"];

/// Why a pattern is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {detail}")]
pub struct PatternError {
    /// Where: a JSON Pointer into the pattern.
    pub pointer: String,
    /// What kind of mistake; stable.
    pub code: &'static str,
    /// What is wrong and what instead.
    pub detail: String,
}

impl PatternError {
    fn new(pointer: &str, code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.to_owned(), code, detail: detail.into() }
    }
}

/// A filter: every member must match, and of a member's list one matcher.
#[derive(Debug, Clone)]
pub struct Pattern {
    source: Value,
    root: Vec<(String, Node)>,
}

#[derive(Debug, Clone)]
enum Node {
    Members(Vec<(String, Node)>),
    AnyOf(Vec<Matcher>),
}

#[derive(Debug, Clone)]
enum Matcher {
    Exact(Value),
    Prefix(String),
    AnythingBut(Vec<Value>),
    Numeric(Vec<(Comparison, f64)>),
    Exists(bool),
}

#[derive(Debug, Clone, Copy)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Pattern {
    /// Reads a pattern.
    pub fn new(source: &Value) -> Result<Self, PatternError> {
        let Value::Object(members) = source else {
            let detail = format!("a pattern is an object, not {}", kind(source));
            return Err(PatternError::new("", "bad_pattern", detail));
        };
        let mut reader = Reader { matchers: 0 };
        let root = reader.members(members, "", 1)?;
        Ok(Self { source: source.clone(), root })
    }

    /// The pattern as it was written.
    pub fn source(&self) -> &Value {
        &self.source
    }

    /// Whether an event with this data is meant.
    pub fn matches(&self, data: Object<'_>) -> bool {
        self.root.iter().all(|(name, node)| node.matches(data.get(name)))
    }
}

struct Reader {
    matchers: usize,
}

impl Reader {
    fn members(
        &mut self,
        members: &Map<String, Value>,
        at: &str,
        depth: usize,
    ) -> Result<Vec<(String, Node)>, PatternError> {
        if members.is_empty() {
            let detail = "an empty object matches nothing; leave it out";
            return Err(PatternError::new(at, "bad_pattern", detail));
        }
        if depth > DEPTH_MAX {
            let detail = format!("objects are nested more than {DEPTH_MAX} deep");
            return Err(PatternError::new(at, "pattern_too_large", detail));
        }
        let mut nodes = Vec::with_capacity(members.len());
        for (name, value) in members {
            let at = crate::json::pointer(at, name);
            if name == "$or" {
                return Err(not_yet(&at, name));
            }
            let node = match value {
                Value::Object(inner) => Node::Members(self.members(inner, &at, depth + 1)?),
                Value::Array(items) => Node::AnyOf(self.any_of(items, &at)?),
                other => {
                    let detail =
                        format!("here stands a list of matchers or an object, not {}; write [{other}]", kind(other));
                    return Err(PatternError::new(&at, "bad_pattern", detail));
                }
            };
            nodes.push((name.clone(), node));
        }
        Ok(nodes)
    }

    fn any_of(&mut self, items: &[Value], at: &str) -> Result<Vec<Matcher>, PatternError> {
        if items.is_empty() {
            let detail = "an empty list matches nothing; leave it out";
            return Err(PatternError::new(at, "bad_pattern", detail));
        }
        let items = items.iter().enumerate();
        items.map(|(index, item)| self.matcher(item, &format!("{at}/{index}"))).collect()
    }

    fn count(&mut self, more: usize, at: &str) -> Result<(), PatternError> {
        self.matchers += more;
        if self.matchers > MATCHERS_MAX {
            let detail = format!("the pattern has more than {MATCHERS_MAX} values");
            return Err(PatternError::new(at, "pattern_too_large", detail));
        }
        Ok(())
    }

    fn matcher(&mut self, item: &Value, at: &str) -> Result<Matcher, PatternError> {
        self.count(1, at)?;
        let members = match item {
            Value::Object(members) => members,
            Value::Array(_) => {
                let detail = "a list within a list is no matcher";
                return Err(PatternError::new(at, "bad_pattern", detail));
            }
            value => return Ok(Matcher::Exact(value.clone())),
        };
        let mut only = members.iter();
        let (Some((name, argument)), None) = (only.next(), only.next()) else {
            let detail = "a matcher has one member, such as {\"prefix\": \"a\"}; more than one are written as a list";
            return Err(PatternError::new(at, "bad_pattern", detail));
        };
        let at = format!("{at}/{name}");
        match (name.as_str(), argument) {
            ("prefix", Value::String(text)) => Ok(Matcher::Prefix(text.clone())),
            ("prefix", Value::Object(_)) => Err(not_yet(&at, "equals-ignore-case")),
            ("exists", Value::Bool(wanted)) => Ok(Matcher::Exists(*wanted)),
            ("numeric", Value::Array(words)) => numeric(words, &at).map(Matcher::Numeric),
            ("anything-but", argument) => self.anything_but(argument, &at),
            ("prefix" | "exists" | "numeric", other) => {
                Err(PatternError::new(&at, "bad_pattern", format!("`{name}` does not take {}", kind(other))))
            }
            (name, _) if NOT_YET.contains(&name) => Err(not_yet(&at, name)),
            _ => Err(PatternError::new(
                &at,
                "unknown_matcher",
                "no such matcher; known are prefix, anything-but, numeric and exists",
            )),
        }
    }

    fn anything_but(&mut self, argument: &Value, at: &str) -> Result<Matcher, PatternError> {
        let values = match argument {
            Value::Array(values) if !values.is_empty() => values.clone(),
            Value::String(_) | Value::Number(_) => vec![argument.clone()],
            Value::Object(inner) => {
                let name = inner.keys().next().map_or("{}", String::as_str);
                return Err(not_yet(at, &format!("anything-but {name}")));
            }
            other => {
                let detail = format!("`anything-but` does not take {}", kind(other));
                return Err(PatternError::new(at, "bad_pattern", detail));
            }
        };
        self.count(values.len(), at)?;
        match values.iter().find(|v| !v.is_string() && !v.is_number()) {
            None => Ok(Matcher::AnythingBut(values)),
            Some(other) => {
                let detail = format!("`anything-but` lists strings and numbers, not {}", kind(other));
                Err(PatternError::new(at, "bad_pattern", detail))
            }
        }
    }
}

fn not_yet(at: &str, name: &str) -> PatternError {
    PatternError::new(
        at,
        "matcher_not_supported",
        format!("`{name}` is not taken by this version; exact values, prefix, anything-but, numeric and exists are"),
    )
}

fn numeric(words: &[Value], at: &str) -> Result<Vec<(Comparison, f64)>, PatternError> {
    const CURE: &str = "`numeric` takes one comparison, [\">\", 5], or a range, [\">=\", 1, \"<\", 5]";
    let wrong = || PatternError::new(at, "bad_pattern", CURE);
    if words.is_empty() || words.len() > 4 || words.len() % 2 == 1 {
        return Err(wrong());
    }
    let comparisons: Vec<_> = words
        .chunks_exact(2)
        .map(|pair| {
            let comparison = match pair[0].as_str()? {
                "=" => Comparison::Equal,
                "<" => Comparison::Less,
                "<=" => Comparison::LessOrEqual,
                ">" => Comparison::Greater,
                ">=" => Comparison::GreaterOrEqual,
                _ => return None,
            };
            Some((comparison, pair[1].as_number()?.as_f64()?))
        })
        .collect::<Option<_>>()
        .ok_or_else(wrong)?;
    if let [(low, from), (high, to)] = comparisons.as_slice() {
        use Comparison::{Greater, GreaterOrEqual, Less, LessOrEqual};
        let range = matches!(low, Greater | GreaterOrEqual) && matches!(high, Less | LessOrEqual);
        if !range || from >= to {
            return Err(wrong());
        }
    }
    Ok(comparisons)
}

impl Node {
    fn matches(&self, value: Option<Json<'_>>) -> bool {
        match (self, value) {
            // One element must satisfy all members at once: event-ruler's array consistency.
            (Self::Members(_), Some(Json::Array(items))) if !items.is_empty() => {
                items.iter().any(|item| self.matches(Some(item)))
            }
            (Self::Members(members), value) => {
                members.iter().all(|(name, node)| node.matches(value.and_then(|v| v.get(name))))
            }
            (Self::AnyOf(matchers), value) => matchers.iter().any(|m| m.matches(value)),
        }
    }
}

impl Matcher {
    fn matches(&self, value: Option<Json<'_>>) -> bool {
        match (self, value) {
            // Only a leaf exists: an object or an empty list holds none.
            (Self::Exists(wanted), value) => value.is_some_and(has_leaf) == *wanted,
            (_, Some(Json::Array(items))) => items.iter().any(|item| self.matches(Some(item))),
            (_, None | Some(Json::Object(_))) => false,
            (Self::Exact(own), Some(value)) => equal(own, value),
            (Self::Prefix(prefix), Some(value)) => value.as_str().is_some_and(|text| text.starts_with(prefix.as_str())),
            (Self::AnythingBut(values), Some(value)) => !values.iter().any(|v| equal(v, value)),
            (Self::Numeric(comparisons), Some(value)) => {
                value.as_f64().is_some_and(|number| comparisons.iter().all(|(c, own)| c.holds(number, *own)))
            }
        }
    }
}

fn has_leaf(value: Json<'_>) -> bool {
    match value {
        Json::Object(_) => false,
        Json::Array(items) => items.iter().any(has_leaf),
        _ => true,
    }
}

impl Comparison {
    fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

/// Numbers are the same by value (1 and 1.0), all else by what was written.
fn equal(own: &Value, value: Json<'_>) -> bool {
    match (own, value) {
        (Value::Number(a), Json::Number(digits)) => match (a.as_i64(), value.as_i64()) {
            (Some(a), Some(b)) => a == b,
            _ => a.as_str() == digits || a.as_f64().is_some_and(|a| Some(a) == value.as_f64()),
        },
        (Value::String(a), Json::String(b)) => a == b,
        (Value::Bool(a), Json::Bool(b)) => *a == b,
        (Value::Null, Json::Null) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;
    use serde_json::json;

    fn matches(pattern: Value, data: Value) -> bool {
        let pattern = Pattern::new(&pattern).expect("a pattern");
        let data = Document::from(&data);
        pattern.matches(data.object().expect("an object"))
    }

    #[test]
    fn should_and_should_not() {
        let data = json!({
            "rental": {"id": "r1", "tags": ["sea", "pets"], "empty": []},
            "inquiry": {"cost": 1200.50, "nights": 7, "paid": false, "note": null},
            "rooms": [{"kind": "bed", "beds": 2}, {"kind": "bath", "beds": 0}],
        });
        for (pattern, expected) in [
            (json!({"rental": {"id": ["r1", "r2"]}}), true),
            (json!({"rental": {"id": ["r2"]}}), false),
            (json!({"rental": {"id": ["r1"]}, "inquiry": {"nights": [7.0]}}), true),
            (json!({"rental": {"id": ["r1"]}, "inquiry": {"nights": ["7"]}}), false),
            (json!({"inquiry": {"paid": [false], "note": [null]}}), true),
            (json!({"inquiry": {"missing": [null]}}), false),
            (json!({"rental": {"tags": ["pets"]}}), true),
            (json!({"rental": {"tags": [{"prefix": "pe"}]}}), true),
            (json!({"rental": {"id": [{"prefix": "x"}]}}), false),
            (json!({"inquiry": {"nights": [{"prefix": "7"}]}}), false),
            (json!({"inquiry": {"cost": [{"numeric": [">", 1000]}]}}), true),
            (json!({"inquiry": {"cost": [{"numeric": [">", 1000, "<=", 1200]}]}}), false),
            (json!({"rental": {"id": [{"numeric": ["=", 1]}]}}), false),
            (json!({"rental": {"id": [{"anything-but": ["r1", "r3"]}]}}), false),
            (json!({"rental": {"id": [{"anything-but": "r3"}]}}), true),
            (json!({"rental": {"tags": [{"anything-but": "sea"}]}}), true),
            (json!({"rental": {"missing": [{"anything-but": "x"}]}}), false),
            (json!({"rental": {"id": [{"exists": true}]}}), true),
            (json!({"rental": {"missing": [{"exists": false}]}}), true),
            (json!({"rental": [{"exists": true}]}), false),
            (json!({"rental": {"empty": [{"exists": false}]}}), true),
            (json!({"nothing": {"here": [{"exists": false}]}}), true),
            (json!({"rooms": {"kind": ["bed"], "beds": [2]}}), true),
            (json!({"rooms": {"kind": ["bath"], "beds": [2]}}), false),
        ] {
            assert_eq!(matches(pattern.clone(), data.clone()), expected, "{pattern}");
        }
    }

    #[test]
    fn what_is_not_taken_is_refused_by_name_and_place() {
        for (pattern, pointer, code) in [
            (json!([]), "", "bad_pattern"),
            (json!({}), "", "bad_pattern"),
            (json!({"a": 1}), "/a", "bad_pattern"),
            (json!({"a": []}), "/a", "bad_pattern"),
            (json!({"a": [[1]]}), "/a/0", "bad_pattern"),
            (json!({"a": [1, {"suffix": "x"}]}), "/a/1/suffix", "matcher_not_supported"),
            (json!({"$or": [{"a": [1]}]}), "/$or", "matcher_not_supported"),
            (json!({"a": [{"anything-but": {"prefix": "x"}}]}), "/a/0/anything-but", "matcher_not_supported"),
            (json!({"a": [{"prefix": {"equals-ignore-case": "x"}}]}), "/a/0/prefix", "matcher_not_supported"),
            (json!({"a": [{"prefx": "x"}]}), "/a/0/prefx", "unknown_matcher"),
            (json!({"a": [{"prefix": "x", "exists": true}]}), "/a/0", "bad_pattern"),
            (json!({"a": [{"numeric": [">"]}]}), "/a/0/numeric", "bad_pattern"),
            (json!({"a": [{"numeric": ["<", 5, ">", 1]}]}), "/a/0/numeric", "bad_pattern"),
            (json!({"a": [{"numeric": [">", 5, "<", 1]}]}), "/a/0/numeric", "bad_pattern"),
            (json!({"a": [{"exists": "yes"}]}), "/a/0/exists", "bad_pattern"),
            (json!({"a/b": {"c~d": 1}}), "/a~1b/c~0d", "bad_pattern"),
        ] {
            let error = Pattern::new(&pattern).expect_err("refused");
            assert_eq!((error.pointer.as_str(), error.code), (pointer, code), "{pattern}");
        }
    }

    #[test]
    fn the_cost_of_a_pattern_is_bounded() {
        let many: Vec<Value> = (0..=MATCHERS_MAX).map(Value::from).collect();
        let error = Pattern::new(&json!({ "a": many })).expect_err("too many");
        assert_eq!(error.code, "pattern_too_large");
        let mut deep = json!([1]);
        for _ in 0..=DEPTH_MAX {
            deep = json!({ "a": deep });
        }
        assert_eq!(Pattern::new(&deep).expect_err("too deep").code, "pattern_too_large");
    }
}
