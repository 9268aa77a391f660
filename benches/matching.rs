//! The filter index at sizes up to a million triggers, as a node holds them: events per second of processor time (parsed
//! long before, just before, and from JSON), the time to build it, the time of one change (the mean, and the most of 99 of
//! 100), and the resident memory of a trigger: of all of it, and of what the index adds to a disabled one.
//! Times are of the thread's own processor time, so that other work on the machine does not count. Each row is a process
//! of its own, so that none uses memory that another gave back. Where the cost must not depend on the number of triggers, the
//! greatest number and 1,000 are also compared in turns.
//!
//! The first argument is the greatest number of triggers (1,000,000), the second one kind of filters, the third one number
//! of accounts.
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use posthaste::config::Config;
use posthaste::dictionary::Dictionary;
use posthaste::json::Document;
use posthaste::live::{Live, huge_pages};
use posthaste::matching::index::{Search, SearchEnd};
use posthaste::model::event::EventType;
use posthaste::model::id::AccountId;
use posthaste::model::trigger::Trigger;
use posthaste::store::{Change, ChangeSink, SavedTrigger};
use posthaste::telemetry::metrics::Metrics;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

/// That of a node.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIZES: [usize; 4] = [1, 1_000, 100_000, 1_000_000];
const ACCOUNTS: [usize; 3] = [1, 10_000, 100_000];
/// Steps of a slice, as in the Matcher.
const STEPS_AT_ONCE: usize = 4_096;
/// Changes told at once, as a store tells them.
const CHANGES: usize = 1_000;
/// Changes told one by one.
const SINGLE_CHANGES: u32 = 500;

/// A kind of filters: its name, and the filter of the trigger of a number in its account. Number 0 matches the event.
type Kind = (&'static str, fn(usize) -> Value);

const KINDS: [Kind; 5] = [
    ("exact", |n| json!({"rental": {"id": [format!("r{n}")]}, "inquiry": {"status": ["open"]}})),
    ("mixed", mixed),
    ("wildcards", |n| match n {
        0 => json!({"guest": {"name": [{"wildcard": "*ria*Sou*"}]}}),
        n => json!({"guest": {"name": [{"wildcard": format!("*a{}*b{n}*", n % 7)}]}}),
    }),
    ("no witness", |n| match n {
        0 => json!({"guest": {"spouse": [{"exists": false}]}}),
        _ => json!({"guest": {"name": [{"exists": false}]}}),
    }),
    ("same value", |n| json!({"inquiry": {"status": ["open"], "nights": [n + 7]}})),
];

fn mixed(n: usize) -> Value {
    let id = format!("r{n}");
    match n % 5 {
        0 => json!({"rental": {"id": [id]}}),
        1 => json!({"guest": {"email": [{"suffix": format!("@{id}.example")}]}, "inquiry": {"channel": ["airbnb"]}}),
        2 => json!({"inquiry": {"cost": [{"numeric": [">", n, "<=", n + 1]}], "paid": [true]}}),
        3 => json!({"guest": {"country": ["PT", "ES"]}, "rental": {"id": [id]}}),
        _ => json!({"guest": {"name": [{"prefix": format!("Name{id}-")}]}, "inquiry": {"status": ["open"]}}),
    }
}

/// The events of a measurement, as many for each size. Each hits another trigger than the one before where the filters
/// name one, so that what it touches is not in the processor's caches because of that.
const EVENTS: usize = 4_096;

/// The event that the trigger of a number matches.
fn event(n: usize) -> String {
    let id = format!("r{n}");
    let data = json!({
        "rental": {"id": id, "name": "Casa do Mar", "rooms": [{"kind": "bed", "beds": 2}, {"kind": "bath", "beds": 0}]},
        "guest": {"id": "g-1", "name": format!("Maria {n} Sousa"), "email": format!("maria@post{n}.example"), "country": "PT", "phone": "+351 1"},
        "inquiry": {"id": "q-1", "cost": n as f64 + 0.50, "nights": 7, "paid": false, "status": "open", "channel": "direct"},
    });
    data.to_string()
}

/// The events that hit triggers all over an account, in an order that no cache guesses.
fn events(kind: &Kind, own: usize) -> Vec<String> {
    let hit =
        |at: usize| if matches!(kind.0, "exact" | "mixed") { at * 2_654_435_761 % own.div_ceil(5) * 5 } else { 0 };
    (0..EVENTS).map(|at| event(hit(at))).collect()
}

fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs().try_into().unwrap_or(0))
}

fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4_096
}

fn live() -> Live {
    let config = Config::from_layers(None, []).expect("the defaults");
    let dictionary = Arc::new(Dictionary::shipped());
    Live::new(dictionary, config.templates, config.matching, config.dispatch.egress, Arc::new(Metrics::new()))
}

fn account(number: usize) -> AccountId {
    AccountId::new(&format!("account{number}")).expect("a name")
}

