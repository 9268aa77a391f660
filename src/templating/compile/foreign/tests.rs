//! What is advised for a habit of another language can be written here.

use crate::model::event::EventPattern;
use crate::model::template::Format::Text;
use crate::templating::compile::tag_lookup::TagLookup;
use crate::templating::{CompileContext, TemplateLimits, compile_in};

struct Nothing;

impl TagLookup for Nothing {
    fn tag_path(&self, _: &str, _: &str) -> Option<&str> {
        None
    }
    fn tags(&self) -> Vec<String> {
        Vec::new()
    }
    fn paths(&self, _: Option<&EventPattern>) -> Option<Vec<String>> {
        None
    }
}

fn advice(body: &str) -> Vec<String> {
    let checked = compile_in(Text, body, &CompileContext::of(&Nothing), &TemplateLimits::default());
    let about = checked.diagnostics.into_iter().filter(|found| found.code == "foreign_syntax");
    about.map(|found| found.message).collect()
}

/// Each row is a habit, and what the advice about it says to write.
#[rustfmt::skip]
const HABITS: &[(&str, &str)] = &[
    // Filters.
    ("{{x | upcase}}", "{{upper x}}"), ("{{ x|json }}", "{{json x}}"), ("{{x | raw}}", "{{x}}"), ("{{ x | default: \"y\" }}", "{{default x \"y\"}}"),
    ("{{ xs | map: \"n\" | join: \", \" }}", "{{join (pluck xs \"n\") \", \"}}"), ("{{ x | default(\"a|b\") | upper }}", "{{upper (default x \"a|b\")}}"),
    ("{{ x | truncate: 5, \"...\" }}", "{{truncate x 5 end=\"...\"}}"), ("{{ x | date: \"%d\" }}", "{{date x \"%d\"}}"), ("{{ 3 | plus: 4 }}", "{{add 3 4}}"),
    ("{{ x | remove: \"a\" }}", "{{replace x \"a\" \"\"}}"), ("{{ x | strip_html }}", "{{upper guest.name}}"), ("{{ x | plus }}", "{{upper guest.name}}"),
    ("{{#if x | size}}{{/if}}", "{{#if (length x)}}"), ("{{#if a}}{{else if x | size}}{{/if}}", "{{else if (length x)}}"),
    // Dots of Go's.
    ("{{.Field}}", "{{Field}}"), ("{{- .A.B -}}", "{{A.B}}"), ("{{#if .X}}{{/if}}", "{{#if X}}"), ("{{if .X}}", "{{#if X}}…{{/if}}"), ("{{range .Items}}", "{{#each Items}}…{{/each}}"),
    ("{{printf \"%s\" .X}}", "{{guest.name}}"), ("{{#each l}}{{.}}{{/each}}", "{{this}}"),
    // n8n.
    ("{{ $json[\"x\"] }}", "{{x}}"), ("{{$json.body.x}}", "{{body.x}}"), ("{{ $('Node').item.json.x }}", "{{x}}"), ("{{$node[\"A\"].json[\"b c\"].d}}", "{{[b c].d}}"),
    // Operators.
    ("{{a + b}}", "{{add a b}}"), ("{{guest.phone || \"none\"}}", "{{default guest.phone \"none\"}}"), ("{{#if a == \"x\"}}{{/if}}", "{{#if (eq a \"x\")}}"), ("{{#if a && b}}{{/if}}", "{{#if (and a b)}}"), ("{{#if a || b}}{{/if}}", "{{#if (or a b)}}"),
    ("{{#if !a}}{{/if}}", "{{#if (not a)}}"), ("{{#if a}}{{else if b >= 3}}{{/if}}", "{{else if (gte b 3)}}"), ("{{ a ? b : c }}", "{{#if a}}…{{else}}…{{/if}}"), ("{{#if a > 1 && b}}{{/if}}", "{{#if (and (gt a 1) b)}}"), ("{{#if a + 1 > b}}{{/if}}", "{{#if (and (gt a 1) (eq b \"x\"))}}"),
    // Methods and elements.
    ("{{x.toUpperCase()}}", "{{upper x}}"), ("{{x.foo(1)}}", "{{upper guest.name}}"), ("{{#if x.trim()}}{{/if}}", "{{#if (trim x)}}"), ("{{x.toFixed(2)}}", "{{number inquiry.cost decimals=2 group=\",\" point=\".\" locale=\"de\"}}"), ("{{x.replace(\"a\", \"b\")}}", "{{replace guest.phone \" \" \"\"}}"), ("{{items[0].name}}", "{{items.0.name}}"), ("{{data[\"b c\"]}}", "{{data.[b c]}}"), ("{{tags[0]}}", "{{tags.0}}"), ("{{tags[0].name}}", "{{tags.0.name}}"), ("{{#if tags[0]}}{{/if}}", "{{#if tags.0}}"), ("{{upper tags[0]}}", "{{tags.0}}"), ("{{!-- x --~}}", "A ~ at the end"),

    ("{{#each a[0].b}}{{/each}}", "{{#each a.0.b}}"),
    // Calls as in other languages.
    ("{{date(x, \"%d\")}}", "{{date x \"%d\"}}"), ("{{date x, \"%d\"}}", "{{date x \"%d\"}}"), ("{{formatDate(a.b, '%d, %m')}}", "{{date a.b '%d, %m'}}"), ("{{#if contains(xs, \"a\")}}{{/if}}", "{{#if (contains xs \"a\")}}"),
    ("{{ x | append: \"!\" }}", "{{concat x \"!\"}}"),
    // Marks in the text.
    ("${x}", "{{x}}"), ("${x.y.z}", "{{x.y.z}}"), ("${x + 1}", "{{guest.name}}"), ("<$.detail.id>", "{{id}}"), ("<$.source>", "{{source}}"), ("<%= x.y %>", "{{x.y}}"),
    ("{% if x %}", "{{#if x}}…{{/if}}"), ("{%- elsif y -%}", "{{else if y}}"), ("{% else %}", "{{else}}"), ("{% endif %}", "{{/if}}"), ("{% for a in b.c %}", "{{#each b.c as |a|}}…{{/each}}"), ("{% endfor %}", "{{/each}}"),
    ("{% if a == b %}", "{{#if (eq a b)}}"), ("{% elsif a and b %}", "{{else if (and a b)}}"), ("{% case a %}", "{{#if (eq a \"x\")}}…{{else}}…{{/if}}"),
];

