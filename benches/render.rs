//! Rendering, beside plain handlebars without escaping on the same template and the same data: flat
//! and nested bodies, a loop, each format. At the end one table of ratios, and exit code 1 where one
//! is over the aim.
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use handlebars::{Context, Handlebars};
use posthaste::model::attributes::Attributes;
use posthaste::model::event::{EventIdentity, EventPattern, EventType};
use posthaste::model::id::AccountId;
use posthaste::model::template::Format;
use posthaste::templating::{CompiledTemplate, Data, EventDetails, TagLookup, TemplateLimits, compile};
use serde_json::{Value, json};

struct Nothing;

impl TagLookup for Nothing {
    fn tag_path(&self, _entity: &str, _attribute: &str) -> Option<&str> {
        None
    }
    fn tags(&self) -> Vec<String> {
        Vec::new()
    }
    fn paths(&self, _event: Option<&EventPattern>) -> Option<Vec<String>> {
        None
    }
}

/// Name, whether it has blocks, format, template.
const BODIES: [(&str, bool, Format, &str); 11] = [
    (
        "json flat",
        false,
        Format::Json,
        r#"{"text": "New guest {{guest.name}} ({{guest.email}})", "phone": "{{guest.phone}}", "nights": {{inquiry.nights}}, "cost": {{inquiry.cost}}, "id": "{{event.id}}"}"#,
    ),
    (
        "json nested",
        true,
        Format::Json,
        r#"{"guest": {"name": "{{guest.name}}", "address": {"city": "{{guest.address.city}}", "zip": "{{guest.address.zip}}"}}, {{#if guest.email}}"email": "{{guest.email}}", {{/if}}{{#with inquiry}}"stay": {"nights": {{nights}}, "cost": {{cost}}}{{else}}"stay": null{{/with}}}"#,
    ),
    (
        "json loop",
        true,
        Format::Json,
        r#"{"rooms": [{{#each rooms}}{"name": "{{name}}", "beds": {{beds}}, "guest": "{{@root.guest.name}}"}{{#unless @last}},{{/unless}}{{/each}}]}"#,
    ),
    (
        "xml flat",
        false,
        Format::Xml,
        r#"<guest id="{{event.id}}"><name>{{guest.name}}</name><email>{{guest.email}}</email><nights>{{inquiry.nights}}</nights></guest>"#,
    ),
    (
        "xml nested",
        true,
        Format::Xml,
        r#"<guest><name>{{guest.name}}</name>{{#with guest.address}}<address zip="{{zip}}"><city>{{city}}</city></address>{{/with}}{{#if guest.phone}}<phone>{{guest.phone}}</phone>{{/if}}</guest>"#,
    ),
    ("xml loop", true, Format::Xml, r#"<rooms>{{#each rooms}}<room beds="{{beds}}">{{name}}</room>{{/each}}</rooms>"#),
    (
        "form flat",
        false,
        Format::Form,
        "name={{guest.name}}&email={{guest.email}}&nights={{inquiry.nights}}&cost={{inquiry.cost}}",
    ),
    (
        "form loop",
        true,
        Format::Form,
        "name={{guest.name}}{{#each rooms}}&room{{@index}}={{name}}&beds{{@index}}={{beds}}{{/each}}",
    ),
    (
        "text flat",
        false,
        Format::Text,
        "Dear {{guest.name}}, your stay of {{inquiry.nights}} nights costs {{inquiry.cost}}.",
    ),
    (
        "text nested",
        true,
        Format::Text,
        "Dear {{guest.name}},{{#with inquiry}} your stay of {{nights}} nights{{#if cost}} costs {{cost}}{{/if}}.{{/with}}",
    ),
    ("text loop", true, Format::Text, "Rooms:{{#each rooms}} {{name}} with {{beds}} beds;{{/each}}"),
];

/// Bodies with helpers and separators, which plain handlebars has not: only their time is shown.
const HELPERS: [(&str, Format, &str); 8] = [
    (
        "separator",
        Format::Json,
        r#"[{{#each rooms separator=","}}{{#if beds}}{"name": "{{name}}", "beds": {{beds}}}{{/if}}{{/each}}]"#,
    ),
    (
        "parts",
        Format::Json,
        r#"{ {{#parts}}{{#if guest.name}}"name": "{{guest.name}}"{{/if}}{{#if guest.none}}"none": 1{{/if}}{{#if guest.email}}"email": "{{guest.email}}"{{/if}}{{/parts}} }"#,
    ),
    (
        "arithmetic",
        Format::Json,
        r#"[{{add inquiry.cost 1}},{{multiply inquiry.cost 100}},{{round (divide inquiry.cost inquiry.nights) 2}}]"#,
    ),
    (
        "dates",
        Format::Text,
        r#"{{date event.time "%d %B %Y" tz="Europe/Rome" locale="de"}} {{date_add event.time days=2}} {{unix event.time}}"#,
    ),
    (
        "money",
        Format::Text,
        r#"{{number inquiry.cost decimals=2}} {{money inquiry.cost "EUR" locale="de" symbol=true}}"#,
    ),
    ("lists", Format::Json, r#"[{{sum rooms "beds"}},{{pluck (where rooms "beds" 2) "name"}},{{length rooms}}]"#),
    (
        "texts",
        Format::Text,
        r#"{{title guest.name}} {{replace guest.phone " " ""}} {{first (split guest.name " ")}} {{pad_start inquiry.nights 4 "0"}}"#,
    ),
    (
        "encodings",
        Format::Text,
        r#"{{url_encode guest.name}} {{html guest.name}} {{csv guest.name}} {{base64 guest.name}} {{sha256 guest.email}}"#,
    ),
];

/// How much of plain handlebars' time may be taken, with blocks and without.
const WITH_BLOCKS_MAX: f64 = 1.25;
const WITHOUT_MAX: f64 = 1.0;

/// The allocator is the program's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn data() -> Value {
    let rooms: Vec<Value> = (0..20).map(|n| json!({"name": format!("Room {n}"), "beds": n % 4})).collect();
    json!({
        "guest": {"name": "Anna \"A\" O'Neil & Söhne", "email": "anna@example.com", "phone": "+39 06 1234567",
            "address": {"city": "Roma", "zip": "00184"}},
        "inquiry": {"nights": 7, "cost": 1234.5},
        "rooms": rooms,
    })
}

struct Pair {
    name: &'static str,
    blocks: bool,
    ours: CompiledTemplate,
    data: Data,
    plain: Handlebars<'static>,
    context: Context,
}

fn pairs() -> Vec<Pair> {
    let Value::Object(members) = data() else { unreachable!("an object") };
    let event_type = EventType::new("guest.created").expect("a type");
    let account = AccountId::new("acme").expect("a name");
    let identity = EventIdentity::new(&account, &event_type, "", "evt_1");
    let details = EventDetails { identity, time: "2026-01-01T00:00:00Z".into(), attributes: Attributes::default() };
    let mut told = data();
    told["event"] = json!({"type": "guest.created", "id": "evt_1", "time": "2026-01-01T00:00:00Z", "account": "acme"});
    let pair = |&(name, blocks, format, body): &(&'static str, bool, Format, &str)| {
        let checked = compile(format, body, &Nothing, None, &TemplateLimits::default());
        let ours = checked.compiled.unwrap_or_else(|| panic!("{name}: {:?}", checked.diagnostics));
        let mut plain = Handlebars::new();
        plain.register_escape_fn(handlebars::no_escape);
        plain.register_template_string("body", body).expect("a template");
        let context = Context::wraps(&told).expect("data");
        Pair { name, blocks, ours, data: Data::of(members.clone().into(), details.clone()), plain, context }
    };
    BODIES.iter().map(pair).collect()
}

impl Pair {
    fn run_ours(&self) -> usize {
        self.ours.render(black_box(&self.data)).expect("within bounds").len()
    }

    fn run_plain(&self) -> usize {
        self.plain.render_with_context("body", black_box(&self.context)).expect("a body").len()
    }
}

/// The shortest of many short runs, so that a neighbour on the machine counts for little.
fn best(mut run: impl FnMut() -> usize) -> Duration {
    const RUNS: usize = 200;
    const ROUNDS: u32 = 200;
    let time = |_| {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            black_box(run());
        }
        start.elapsed() / ROUNDS
    };
    (0..RUNS).map(time).min().unwrap_or_default()
}

