//! Every mistake is reported with its line and its fix, and all of them at once.

use super::*;

/// An entity with a valid attribute except for `change`, from line 1.
fn attribute(change: (&str, &str)) -> String {
    let text = "[[entity]]\nname = \"GUEST\"\ndescription = \"G.\"\n[[entity.attribute]]\ntag = \"NAME\"\n\
        path = \"guest.name\"\ntype = \"string\"\ndescription = \"N.\"\nexample = \"Nora\"\n";
    assert!(text.contains(change.0), "{}", change.0);
    text.replacen(change.0, change.1, 1)
}

/// The same, for an event without entities.
fn event(change: (&str, &str)) -> String {
    let text = "[[event]]\ntype = \"guest.created\"\ndescription = \"G.\"\nentities = []\n";
    assert!(text.contains(change.0), "{}", change.0);
    text.replacen(change.0, change.1, 1)
}

fn messages(texts: &[(&str, &str)]) -> Vec<String> {
    let errors = read(texts).expect_err("refused");
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn each_mistake_is_named_with_its_line_and_fix() {
    let nothing = ("", "");
    let second = attribute(nothing);
    let two = |a: &str, b: &str| format!("{a}{b}");
    for (text, expected) in [
        ("".into(), "the dictionary has no event type and no entity; write [[event]]"),
        (event(("guest.created", "guest created")), "f:2: \"guest created\" is not an event type"),
        (event(("guest.created", "")), "f:2: `type` is empty; write one such as"),
        (event(("type", "typ")), "f:1: an event has no `type`; write one such as"),
        (event(("entities = []", "")), "f:1: an event has no `entities`; write the names"),
        (event(("[]", "\"GUEST\"")), "f:4: `entities` must be a list of texts, not a text; write"),
        (event(("[]", "[1]")), "f:4: `entities` must be a list of texts; one is a number; write"),
        (
            event(("[]", "[\"GUEST\"]")),
            "f:4: guest.created carries the entity \"GUEST\", which no file describes; describe it",
        ),
        (event(("description = \"G.\"", "")), "f:1: an event has no `description`; say in a sentence"),
        (event(("[[event]]", "[event]")), "f:1: `event` is a table; write [[event]]"),
        (event(("[[event]]", "[[evnt]]")), "f:1: a dictionary file has no member \"evnt\"; did you mean `event`?"),
        (two(&event(nothing), &event(nothing)), "f:5: the event type guest.created is also at f:1; keep one"),
        (
            two(&attribute(nothing), &event(("[]", "[\"GEUST\"]"))),
            "f:13: guest.created carries the entity \"GEUST\", which no file describes; did you mean GUEST?",
        ),
        (
            two(&attribute(nothing), &event(("[]", "[\"GUEST\", \"guest\"]"))),
            "f:13: the entity guest differs only by case from GUEST at f:13",
        ),
        (two(&attribute(nothing), &second), "f:10: the entity GUEST is also at f:1; keep one"),
        (
            two(&attribute(nothing), &second.replace("GUEST", "Guest")),
            "f:10: the entity Guest differs only by case from GUEST at f:1",
        ),
        (
            two(&attribute(nothing), &second[second.find("[[entity.").expect("it")..]),
            "f:10: the tag NAME is also at f:4; keep one",
        ),
        (
            two(&attribute(nothing), &second[second.find("[[entity.").expect("it")..].replace("NAME", "name")),
            "f:10: the tag name differs only by case from NAME at f:4",
        ),
        (attribute(("GUEST", "GUE:ST")), "f:2: `name` can't be \"GUE:ST\": it has the character ':'; write letters"),
        (
            attribute(("NAME", "FIRST NAME")),
            "f:5: `tag` can't be \"FIRST NAME\": it has the character ' '; write letters",
        ),
        (attribute(("NAME", "NÄME")), "f:5: `tag` can't be \"NÄME\": it has the character 'Ä'; write letters"),
        (attribute(("NAME", &"N".repeat(65))), "it is longer than 64 bytes; write letters"),
        (attribute(("guest.name", "guest..name")), "f:6: \"guest..name\" is not a path: a word is empty; write"),
        (
            attribute(("guest.name", "guest.0")),
            "f:6: \"guest.0\" is not a path: the word \"0\" begins with a digit; write",
        ),
        (
            attribute(("guest.name", "guest.first-name")),
            "f:6: \"guest.first-name\" is not a path: it has the character '-'; write",
        ),
        (attribute(("guest.name", &"g.".repeat(200))), "it is longer than 255 bytes; write"),
        (attribute(("guest.name", "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a")), "it has more than 16 words; write"),
        (
            attribute(("guest.name", "event.name")),
            "f:4: the path event.name is reserved: Posthaste puts `event` into every template's data; write another path",
        ),
        (attribute(("guest.name", "event")), "f:4: the path event is reserved"),
        (
            attribute(("[[entity.", "from_engine = true\n[[entity.")),
            "f:5: Posthaste fills nothing at guest.name; write one of event.type",
        ),
        (
            attribute(("[[entity.", "from_engine = \"yes\"\n[[entity.")),
            "f:4: `from_engine` must be true or false, not a text; write it",
        ),
        (attribute(("\"string\"", "\"sting\"")), "f:7: \"sting\" is not a type; did you mean \"string\"?"),
        (attribute(("\"string\"", "\"money\"")), "f:7: \"money\" is not a type; write one of string, number,"),
        (attribute(("\"string\"", "\"date\"")), "f:9: the example is not of the type date; write a date in quotes"),
        (
            attribute(("\"Nora\"", "2026-08-14")),
            "f:9: `example` is a date or time without quotes; write a text in quotes",
        ),
        (attribute(("\"Nora\"", "nan")), "f:9: `example` is a number that JSON can't write; write"),
        (attribute(("\"Nora\"", "0x10")), "f:9: `example` is a number that is not decimal; write"),
        (attribute(("example = \"Nora\"", "")), "f:4: an attribute has no `example`; write a text in quotes"),
        (attribute(("example", "exmaple")), "f:9: an attribute has no member \"exmaple\"; did you mean `example`?"),
        (
            attribute(("[[entity.attribute]]", "colour = 1\n[[entity.attribute]]")),
            "f:4: an entity has no member \"colour\"; known are name,",
        ),
        (attribute(("\"Nora\"", "Nora")), "f:9: this is not TOML: "),
        (attribute(("tag = \"NAME\"", "tag = \"NAME\"\ntag = \"B\"")), "f:6: this is not TOML: duplicate key; write"),
    ] {
        let found = messages(&[("f", &text)]);
        assert!(found.iter().any(|message| message.contains(expected)), "{expected}\n{found:#?}");
    }
}

#[test]
fn paths_that_contradict_one_another_are_refused() {
    let base = attribute(("", ""));
    for (path, kind, example, expected) in [
        ("guest.name", "string", "\"Ada\"", "f:13: the path guest.name has another type or example than OTHER:T"),
        ("guest.name", "integer", "1", "f:13: the path guest.name has another type or example than OTHER:T"),
        (
            "guest",
            "string",
            "\"Ada\"",
            "f:13: the path guest.name goes through OTHER:T at f:4, which is of the type string; make that one an object",
        ),
    ] {
        let other = format!(
            "[[entity]]\nname = \"OTHER\"\ndescription = \"O.\"\n[[entity.attribute]]\ntag = \"T\"\npath = \"{path}\"\ntype = \"{kind}\"\ndescription = \"N.\"\nexample = {example}"
        );
        let base = base.replace("[[entity]]", "\n[[entity]]");
        let found = messages(&[("f", &(other + &base))]);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].starts_with(expected), "{expected}\n{found:#?}");
    }
}