#[test]
fn names_of_a_loop_are_translated() {
    for (habit, expected) in [
        ("{% unless forloop.last %}", "{{#unless @last}}"),
        ("{% if loop.first %}", "{{#if @first}}"),
        ("{% if forloop.index0 %}", "{{#if @index}}"),
    ] {
        let advice = advice(habit);
        assert!(advice.iter().any(|message| message.contains(expected)), "{habit}: {advice:?}");
    }
}

#[test]
fn each_habit_gets_the_way_to_write_it_here() {
    for (habit, expected) in HABITS {
        let advice = advice(habit);
        assert!(advice.iter().any(|message| message.contains(expected)), "{habit}: {advice:?}");
    }
}

/// The pieces in braces of all advice, put together where a block begins and ends, are templates that are taken.
#[test]
fn what_is_advised_can_be_written() {
    for (_, expected) in HABITS {
        let name = expected.strip_prefix("{{#").map(|rest| rest.split([' ', '}']).next().unwrap_or(rest));
        let body = match name {
            _ if expected.starts_with("{{else") => format!("{{{{#if a}}}}{expected}{{{{/if}}}}"),
            _ if expected.starts_with("{{/") => expected.replace("{{/", "{{#").replace("}}", " a}}") + expected,
            Some(name) if !expected.contains("{{/") => format!("{expected}{{{{/{name}}}}}"),
            _ => (*expected).to_owned(),
        };
        let checked = compile_in(Text, &body, &CompileContext::of(&Nothing), &TemplateLimits::default());
        assert!(checked.compiled.is_some(), "{body}: {:?}", checked.diagnostics);
    }
}

/// What only resembles another language is left alone.
#[test]
fn text_that_is_no_habit_draws_no_advice() {
    for body in [
        "100 %} ${ } <$5>",
        "{% no end",
        "${1}",
        "<$ 5>",
        "a {%\u{e9}",
        "{{a.b}} {{a.[b c]}} {{upper \"a | b\"}} {{#each a as |b|}}{{b}}{{/each}}",
    ] {
        assert_eq!(advice(body), Vec::<String>::new(), "{body}");
    }
    // A mark whose end is far away is none; looking for it costs little.
    assert_eq!(advice(&format!("${{a{}}}", "b".repeat(300))), Vec::<String>::new());
    assert!(super::marks::find(&"{%".repeat(30_000)).is_empty());
}

/// Advice repeats only a bounded part of the author's text.
#[test]
fn advice_is_short() {
    let long = "a".repeat(5_000);
    for habit in [
        format!("{{{{{long} | upcase}}}}"),
        format!("{{{{.{long}}}}}"),
        format!("{{{{{long} == b}}}}"),
        format!("{{{{$json.{long}}}}}"),
        format!("{{{{{long}[0]}}}}"),
        format!("{{{{x | {long}: {long}}}}}"),
    ] {
        for message in advice(&habit) {
            assert!(message.len() < 400, "{message}");
        }
    }
}

#[test]
fn numbers_of_other_languages_are_no_names() {
    for word in ["1e2", "-1.5E+3", "0x1F", "1_000", "0XfF", "1e-9"] {
        assert!(super::is_other_number(word), "{word}");
    }
    for word in ["", "12", "1.5", "2nd", "e2", "a_1", "1e", "0x", "x1", "1.x", "_1", "1e2x", "a.1e2", "10.0.0_1"] {
        assert!(!super::is_other_number(word), "{word}");
    }
}
