//! Patterns and data made of few names and values, so that they often match.

use serde_json::{Map, Value, json};

/// xorshift64*: the same numbers for the same seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn of<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.below(texts.len())]
    }
}

const NAMES: [&str; 5] = ["a", "b", "c", "a.b", ""];
const TEXTS: [&str; 22] = [
    "", "x", "X", "xy", "yx", "xyz", "abcabc", "straße", "STRASSE", "STRAẞE", "İ", "i", "ı", "ſ", "s", "S", "K",
    "\u{212a}", "日本", "本", "a*b\\", "x\ny",
];
const ADDRESSES: [&str; 8] =
    ["10.0.0.1", "10.0.1.1", "11.0.0.1", "::1", "2001:db8::1", "::ffff:10.0.0.1", "010.0.0.1", "10.0.0.1/8"];
const NETWORKS: [&str; 8] = [
    "10.0.0.0/8",
    "10.0.0.9/24",
    "10.0.0.1/32",
    "0.0.0.0/0",
    "::/0",
    "2001:db8::/32",
    "::ffff:10.0.0.0/104",
    "::1/128",
];
const NUMBERS: [&str; 18] = [
    "0",
    "-0",
    "1",
    "1.0",
    "10e-1",
    "2",
    "-1",
    "-1.5",
    "35",
    "3.5e1",
    "1e3",
    "1000",
    "0.1",
    "0.10000000000000001",
    "9007199254740993",
    "9007199254740992",
    "123456789012345678901",
    "1e40",
];
const WILDCARDS: [&str; 12] =
    ["*", "x*", "*x", "*y*", "x*z", "*bca*", "a*c", "*\\**", "*ß*", "日*", "a*b*c", "*a*b\\\\"];

/// JSON text, with notations of numbers that a parser would not keep.
pub(crate) fn data(random: &mut Random) -> String {
    object(random, 3)
}

fn object(random: &mut Random, depth: usize) -> String {
    let members: Vec<String> =
        (0..random.below(4)).map(|_| format!("{}:{}", Value::from(random.of(&NAMES)), value(random, depth))).collect();
    format!("{{{}}}", members.join(","))
}

fn value(random: &mut Random, depth: usize) -> String {
    match random.below(if depth == 0 { 6 } else { 10 }) {
        0 | 1 => random.of(&NUMBERS).to_owned(),
        2 | 3 => Value::from(random.of(&TEXTS)).to_string(),
        4 => Value::from(random.of(&ADDRESSES)).to_string(),
        5 => random.of(&["null", "true", "false", "[]", "{}"]).to_owned(),
        6 | 7 => object(random, depth - 1),
        _ => {
            let elements: Vec<String> = (0..random.below(4)).map(|_| value(random, depth - 1)).collect();
            format!("[{}]", elements.join(","))
        }
    }
}

/// A pattern; nearly all are accepted.
pub(crate) fn pattern(random: &mut Random) -> Value {
    Value::Object(level(random, 2))
}

fn level(random: &mut Random, depth: usize) -> Map<String, Value> {
    let mut members = Map::new();
    for _ in 0..=random.below(2) {
        let body = if depth > 0 && random.one_in(3) { Value::Object(level(random, depth - 1)) } else { leaf(random) };
        members.insert(random.of(&NAMES).to_owned(), body);
    }
    if depth > 0 && random.one_in(3) {
        let branches: Vec<Value> = (0..2 + random.below(2)).map(|_| Value::Object(level(random, depth - 1))).collect();
        members.insert("$or".to_owned(), Value::Array(branches));
    }
    members
}

fn leaf(random: &mut Random) -> Value {
    (0..=random.below(2)).map(|_| test(random)).collect()
}

fn number(random: &mut Random) -> Value {
    serde_json::from_str(random.of(&NUMBERS)).expect("a number")
}

fn some_texts(random: &mut Random, from: &[&str]) -> Value {
    if random.one_in(2) { random.of(from).into() } else { (0..=random.below(2)).map(|_| random.of(from)).collect() }
}

fn test(random: &mut Random) -> Value {
    match random.below(20) {
        0..3 => number(random),
        3..5 => random.of(&TEXTS).into(),
        5 => random.of(&ADDRESSES).into(),
        6 => [Value::Null, true.into(), false.into()][random.below(3)].clone(),
        7 => json!({"prefix": random.of(&TEXTS)}),
        8 => json!({"suffix": random.of(&TEXTS)}),
        9 => json!({"equals-ignore-case": random.of(&TEXTS)}),
        10 => json!({"prefix": {"equals-ignore-case": random.of(&TEXTS)}}),
        11 => json!({"suffix": {"equals-ignore-case": random.of(&TEXTS)}}),
        12 => json!({"wildcard": random.of(&WILDCARDS)}),
        13 => json!({"numeric": [random.of(&["=", "<", "<=", ">", ">="]), number(random)]}),
        14 => {
            let (low, high) = ([-2, 0, 1][random.below(3)], [2, 35, 1_000][random.below(3)]);
            json!({"numeric": [random.of(&[">", ">="]), low, random.of(&["<", "<="]), high]})
        }
        15 => json!({"cidr": random.of(&NETWORKS)}),
        16 | 17 => json!({"exists": random.one_in(2)}),
        _ => json!({"anything-but": excluded(random)}),
    }
}

fn excluded(random: &mut Random) -> Value {
    match random.below(6) {
        0 => number(random),
        1 => (0..=random.below(2)).map(|_| number(random)).collect(),
        2 => some_texts(random, &TEXTS),
        3 => json!({random.of(&["prefix", "suffix"]): some_texts(random, &TEXTS[1..])}),
        4 => json!({"equals-ignore-case": some_texts(random, &TEXTS)}),
        _ => json!({"wildcard": some_texts(random, &WILDCARDS)}),
    }
}