fn render(criterion: &mut Criterion) {
    let pairs = pairs();
    for pair in &pairs {
        let mut group = criterion.benchmark_group(pair.name);
        group.bench_function("ours", |bencher| bencher.iter(|| pair.run_ours()));
        group.bench_function("plain handlebars", |bencher| bencher.iter(|| pair.run_plain()));
        group.finish();
    }
    println!("\n{:<14}{:>12}{:>20}{:>8}{:>8}", "body", "ours", "plain handlebars", "ratio", "aim");
    let mut over = false;
    for pair in &pairs {
        let (ours, plain) = (best(|| pair.run_ours()), best(|| pair.run_plain()));
        let ratio = ours.as_secs_f64() / plain.as_secs_f64();
        let aim = if pair.blocks { WITH_BLOCKS_MAX } else { WITHOUT_MAX };
        over |= ratio > aim;
        println!("{:<14}{:>12}{:>20}{ratio:>8.2}{aim:>8.2}", pair.name, format!("{ours:?}"), format!("{plain:?}"));
    }
    println!();
    for (name, format, body) in HELPERS {
        let checked = compile(format, body, &Nothing, None, &TemplateLimits::default());
        let ours = checked.compiled.unwrap_or_else(|| panic!("{name}: {:?}", checked.diagnostics));
        let time = best(|| ours.render(black_box(&pairs[0].data)).expect("within bounds").len());
        println!("{name:<14}{:>12}", format!("{time:?}"));
    }
    if over {
        println!("over the aim");
        std::process::exit(1);
    }
}

/// The longest body with the most expressions, on one line or on many, in a block or not.
fn longest(line_break: &str, block: bool) -> String {
    let member =
        |n: usize| format!("{line_break}  \"member number {n:03}\": \"a text of some length {{{{guest.name}}}}\"");
    let members = (0..995).map(member).collect::<Vec<_>>().join(",");
    if block {
        format!("{{{{#with guest}}}}{{{members} }}{{{{else}}}}null{{{{/with}}}}")
    } else {
        format!("{{{members} }}")
    }
}

fn compiling(criterion: &mut Criterion) {
    let (_, _, format, body) = BODIES[1];
    let bodies = [
        ("json nested", body.to_owned()),
        ("64 kB, many lines", longest("\n", false)),
        ("64 kB, one line", longest("", false)),
        ("64 kB, in a block", longest("\n", true)),
    ];
    for (name, body) in bodies {
        criterion.bench_function(&format!("compile {name}"), |bencher| {
            bencher.iter(|| compile(format, black_box(&body), &Nothing, None, &TemplateLimits::default()));
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1)).sample_size(30);
    targets = compiling, render
}
criterion_main!(benches);
