//! The shipped dictionary has every event type and tag that holiday-rental hosts know, and its examples describe one
//! stay.

use super::*;

/// The event types to cover.
const TYPES: &str = "guest.created guest.updated guest.deleted guest.message inquiry.created \
    booking.confirmed booking.cancelled hold.created hold.deleted invoice.created invoice.paid \
    invoice.cancelled contract.sent contract.viewed contract.signed contract.rejected \
    card.accepted card.declined card.deleted card.rejected channel.disabled \
    system.ical_import_error system.critical_error";

/// The tags to cover: those that hosts know, and those that are Posthaste's own.
const TAGS: [(&str, &str, &str); 8] = [
    ("GUEST", "NAME FNAME EMAIL PHONE ADDRESS CITY COUNTRY SOURCE BIRTHDAY SPOUSE HOBBY", ""),
    (
        "INQUIRY",
        "INQUIRY_ID ARRIVE DEPART CHECK_IN CHECK_OUT COST NIGHTS ADULTS CHILDREN BOOK_DATE \
         GUEST_PORTAL CHANNEL",
        "",
    ),
    ("RENTAL", "NAME CITY", "ID ADDRESS COUNTRY TYPE BEDROOMS TIMEZONE"),
    ("INVOICE", "", "ID INQUIRY_ID AMOUNT CURRENCY STATUS DUE"),
    ("CONTRACT", "DATE", "ID STATUS"),
    ("MESSAGE", "", "TEXT SENT_AT"),
    ("CHANNEL", "", "NAME REASON"),
    ("EVENT", "", "NAME ID TIME SOURCE SUBJECT"),
];

const OWN: &str = "(Posthaste's own name.)";

#[test]
fn every_type_and_tag_of_the_list_is_present() {
    let dictionary = Dictionary::shipped();
    for event_type in TYPES.split_whitespace() {
        assert!(dictionary.event(event_type).is_some(), "{event_type}");
    }
    assert_eq!(dictionary.events().count(), TYPES.split_whitespace().count());
    for (entity, known, own) in TAGS {
        for attribute in known.split_whitespace().chain(own.split_whitespace()) {
            assert!(dictionary.tag_path(entity, attribute).is_some(), "{entity}:{attribute}");
        }
    }
}

#[test]
fn our_own_names_say_so_and_no_others() {
    let known: HashSet<String> = TAGS
        .iter()
        .flat_map(|(entity, known, _)| known.split_whitespace().map(move |attribute| format!("{entity}:{attribute}")))
        .collect();
    let dictionary = Dictionary::shipped();
    for entity in dictionary.entities() {
        for attribute in &entity.attributes {
            let says = attribute.description.ends_with(OWN);
            assert_eq!(says, !known.contains(&attribute.tag), "{}", attribute.tag);
        }
    }
}

#[test]
fn paths_that_others_rely_on_stay() {
    let dictionary = Dictionary::shipped();
    for (entity, attribute, path) in [
        ("GUEST", "NAME", "guest.name"),
        ("INQUIRY", "NIGHTS", "inquiry.nights"),
        ("INQUIRY", "COST", "inquiry.cost"),
        ("RENTAL", "ID", "rental.id"),
        ("RENTAL", "CITY", "rental.address.city"),
        ("EVENT", "NAME", "event.type"),
        ("EVENT", "ID", "event.id"),
        ("EVENT", "TIME", "event.time"),
    ] {
        assert_eq!(dictionary.tag_path(entity, attribute), Some(path));
    }
}

#[test]
fn every_event_has_a_sample_and_every_entity_an_event() {
    let dictionary = Dictionary::shipped();
    let mut carried = HashSet::new();
    for event in dictionary.events() {
        let sample = dictionary.sample(event.event_type.as_str());
        assert!(!sample.is_empty(), "{}", event.event_type);
        assert!(!sample.contains_key("event"), "{}", event.event_type);
        assert_eq!(event.entities.last().map(String::as_str), Some("EVENT"));
        carried.extend(event.entities.iter().cloned());
    }
    for entity in dictionary.entities() {
        assert!(carried.contains(&entity.name), "{}", entity.name);
    }
}

#[test]
fn the_examples_describe_one_stay() {
    let sample = Value::Object(Dictionary::shipped().sample("unknown.type"));
    let text = |pointer: &str| sample.pointer(pointer).map(Value::to_string).expect(pointer);
    let date = |pointer: &str| -> jiff::civil::Date { text(pointer).trim_matches('"').parse().expect(pointer) };
    let nights = date("/inquiry/arrive").until(date("/inquiry/depart"));
    let nights = nights.expect("days between").get_days();
    assert_eq!(nights.to_string(), text("/inquiry/nights"));
    assert_eq!(text("/inquiry/cost"), "1260.00", "a price keeps its digits");
    for (one, other) in [
        ("/inquiry/id", "/invoice/inquiry_id"),
        ("/inquiry/rental_id", "/rental/id"),
        ("/inquiry/currency", "/invoice/currency"),
        ("/inquiry/source", "/guest/source"),
        ("/inquiry/source", "/channel/name"),
    ] {
        assert_eq!(text(one), text(other), "{one} {other}");
    }
    let first = text("/guest/name");
    assert!(first.starts_with(text("/guest/fname").trim_end_matches('"')));
}

#[test]
fn the_folder_holds_what_is_compiled_in() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/catalogue");
    let loaded = Dictionary::load(&dir).expect("the shipped folder");
    assert_eq!(loaded, Dictionary::shipped());
}