fn change(live: &Live, kind: &Kind, number: usize, accounts: usize, enabled: bool) -> Change {
    let (of, own) = (number % accounts, number / accounts);
    let document = json!({
        "id": format!("t{own}"), "event": "inquiry.created", "template": "w", "url": "https://example.com/hook",
        "where": (kind.1)(own), "enabled": enabled || own == 0,
    });
    let trigger = Trigger::from_json(document).expect("a trigger");
    let target = live.target(&account(of), &trigger);
    Change::Trigger(account(of), trigger.id.clone(), Some(SavedTrigger { trigger, target }))
}

/// With fewer triggers, their memory is lost among that of the process.
const WEIGHED_MIN: usize = 100_000;

/// Events that are parsed before their matching is measured, as many as a request may bring.
const PARSED_AT_ONCE: usize = 64;

/// How the events of a measurement come.
enum Arriving<'a> {
    /// Parsed long before, so that they are in no cache.
    Parsed(&'a [Document]),
    /// Parsed just before, as in a node. The time for that does not count.
    JustParsed(&'a [String]),
    /// The time that it takes to parse them counts.
    Json(&'a [String]),
}

fn parse(text: &str) -> Document {
    Document::read(text.to_owned().into()).expect("JSON")
}

/// Matches one event. Returns how many triggers it fires.
fn fire(live: &Live, account: &AccountId, event_type: &EventType, document: &Document) -> usize {
    let (data, index, mut fired) = (document.object().expect("an object"), live.index(), 0);
    let buckets = index.account(account).into_iter().flat_map(|account| account.listeners(event_type.as_str()));
    let mut search = Search::new(buckets, live.matching());
    // In slices, as the Matcher does.
    while search.run(data, STEPS_AT_ONCE, |trigger| {
        fired += 1;
        black_box(trigger);
        true
    }) == SearchEnd::Paused
    {}
    fired
}

/// Matches events until some processor time is over: events per second, and what one fires.
fn rate(live: &Live, arriving: &Arriving<'_>, time: Duration) -> (f64, usize) {
    let (account, event_type) = (account(0), EventType::new("inquiry.created").expect("a type"));
    let (mut spent, mut events, mut fired) = (Duration::ZERO, 0_usize, 0);
    while spent < time {
        // Asking for the time costs a system call, and a budget of steps bounds each event.
        let numbers = events..events + PARSED_AT_ONCE;
        events = numbers.end;
        let of = |texts: &[String], number: usize| parse(&texts[number % texts.len()]);
        let just_parsed: Vec<Document> = match arriving {
            Arriving::JustParsed(texts) => numbers.clone().map(|number| of(texts, number)).collect(),
            _ => Vec::new(),
        };
        let begun = processor_time();
        fired += match arriving {
            Arriving::Parsed(all) => {
                numbers.map(|number| fire(live, &account, &event_type, &all[number % all.len()])).sum::<usize>()
            }
            Arriving::JustParsed(_) => just_parsed.iter().map(|event| fire(live, &account, &event_type, event)).sum(),
            Arriving::Json(texts) => numbers.map(|number| fire(live, &account, &event_type, &of(texts, number))).sum(),
        };
        spent += processor_time() - begun;
    }
    (events as f64 / spent.as_secs_f64(), fired / events)
}

/// Triggers in accounts, the time that it took to add them, and the resident bytes of each.
fn build(kind: &Kind, triggers: usize, accounts: usize, enabled: bool) -> (Live, Duration, usize) {
    let live = live();
    let (before, mut building) = (resident_bytes(), Duration::ZERO);
    let mut next = live.snapshot(triggers);
    for first in (0..triggers).step_by(CHANGES) {
        let numbers = first..triggers.min(first + CHANGES);
        let changes = numbers.map(|number| change(&live, kind, number, accounts, enabled)).collect();
        let begun = processor_time();
        next.add(changes);
        building += processor_time() - begun;
    }
    next.finish();
    let bytes = resident_bytes().saturating_sub(before) / triggers;
    (live, building, bytes)
}

fn one_change(live: &Live, change: Change) -> Duration {
    let begun = processor_time();
    live.apply(vec![change]);
    processor_time() - begun
}

fn measure(kind: &Kind, triggers: usize, accounts: usize) {
    let (live, building, bytes) = build(kind, triggers, accounts, true);
    let texts = events(kind, triggers / accounts);
    let parsed: Vec<Document> = texts.iter().map(|text| parse(text)).collect();
    let arriving = [Arriving::Parsed(&parsed), Arriving::JustParsed(&texts), Arriving::Json(&texts)];
    let [(parsed_rate, fires), (just_rate, _), (json_rate, _)] =
        arriving.each_ref().map(|arriving| rate(&live, arriving, Duration::from_secs(1)));
    // All over the accounts; where there are fewer triggers, the same ones again.
    let number = |n: u32| n as usize * (triggers / SINGLE_CHANGES as usize).max(1) % triggers;
    let changes: Vec<Change> = (0..SINGLE_CHANGES).map(|n| change(&live, kind, number(n), accounts, true)).collect();
    let mut taken: Vec<f64> = changes.into_iter().map(|change| one_change(&live, change).as_secs_f64() * 1e6).collect();
    let one = taken.iter().sum::<f64>() / f64::from(SINGLE_CHANGES);
    taken.sort_by(f64::total_cmp);
    let weighed = |bytes: usize| if triggers < WEIGHED_MIN { "-".to_owned() } else { bytes.to_string() };
    let in_index = match triggers {
        WEIGHED_MIN.. => bytes.saturating_sub(again(kind.0, triggers, accounts, DISABLED).trim().parse().unwrap_or(0)),
        _ => 0,
    };
    println!(
        "{:<11} {triggers:>9} {accounts:>8} {parsed_rate:>11.0} {just_rate:>13.0} {json_rate:>9.0} {fires:>5} {:>9.2} {one:>10.1} {:>9.1} {:>9} {:>8}",
        kind.0,
        building.as_secs_f64(),
        taken[taken.len() * 99 / 100],
        weighed(bytes),
        weighed(in_index),
    );
}

/// Rounds of a comparison, and the time of each side in one.
const ROUNDS: usize = 21;
const ROUND: Duration = Duration::from_millis(100);
/// The smaller side of a comparison.
const FEW: usize = 1_000;

/// How much more an event costs among this many triggers than among a thousand, in one account: both in this process and
/// in turns, since the memory of a shared machine is not steady. The medians of both rates, and of the ratios of the
/// rounds with their quartiles.
fn compare(kind: &Kind, triggers: usize) {
    let sides = [FEW, triggers].map(|triggers| {
        let (live, texts) = (build(kind, triggers, 1, true).0, events(kind, triggers));
        let parsed: Vec<Document> = texts.iter().map(|text| parse(text)).collect();
        (live, texts, parsed)
    });
    let [long_before, just_before] = [false, true].map(|just| {
        let arriving = sides.each_ref().map(|(live, texts, parsed)| match just {
            false => (live, Arriving::Parsed(parsed)),
            true => (live, Arriving::JustParsed(texts)),
        });
        let round = |_| arriving.each_ref().map(|(live, arriving)| rate(live, arriving, ROUND).0);
        (0..ROUNDS).map(round).collect::<Vec<[f64; 2]>>()
    });
    for (how, rounds) in [("parsed", long_before), ("just parsed", just_before)] {
        let sorted = |of: fn(&[f64; 2]) -> f64| {
            let mut all: Vec<f64> = rounds.iter().map(of).collect();
            all.sort_by(f64::total_cmp);
            all
        };
        let [few, many, ratios] = [sorted(|both| both[0]), sorted(|both| both[1]), sorted(|both| both[0] / both[1])];
        println!(
            "{:<11} {FEW} and {triggers} in turns: {:.0} and {:.0} {how}/s; ratio {:.2} ({:.2} to {:.2})",
            kind.0,
            few[ROUNDS / 2],
            many[ROUNDS / 2],
            ratios[ROUNDS / 2],
            ratios[ROUNDS / 4],
            ratios[ROUNDS * 3 / 4],
        );
    }
}

const ROW: &str = "row";
const TURNS: &str = "turns";
const DISABLED: &str = "disabled";

/// What a process of its own prints.
fn again(kind: &str, triggers: usize, accounts: usize, what: &str) -> String {
    let own = std::env::current_exe().expect("this program");
    let words = [what, kind, &triggers.to_string(), &accounts.to_string()];
    let output = Command::new(own).args(words).output().expect("a process");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn main() {
    // As a node does.
    huge_pages::disable();
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let number = |at: usize| words.get(at).and_then(|word| word.replace(',', "").parse().ok());
    let wanted = words.get(1).map(String::as_str);
    let mut kinds = KINDS.iter().filter(|kind| wanted.is_none_or(|wanted| kind.0 == wanted));
    match (words.first().map(String::as_str), number(2), number(3)) {
        (Some(ROW), Some(triggers), Some(accounts)) => {
            return kinds.for_each(|kind| measure(kind, triggers, accounts));
        }
        (Some(TURNS), Some(triggers), Some(_)) => return kinds.for_each(|kind| compare(kind, triggers)),
        (Some(DISABLED), Some(triggers), Some(accounts)) => {
            return kinds.for_each(|kind| println!("{}", build(kind, triggers, accounts, false).2));
        }
        _ => {}
    }
    let (most, only) = (number(0).unwrap_or(1_000_000), number(2));
    println!(
        "filters      triggers accounts    parsed/s just parsed/s    JSON/s fires build (s) change (us) 99 of 100 bytes/all in index"
    );
    for kind in kinds.by_ref() {
        for triggers in SIZES.into_iter().filter(|triggers| *triggers <= most) {
            let fits = |accounts: &usize| *accounts == 1 || *accounts * 10 <= triggers;
            let wanted = |accounts: &usize| only.is_none_or(|only| *accounts == only);
            for accounts in ACCOUNTS.into_iter().filter(fits).filter(wanted) {
                print!("{}", again(kind.0, triggers, accounts, ROW));
            }
        }
        if matches!(kind.0, "exact" | "mixed") && most > FEW && only.is_none_or(|only| only == 1) {
            print!("{}", again(kind.0, most, 1, TURNS));
        }
    }
}