#[test]
fn all_files_are_read_and_mistakes_come_by_file_and_line() {
    let broken = "[[entity]\nname = \"GUEST\"\n";
    let two = event(("guest.created", "")) + &event(("type", "tpye"));
    let lines: Vec<(String, Option<usize>)> =
        read(&[("b.toml", two.as_str()), ("a.toml", broken), ("c.toml", event(("[]", "[\"GUEST\"]")).as_str())])
            .expect_err("refused")
            .into_iter()
            .map(|error| (error.file, error.line))
            .collect();
    // Nothing of c.toml: the entity that it names may be in a file that could not be read.
    let expected = [("a.toml", 1), ("b.toml", 2), ("b.toml", 5), ("b.toml", 6)];
    assert_eq!(lines, expected.map(|(f, l)| (f.to_owned(), Some(l))));
}

#[test]
fn a_message_never_carries_a_whole_file() {
    let text = event(("guest.created", &"x y ".repeat(10_000)));
    assert!(messages(&[("f", &text)]).iter().all(|m| m.len() < 400));
    let text = format!("{}{} = 1\n", event(("", "")), "k".repeat(10_000));
    assert!(messages(&[("f", &text)]).iter().all(|m| m.len() < 400));
}

#[test]
fn a_file_cut_anywhere_is_read_or_refused_with_a_line_of_its_own() {
    for end in 0..SMALL.len() {
        let text = &SMALL[..end];
        for error in read(&[("f", text)]).err().into_iter().flatten() {
            let lines = 1..=text.matches('\n').count() + 1;
            assert!(error.line.is_none_or(|line| lines.contains(&line)), "{error}");
        }
    }
}
