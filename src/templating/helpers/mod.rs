//! The helpers that a template may call: their names and what each is given. What they do is told
//! in the files beside this one, each a pure function of its values: none reads the clock, the
//! environment or a file. A helper given a value that it can't use gives none.

pub(super) mod compare;
pub(super) mod dates;
pub(super) mod decimal;
pub(super) mod numbers;
pub(super) mod texts;

/// What a helper does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Helper {
    Date,
    Number,
    Money,
    Default,
    Upper,
    Lower,
    Trim,
    Truncate,
    Join,
    Json,
    Lookup,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
    Not,
}

/// How a helper is called.
#[derive(Debug)]
pub(super) struct Signature {
    pub(super) name: &'static str,
    pub(super) helper: Helper,
    /// The fewest and the most values it is given.
    pub(super) values: (usize, usize),
    /// What it may be given by name.
    pub(super) options: &'static [&'static str],
    /// A call, for messages.
    pub(super) example: &'static str,
}

const fn signature(
    name: &'static str,
    helper: Helper,
    values: (usize, usize),
    options: &'static [&'static str],
    example: &'static str,
) -> Signature {
    Signature { name, helper, values, options, example }
}

/// All helpers. None does without a value, so `{{date}}` can only be a field of the data.
#[rustfmt::skip]
pub(super) static HELPERS: [Signature; 20] = [
    signature("date", Helper::Date, (1, 2), &["tz"], r#"{{date inquiry.arrive "%d %B %Y" tz="Europe/Rome"}}"#),
    signature("number", Helper::Number, (1, 1), &["decimals", "group", "point"], r#"{{number inquiry.cost decimals=2 group="," point="."}}"#),
    signature("money", Helper::Money, (1, 2), &["decimals", "group", "point"], r#"{{money inquiry.cost "EUR"}}"#),
    signature("default", Helper::Default, (2, 8), &[], r#"{{default guest.phone "none"}}"#),
    signature("upper", Helper::Upper, (1, 1), &[], "{{upper guest.country}}"),
    signature("lower", Helper::Lower, (1, 1), &[], "{{lower guest.email}}"),
    signature("trim", Helper::Trim, (1, 1), &[], "{{trim guest.name}}"),
    signature("truncate", Helper::Truncate, (2, 2), &["end"], "{{truncate message.text 100}}"),
    signature("join", Helper::Join, (1, 2), &[], r#"{{join rental.tags ", "}}"#),
    signature("json", Helper::Json, (1, 1), &[], "{{json guest}}"),
    signature("lookup", Helper::Lookup, (2, 2), &[], "{{lookup rental.names guest.language}}"),
    signature("eq", Helper::Equal, (2, 2), &[], r#"{{#if (eq guest.country "IT")}}"#),
    signature("ne", Helper::Unequal, (2, 2), &[], r#"{{#if (ne guest.country "IT")}}"#),
    signature("lt", Helper::Less, (2, 2), &[], "{{#if (lt inquiry.nights 7)}}"),
    signature("lte", Helper::LessOrEqual, (2, 2), &[], "{{#if (lte inquiry.nights 7)}}"),
    signature("gt", Helper::Greater, (2, 2), &[], "{{#if (gt inquiry.nights 7)}}"),
    signature("gte", Helper::GreaterOrEqual, (2, 2), &[], "{{#if (gte inquiry.nights 7)}}"),
    signature("and", Helper::And, (2, 8), &[], "{{#if (and guest.email guest.phone)}}"),
    signature("or", Helper::Or, (2, 8), &[], "{{#if (or guest.email guest.phone)}}"),
    signature("not", Helper::Not, (1, 1), &[], "{{#if (not guest.email)}}"),
];

/// The helper of this name.
pub(super) fn find(name: &str) -> Option<&'static Signature> {
    HELPERS.iter().find(|signature| signature.name == name)
}
