//! What each helper gives for its values: rules, and what it does with values it can't use.

use serde_json::{Value, json};

use super::{check, data, render};
use crate::model::template::Format::{Json, Text};
use crate::templating::{CompileContext, TemplateLimits, compile_in};

fn sample() -> Value {
    let exact = |text: &str| serde_json::from_str::<Value>(text).expect("a number");
    json!({
        "cost": exact("1234.50"), "tenth": exact("0.1"), "fifth": exact("0.2"), "big": exact("1234567.50"),
        "minus": -19.86, "seven": 7, "zero": 0, "text": "1234.5", "word": "twelve", "yes": true, "none": null,
        "empty": "", "blank": "  ", "object": {"a": 1, "b": [1, 2]},
        "name": "Anna Maria O'Neil-Smith", "street": " Straße ", "long": "Grüße!",
        "tags": ["pool", "beach", "pool"], "numbers": [3, 1, "2", 10], "mixed": ["b", 2, null, "a", 1, true],
        "repeated": [1, exact("1.0"), "1", exact("1e0"), "1", null, null, exact("1.5")],
        "nothing": [],
        "guests": [
            {"name": "Nora", "age": 34, "vip": true, "at": {"city": "Rome"}},
            {"name": "Tom", "age": 7, "vip": false},
            {"name": "Zoë", "age": 34, "at": {"city": "Oslo"}}
        ],
        "day": "2026-08-14", "depart": "2026-08-21", "local": "2026-08-14T16:00:00", "moment": "2026-08-14T16:00:00Z",
        "offset": "2026-08-14T16:00:00+02:00", "seconds": 1786723200, "milliseconds": 1786723200000_i64,
        "slashes": "03/04/2026", "mail": "Fri, 14 Aug 2026 16:00:00 +0000", "space": "2026-08-14 16:00:00",
        "zone": "Europe/Rome", "language": "de", "html": "A <3 & B \"q\" 'a'", "lines": "a\nb", "tab": "a\tb", "return": "a\rb", "row": "say \"hi\", bye", "email": "Anna@Example.com"
    })
}

/// Each row is a helper's call in a text, and its result.
#[rustfmt::skip]
const TEXTS: &[(&str, &str)] = &[
    // Arithmetic.
    ("add tenth fifth", "0.3"), ("add cost 1 2 3", "1240.5"), ("add text 1", "1235.5"), ("add @root.zero word", ""),
    ("subtract cost 0.5", "1234"), ("subtract 1 minus", "20.86"),
    ("multiply 12.5 100", "1250"), ("multiply cost 100", "123450"), ("multiply 0.1 0.1 10", "0.1"),
    ("divide 1 3", "0.33333333333333333333"), ("divide 10 4", "2.5"), ("divide -2 3", "-0.66666666666666666667"), ("divide 1 zero", ""),
    ("modulo 24 7", "3"), ("modulo 183.357 12", "3.357"), ("modulo -7 3", "-1"), ("modulo 7 -3", "1"), ("modulo 7 zero", ""),
    ("round 1.2", "1"), ("round 2.7", "3"), ("round 183.357 2", "183.36"), ("round 2.5", "3"), ("round -2.5", "-3"), ("round 5 -1", ""), ("round 5 100", "5"), ("round 5 101", ""),
    ("floor 1.9", "1"), ("floor -1.1", "-2"), ("floor \"3.5\"", "3"), ("ceil 1.1", "2"), ("ceil -1.9", "-1"), ("ceil 3", "3"),
    ("abs -17", "17"), ("abs minus", "19.86"), ("abs 4", "4"),
    ("min 3 seven 5", "3"), ("min 3 seven 2", "2"), ("max 3 5 seven", "7"), ("max 3 seven 5", "7"), ("min numbers", "1"), ("max numbers", "10"), ("max nothing", ""), ("min tags", ""),
    // Conversions.
    ("to_number text", "1234.5"), ("to_number \" 1.50 \"", "1.50"), ("to_number \"007\"", "7"), ("to_number \"1e3\"", "1e3"), ("to_number word", ""), ("to_number yes", ""),
    ("to_string cost", "1234.50"), ("to_string object", "{\"a\":1,\"b\":[1,2]}"), ("to_string none", ""),
    ("to_boolean \"Yes\"", "true"), ("to_boolean 0", "false"), ("to_boolean yes", "true"), ("to_boolean 2", ""), ("to_boolean empty", ""), ("to_boolean \"true\"", "true"), ("to_boolean \" ON \"", "true"), ("to_boolean 1", "true"), ("to_boolean \"false\"", "false"), ("to_boolean \"no\"", "false"), ("to_boolean \"off\"", "false"), ("to_boolean word", ""),
    ("default none empty \"x\"", "x"), ("default cost 1", "1234.50"), ("default none none", ""),
    ("lookup object \"a\"", "1"), ("lookup tags 1", "beach"), ("lookup (sort tags) 0", "beach"), ("lookup object \"x\"", ""), ("lookup word 0", ""),
    ("json name", "\"Anna Maria O'Neil-Smith\""), ("json (upper word)", "\"TWELVE\""), ("json (sort tags)", "[\"beach\",\"pool\",\"pool\"]"), ("json none", "null"), ("json (eq 1 1)", "true"), ("first (json (sort tags))", ""), ("length (json tags)", ""),
    // Text.
    ("upper street", " STRASSE "), ("lower street", " straße "), ("trim street", "Straße"), ("upper yes", "TRUE"), ("upper object", ""), ("upper none", ""),
    ("capitalize \"title\"", "Title"), ("capitalize \"my GREAT title\"", "My great title"), ("capitalize empty", ""),
    ("title name", "Anna Maria O'neil-Smith"), ("title \"ANNA  maria\"", "Anna  Maria"),
    ("truncate long 6", "Grüße!"), ("truncate long 5", "Grüß…"), ("truncate long 2 end=\"\"", "Gr"), ("truncate \"abcdef\" 2 end=\"...\"", ".."), ("truncate \"a b c\" 3", "a…"), ("truncate long 0", ""),
    ("substring long 1 2", "rü"), ("substring long -3 2", "ße"), ("substring long 4", "e!"), ("substring long 9 2", ""), ("substring long -9 2", "Gr"), ("substring long 0 -1", ""),
    ("replace \"a-b-c\" \"-\" \"+\"", "a+b+c"), ("replace long \"x\" \"y\"", "Grüße!"), ("replace long \"\" \"y\"", ""),
    ("pad_start seven 3 \"0\"", "007"), ("pad_start \"12345\" 3 \"0\"", "12345"), ("pad_start seven 4 \"ab\"", "aba7"), ("pad_start seven 3", "  7"), ("pad_end seven 3 \".\"", "7.."), ("pad_start seven 10001", ""), ("length (pad_end seven 10000)", "10000"), ("pad_start \"äö\" 4 \"0\"", "00äö"), ("pad_end \"äö\" 3", "äö "),
    ("starts_with name \"Anna\"", "true"), ("starts_with name \"anna\"", "false"), ("ends_with name \"Smith\"", "true"), ("ends_with none \"x\"", ""), ("starts_with name \"Maria\"", "false"), ("ends_with name \"Maria\"", "false"),
    ("concat name \"/\" seven", "Anna Maria O'Neil-Smith/7"), ("concat none \"-\" tags", "-[\"pool\",\"beach\",\"pool\"]"), ("default (concat none empty) \"x\"", "x"), ("unix (concat day \"T16:00\") tz=zone", "1786716000"),
    ("digits \"+44 (0)117 496-0123\"", "4401174960123"), ("digits seven", "7"), ("digits word", ""), ("digits none", ""), ("digits \"٣4\"", "4"), ("digits tags", ""),
    // Lists.
    ("length tags", "3"), ("length long", "6"), ("length object", "2"), ("length nothing", "0"), ("length yes", "4"), ("length none", ""),
    ("first tags", "pool"), ("last numbers", "10"), ("first nothing", ""), ("first word", ""),
    ("slice tags 1 2", "[\"beach\",\"pool\"]"), ("slice tags -1 1", "[\"pool\"]"), ("slice tags 1", "[\"beach\",\"pool\"]"), ("slice tags 7 1", "[]"), ("slice word 0 1", ""),
    ("sort numbers", "[1,3,10,\"2\"]"), ("sort mixed", "[1,2,\"a\",\"b\",true,null]"), ("pluck (sort guests \"age\") \"name\"", "[\"Tom\",\"Nora\",\"Zoë\"]"), ("sort nothing", "[]"),
    ("reverse tags", "[\"pool\",\"beach\",\"pool\"]"), ("reverse numbers", "[10,\"2\",1,3]"),
    ("unique tags", "[\"pool\",\"beach\"]"), ("pluck (unique guests \"age\") \"name\"", "[\"Nora\",\"Tom\"]"), ("unique repeated", "[1,\"1\",null,1.5]"),
    ("pluck guests \"name\"", "[\"Nora\",\"Tom\",\"Zoë\"]"), ("pluck guests \"at.city\"", "[\"Rome\",null,\"Oslo\"]"), ("pluck word \"x\"", ""),
    ("pluck (where guests \"age\" 34) \"name\"", "[\"Nora\",\"Zoë\"]"), ("pluck (where guests \"vip\") \"name\"", "[\"Nora\"]"), ("pluck (where guests \"at.city\" \"Oslo\") \"name\"", "[\"Zoë\"]"), ("where guests \"age\" 99", "[]"),
    ("sum guests \"age\"", "75"), ("sum guests \"age\" \"age\"", "2361"), ("sum guests \"age\" \"score\"", "0"), ("sum guests \"age\" \"name\"", ""), ("sum guests \"age\" \"age\" \"age\"", "78951"), ("sum numbers", "16"), ("sum nothing", "0"), ("sum tags", ""), ("sum (pluck guests \"missing\")", "0"),
    ("contains tags \"beach\"", "true"), ("contains tags \"bea\"", "false"), ("contains name \"Maria\"", "true"), ("contains numbers 2", "true"), ("contains seven 7", "true"), ("contains object 1", ""),
    ("join tags", "pool, beach, pool"), ("join mixed \"|\"", "b|2||a|1|true"), ("join (pluck guests \"name\") \" & \"", "Nora & Tom & Zoë"), ("join word", "twelve"), ("join object", ""),
    ("first (split name \" \")", "Anna"), ("join (split \"a,b,,c\" \",\") \"|\"", "a|b||c"), ("join (split \"abc\" \"\") \"-\"", "a-b-c"), ("length (split empty \",\")", "0"), ("split \"a,,\" \",\"", "[\"a\",\"\",\"\"]"),
    // Other encodings.
    ("url_encode \"a b&c/ä~\"", "a%20b%26c%2F%C3%A4~"), ("html html", "A &lt;3 &amp; B &quot;q&quot; &#39;a&#39;"), ("csv row", "\"say \"\"hi\"\", bye\""), ("csv word", "twelve"), ("csv street", "\" Straße \""), ("csv \"a;b\"", "\"a;b\""), ("csv \"a,b\"", "\"a,b\""), ("csv lines", "\"a\nb\""), ("csv tab", "\"a\tb\""), ("csv return", "\"a\rb\""),
    ("base64 \"Grüße\"", "R3LDvMOfZQ=="), ("hex \"aß\"", "61c39f"), ("md5 \"abc\"", "900150983cd24fb0d6963f7d28e17f72"),
    ("sha256 (lower (trim email))", "f7d54c22dda5b1780276601cd005909b70543fc4a6ba72d735b4cb9bbb611f01"),
    // Dates.
    ("date day \"%d.%m.%Y\"", "14.08.2026"), ("date day \"%d.%m.%Y\" tz=\"Pacific/Auckland\"", "14.08.2026"), ("date moment \"%F %H:%M\"", "2026-08-14 16:00"),
    ("date moment \"%F %H:%M\" tz=zone", "2026-08-14 18:00"), ("date offset \"%H:%M %:z\"", "16:00 +02:00"), ("date space \"%H:%M\"", "16:00"), ("date mail \"%F %T\"", "2026-08-14 16:00:00"),
    ("date \"16:00\" \"%-I:%M %p\"", "4:00 PM"), ("date \"09:05:30\" \"%H.%M.%S\" tz=zone locale=\"de\"", "09.05.30"), ("date \"4 PM\" \"%H:%M\" from=\"%I %p\"", "16:00"), ("date \"16:00\"", ""), ("date \"16:00\" \"%d %H\"", ""), ("date \"16:00\" \"%B\" locale=\"de\"", ""), ("date \"16\" \"%H:%M\"", ""), ("date \"25:00\" \"%H:%M\"", ""), ("date \"16:00\" \"%H\" from=\"%d\"", ""), ("unix \"16:00\" tz=zone", ""),
    ("date seconds \"%F %H:%M\"", "2026-08-14 16:00"), ("date milliseconds \"%F %H:%M\"", "2026-08-14 16:00"), ("date seconds \"%F\" unit=\"ms\"", "1970-01-21"), ("date milliseconds \"%Y\" unit=\"s\"", ""), ("date \"1786723200000\" \"%F\"", "2026-08-14"), ("date \"1786723200\" \"%F\"", "2026-08-14"), ("date \"20260814\"", "2026-08-14"), ("date \"20260814160000\"", ""),
    ("date slashes \"%F\"", ""), ("date slashes \"%F\" from=\"%d/%m/%Y\"", "2026-04-03"), ("date slashes \"%F\" from=\"%m/%d/%Y\"", "2026-03-04"), ("date \"4 Mar 26 5:30 PM\" \"%F %H:%M\" from=\"%d %b %y %I:%M %p\"", "2026-03-04 17:30"), ("date day \"%F\" from=\"%d/%m/%Y\"", ""), ("date \"14/08/2026 16:00 +0200\" \"%H:%M %:z\" from=\"%d/%m/%Y %H:%M %z\"", "16:00 +02:00"),
    ("date 20260814 from=\"%Y%m%d\"", "2026-08-14"), ("date seconds \"%T\" from=\"%s\"", "16:00:00"), ("unix 20260814 from=\"%Y%m%d\" tz=zone", "1786658400"), ("date @root.zero from=\"%d/%m/%Y\"", ""),
    ("date seconds \"%F\" from=\"%d/%m/%Y\"", "2026-08-14"), ("date milliseconds \"%F %H:%M\" from=\"%d/%m/%Y\"", "2026-08-14 16:00"), ("date 86400 \"%F\" from=\"%d/%m/%Y\" unit=\"s\"", "1970-01-02"), ("date seconds \"%F\" from=\"%d/%m/%Y\" unit=\"ms\"", "1970-01-21"), ("unix seconds from=\"%d/%m/%Y\"", "1786723200"),
    ("date 20260814 \"%F\" from=\"%d/%m/%Y\"", ""), ("date \"1786723200\" \"%F\" from=\"%d/%m/%Y\"", ""), ("date 99999999 \"%F\" from=\"%d/%m/%Y\"", ""), ("date 100000000 \"%F\" from=\"%d/%m/%Y\"", "1973-03-03"), ("date 1782939600.75 \"%T\" from=\"%d/%m/%Y\"", "21:00:00"),
    ("date \"mar 14 lug 2026\" \"%F\" from=\"%a %d %b %Y\" locale=\"it\"", "2026-07-14"), ("date \"mar 3 mar 2026\" \"%F\" from=\"%a %d %b %Y\" locale=\"es\"", "2026-03-03"), ("date \"14.Okt.2026\" \"%F\" from=\"%d.%b.%Y\" locale=\"de\"", "2026-10-14"),
    ("date \"14 août 2026\" from=\"%d %B %Y\" locale=\"fr\"", "2026-08-14"), ("date \"Fr, 14. Aug 2026\" \"%A\" from=\"%a, %d. %b %Y\" locale=language", "Freitag"), ("date \"ven. 14 août 2026\" from=\"%a %d %b %Y\" locale=\"fr\"", "2026-08-14"), ("date \"14 August 2026\" \"%B\" from=\"%d %B %Y\" locale=\"fr\"", "août"), ("date \"14 Brumaire 2026\" from=\"%d %B %Y\" locale=\"fr\"", ""),
    ("date day \"%s\" tz=zone", "1786658400"), ("date day \"%s\"", ""), ("date local \"%FT%T%:z\" tz=\"Europe/Rome\"", "2026-08-14T16:00:00+02:00"), ("date local \"%:z\"", ""),
    ("date day \"%A, %-d. %B %Y\" locale=\"de\"", "Freitag, 14. August 2026"), ("date day \"%a %e %b\" locale=\"fr\"", "ven. 14 août"), ("date day \"%^B %%\" locale=language", "AUGUST %"), ("date day \"%B\" locale=word", ""), ("date day \"%-d %B\" locale=\"pl\"", "14 sierpnia"), ("date day \"%a %b\" locale=\"de\"", "Fr Aug"), ("date day \"%h\" locale=\"de\"", "Aug"),
    ("date word", ""), ("date none", ""), ("date yes", ""), ("date day \"%F\" tz=word", ""), ("date 1782939600.75 \"%T\"", "21:00:00"),
    ("date_add day days=2", "2026-08-16"), ("date_add day days=-14", "2026-07-31"), ("date_add day months=1 years=1", "2027-09-14"), ("date_add \"2026-01-31\" months=1", "2026-02-28"), ("date_add \"2026-01-30\" months=1 days=1", "2026-03-01"), ("date_add day weeks=1 days=seven", "2026-08-28"),
    ("date \"2026-08-14T16:00:00.1234567890123Z\" \"%T%.f\"", "16:00:00.123456789"), ("date \"9999-12-31T23:59:59Z\" \"%F %T\"", "9999-12-31 23:59:59"),
    ("date_add day hours=-3", "2026-08-13T21:00:00"), ("date_add local minutes=30", "2026-08-14T16:30:00"), ("date_add moment days=2 hours=-3", "2026-08-16T13:00:00Z"), ("date_add offset seconds=1", "2026-08-14T16:00:01+02:00"),
    ("date_add \"2026-10-24T12:00:00+02:00\" days=1 tz=\"Europe/Rome\"", "2026-10-25T12:00:00+01:00"), ("date_add \"2026-10-24T12:00\" hours=24 tz=\"Europe/Rome\"", "2026-10-25T11:00:00+01:00"), ("date_add day years=1 days=-1", "2027-08-13"), ("date_add day days=99999999", ""), ("date_add word days=1", ""),
    ("date_diff day depart unit=\"days\"", "7"), ("date_diff depart day", "-7"), ("date_diff day depart unit=\"weeks\"", "1"), ("date_diff \"2026-01-31\" \"2026-03-01\" unit=\"months\"", "1"), ("date_diff moment \"2026-08-21T15:59:59Z\"", "6"), ("date_diff moment \"2026-08-14T17:59:00Z\" unit=\"hours\"", "1"), ("date_diff moment \"2026-08-14T15:01:00Z\" unit=\"hours\"", "0"), ("date_diff \"2026-10-24T12:00:00Z\" \"2026-10-25T12:00:00Z\" tz=\"Europe/Rome\"", "0"), ("date_diff day moment unit=\"hours\"", "16"), ("date_diff day word", ""), ("date_diff \"2026-02-28T23:30:00Z\" \"2026-03-31T00:30:00+01:00\" unit=\"months\"", "1"),
    ("date_diff day \"2028-08-13\" unit=\"years\"", "1"), ("date_diff moment \"2026-08-14T17:59:30Z\" unit=\"minutes\"", "119"), ("date_diff moment \"2026-08-14T16:01:01.5Z\" unit=\"seconds\"", "61"), ("date_diff moment \"2026-08-14T15:58:58.5Z\" unit=\"seconds\"", "-61"),
    ("unix moment", "1786723200"), ("unix moment unit=\"ms\"", "1786723200000"), ("unix day tz=\"Europe/Rome\"", "1786658400"), ("unix day", ""), ("unix seconds", "1786723200"), ("unix \"1969-12-31T23:59:59.5Z\"", "-1"),
    ("unix 99999999999", "99999999999"), ("unix 123456789012", "123456789"), ("unix 123456789012 unit=\"ms\"", "123456789012"), ("unix 1782939600.75 unit=\"ms\"", "1782939600750"), ("unix -0.5 unit=\"ms\"", "-500"), ("unix -0.5", "-1"), ("unix -0.0005 unit=\"ms\"", "-1"),
    // Numbers and money.
    ("number cost decimals=1 group=\".\" point=\",\"", "1.234,5"), ("number big group=\" \"", "1 234 567.5"), ("number -999", "-999"), ("number -1000 decimals=1", "-1,000.0"), ("number 0.004 decimals=2", "0.00"), ("number -0.004 decimals=2", "0.00"), ("number \" 12 \" decimals=0", "12"), ("number word", ""), ("number yes", ""), ("number cost group=\"\"", "1234.5"),
    ("number big locale=\"de\"", "1.234.567,5"), ("number big locale=\"en-IN\"", "12,34,567.5"), ("number big decimals=2 locale=\"fr\"", "1\u{202f}234\u{202f}567,50"), ("number big locale=language group=\"\"", "1234567,5"), ("number big locale=word", ""),
    ("money cost \"EUR\"", "1,234.50 EUR"), ("money cost \"JPY\"", "1,235 JPY"), ("money cost \"KWD\"", "1,234.500 KWD"), ("money cost \"jpy\"", "1,235 JPY"), ("money cost \"eur\" locale=\"de\" symbol=true", "1.234,50\u{a0}€"), ("money cost", "1,234.50"), ("money cost empty", "1,234.50"), ("money cost \"XXZ\"", "1,234.50 XXZ"),
    ("money cost \"EUR\" locale=\"de\"", "1.234,50\u{a0}EUR"), ("money cost \"EUR\" locale=\"de\" symbol=true", "1.234,50\u{a0}€"), ("money minus \"USD\" locale=\"en\" symbol=true", "-$19.86"), ("money cost \"CHF\" locale=\"de-CH\" symbol=true", "CHF\u{a0}1’234.50"), ("money cost \"CHF\" locale=\"de\" symbol=true", "1.234,50\u{a0}CHF"), ("money cost \"GBP\" symbol=true", "£1,234.50"), ("money cost \"CHF\" symbol=true", "CHF\u{a0}1,234.50"), ("money cost \"XXZ\" locale=\"en\" symbol=true", "XXZ\u{a0}1,234.50"), ("money cost \"ZAR\" symbol=true", "R1,234.50"), ("money cost \"EUR\" symbol=false", "1,234.50 EUR"), ("money word \"EUR\"", ""),
    ("money (divide 126050 100) \"EUR\"", "1,260.50 EUR"),
    // Conditions.
    ("eq seven 7.0", "true"), ("eq seven \"7\"", "true"), ("eq seven 8", "false"), ("eq none missing", "true"), ("ne seven 8", "true"), ("lt seven 10", "true"), ("lt seven 7", "false"), ("lt 10 9", "false"), ("lte seven 7", "true"), ("gt \"b\" \"a\"", "true"), ("gt seven 7", "false"), ("gte seven 7", "true"), ("gte seven 8", "false"), ("gt word seven", "false"), ("and yes seven zero", "false"), ("or none yes", "true"), ("not zero", "true"),
    ("not (where guests \"age\" 99)", "true"), ("not (slice tags 0 1)", "false"), ("not (trim blank)", "true"), ("not (trim street)", "false"),
];

#[test]
fn every_helper_keeps_its_rules() {
    let data = sample();
    let mut failed = Vec::new();
    for (call, expected) in TEXTS {
        let body = format!("{{{{{call}}}}}");
        let rendered = render(Text, &body, &data);
        if rendered != *expected {
            failed.push(format!("{body}: {rendered:?} is not {expected:?}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn every_helper_has_a_rule() {
    for helper in crate::templating::render::helpers::all() {
        let calls = |(call, _): &&(&str, &str)| {
            let mut words = call.split([' ', '(']);
            words.any(|word| word == helper.name)
        };
        assert!(TEXTS.iter().any(|row| calls(&row)), "{} has no row", helper.name);
    }
}

/// The examples that the documentation of Liquid and of the common Handlebars libraries gives for helpers of these
/// names. Where they differ from one another or from here, docs/templates.md says why.
#[test]
#[rustfmt::skip]
fn documented_examples_of_liquid_and_handlebars_come_out_the_same() {
    let data = json!({
        "tom": "Ground control to Major Tom.", "beatles": "John, Paul, George, Ringo", "fruits": ["apples", "oranges", "peaches", "plums"],
        "animals": "zebra, octopus, giraffe, Sally Snake", "abc": ["a", "b", "c"], "twice": ["a", "a", "c", "b", "e", "e"],
        "products": [{"title": "Vacuum", "type": "cleaning", "available": true}, {"title": "Spatula", "type": "kitchen", "available": false}],
        "items": [{"data": {"title": "aaa"}}, {"data": {"title": "bbb"}}, {"data": {"title": "ccc"}}], "carts": [{"price": 3}, {"price": 2}, {"price": 1}],
    });
    for (call, expected) in [
        // Liquid.
        ("abs -17", "17"), ("abs 4", "4"), ("abs \"-19.86\"", "19.86"), ("capitalize \"title\"", "Title"), ("capitalize \"my GREAT title\"", "My great title"),
        ("ceil 1.2", "2"), ("ceil 2.0", "2"), ("ceil 183.357", "184"), ("ceil \"3.5\"", "4"), ("floor 1.2", "1"), ("floor 2.0", "2"), ("floor 183.357", "183"), ("floor \"3.5\"", "3"),
        ("default none 2.99", "2.99"), ("default \"\" 2.99", "2.99"), ("default 4.99 2.99", "4.99"), ("first (split tom \" \")", "Ground"), ("last (split tom \" \")", "Tom."),
        ("join (split beatles \", \") \" and \"", "John and Paul and George and Ringo"), ("modulo 3 2", "1"), ("modulo 24 7", "3"), ("modulo 183.357 12", "3.357"),
        ("replace \"Take my protein pills and put my helmet on\" \"my\" \"your\"", "Take your protein pills and put your helmet on"),
        ("join (reverse fruits) \", \"", "plums, peaches, oranges, apples"), ("round 1.2", "1"), ("round 2.7", "3"), ("round 183.357 2", "183.36"),
        ("join (sort (split animals \", \")) \", \"", "Sally Snake, giraffe, octopus, zebra"), ("truncate tom 20 end=\"...\"", "Ground control to..."),
        ("truncate tom 25 end=\", and so on\"", "Ground control, and so on"), ("truncate tom 20 end=\"\"", "Ground control to Ma"), ("url_encode \"john@liquid.com\"", "john%40liquid.com"),
        ("join (pluck (where products \"type\" \"kitchen\") \"title\")", "Spatula"), ("join (pluck (where products \"available\") \"title\")", "Vacuum"), ("sum carts \"price\"", "6"),
        ("contains tom \"Major\"", "true"), ("contains fruits \"plums\"", "true"),
        ("date \"2015-07-17\" \"%a, %b %d, %y\"", "Fri, Jul 17, 15"), ("date \"2015-07-17\" \"%Y\"", "2015"), ("date \"March 14, 2016\" \"%b %d, %y\" from=\"%B %d, %Y\"", "Mar 14, 16"),
        ("join (slice (split beatles \", \") 1 2) \"\"", "PaulGeorge"), ("substring \"Liquid\" 2 5", "quid"), ("substring \"Liquid\" -3 2", "ui"), ("length tom", "28"), ("length (split tom \" \")", "5"),
        ("join (sort (pluck carts \"price\")) \" \"", "1 2 3"), ("pluck (first (where products \"type\" \"kitchen\")) \"title\"", ""), ("lookup (first (where products \"type\" \"kitchen\")) \"title\"", "Spatula"),
        // Liquid, where docs/templates.md says what differs.
        ("date \"March 14, 2016\" \"%b %d, %y\"", ""), ("date \"now\" \"%Y\"", ""), ("default false true", "false"), ("slice \"Liquid\" 0", ""), ("url_encode \"Tetsuro Takara\"", "Tetsuro%20Takara"), ("join (split \"a~~\" \"~\") \"-\"", "a--"),
        ("modulo -3 2", "-1"), ("join fruits", "apples, oranges, peaches, plums"),
        // Handlebars libraries.
        ("add 1 2", "3"), ("subtract 3 2", "1"), ("multiply 4 2", "8"), ("divide 4 2", "2"), ("ceil 5.6", "6"), ("floor 5.6", "5"), ("round 5.5", "6"), ("abs -5.5", "5.5"),
        ("capitalize \"foo bar baz\"", "Foo bar baz"), ("replace \"a b a b a b\" \"a\" \"z\"", "z b z b z b"), ("split \"a,b,c\" \",\"", "[\"a\",\"b\",\"c\"]"), ("trim \" ABC \"", "ABC"),
        ("join abc \"-\"", "a-b-c"), ("join abc", "a, b, c"), ("length abc", "3"), ("length \"foo\"", "3"), ("sort abc", "[\"a\",\"b\",\"c\"]"), ("unique twice", "[\"a\",\"c\",\"b\",\"e\"]"),
        ("pluck items \"data.title\"", "[\"aaa\",\"bbb\",\"ccc\"]"), ("first abc", "a"), ("last abc", "c"), ("reverse abc", "[\"c\",\"b\",\"a\"]"), ("lookup abc 1", "b"),
        ("eq 3 3", "true"), ("gt 3 2", "true"), ("lt 2 3", "true"), ("and 1 1", "true"), ("or 0 1", "true"), ("not 0", "true"), ("sum abc", ""), ("truncate \"foo bar baz\" 7", "foo ba…"), ("truncate \"foo bar baz\" 7 end=\"\"", "foo bar"), ("first abc", "a"), ("reverse \"abc\"", ""), ("starts_with \"Goodbye\" \"Good\"", "true"),
    ] {
        assert_eq!(render(Text, &format!("{{{{{call}}}}}"), &data), expected, "{call}");
    }
}

#[test]
#[rustfmt::skip]
fn in_a_value_s_place_results_keep_their_kind() {
    let data = sample();
    for (call, expected) in [
        ("multiply cost 100", "123450"), ("to_number text", "1234.5"), ("length tags", "3"), ("unix moment", "1786723200"),
        ("to_boolean \"yes\"", "true"), ("contains tags \"beach\"", "true"), ("slice tags 0 1", "[\"pool\"]"), ("split \"a b\" \" \"", "[\"a\",\"b\"]"),
        ("number cost", "\"1,234.5\""), ("money cost", "\"1,234.50\""), ("divide 1 zero", "null"), ("first guests", "{\"name\":\"Nora\",\"age\":34,\"vip\":true,\"at\":{\"city\":\"Rome\"}}"),
        ("date day \"%s\" tz=zone", "\"1786658400\""), ("to_string cost", "\"1234.50\""), ("default none cost", "1234.50"), ("sum guests \"age\"", "75"), ("last tags", "\"pool\""),
    ] {
        assert_eq!(render(Json, &format!("{{{{{call}}}}}"), &data), expected, "{call}");
    }
    assert_eq!(render(Json, "{ {{#each (slice guests 0 2)}}\"{{name}}\": {{age}}{{#unless @last}},{{/unless}}{{/each}} }", &data), "{ \"Nora\": 34,\"Tom\": 7 }");
    assert_eq!(render(Text, "{{tags.length}} {{#if nothing.length}}x{{else}}none{{/if}} {{#with (reverse tags)}}{{this.0}}{{length}}{{/with}} {{object.length}}", &data), "3 none pool3 ");
}

#[test]
fn results_are_bounded() {
    let data = json!({"long": "x".repeat(200_000), "letters": "ab".repeat(300_000), "words": "x ".repeat(60), "rows": vec![1; 1000]});
    for (body, expected) in [
        ("{{replace long \"x\" \"yyyyyyyyyy\"}}", "the rendered body is too long"),
        ("{{join (split letters \"\") \"----\"}}", "the rendering takes too many steps"),
        ("{{length (split letters \"\")}}", "the rendering takes too many steps"),
        (
            "{{#each rows}}{{date ../words from=\"%d %B %Y\" locale=\"fr\"}}{{/each}}",
            "the rendering takes too many steps",
        ),
    ] {
        let compiled = super::check(Text, body).compiled.expect(body);
        assert_eq!(compiled.render(&super::data(data.clone())).expect_err(body).to_string(), expected, "{body}");
    }
}

/// Constants that a helper can't use are refused when the template is saved; the nearest ones are taken.
#[test]
fn constants_are_checked_when_a_template_is_saved() {
    for (taken, refused) in [
        ("number x decimals=20", "number x decimals=21"),
        ("number x decimals=0", "number x decimals=-1"),
        ("number x group=\"0123456789abcdef\"", "number x group=\"0123456789abcdefg\""),
        ("number x point=\"\"", "number x point=y"),
        ("money x \"EUR\" symbol=true", "money x \"EUR\" symbol=\"true\""),
        ("number x locale=\"de-AT\"", "number x locale=\"xx\""),
        ("date x locale=\"de\"", "date x locale=\"deutsch\""),
        ("truncate x 1000000", "truncate x 1000001"),
        ("truncate x 0 end=\"\"", "truncate x 0 end=y"),
        ("divide x 0.1", "divide x 0.0"),
        ("date x tz=\"Europe/Rome\"", "date x tz=\"Europe/Rom\""),
        ("date x from=\"%d\"", "date x from=\"%L\""),
        ("date x unit=\"ms\"", "date x unit=\"us\""),
        ("unix x unit=\"s\"", "unix x unit=\"days\""),
        ("date_diff x y unit=\"weeks\"", "date_diff x y unit=\"ms\""),
    ] {
        let checked = |call: &str| check(Text, &format!("{{{{{call}}}}}"));
        assert!(checked(taken).compiled.is_some(), "{taken}: {:?}", checked(taken).diagnostics);
        assert_eq!(checked(refused).diagnostics.first().map(|found| found.code), Some("helper_values"), "{refused}");
    }
}

/// What a helper does with its values costs steps, beyond those for reading them.
#[test]
fn work_costs_steps() {
    let value = data(json!({"xs": (0..1_000).collect::<Vec<_>>(), "text": "x".repeat(60_000)}));
    let steps = |call: &str| {
        let renders = |steps_max: usize| {
            let limits = TemplateLimits { steps_max, ..TemplateLimits::default() };
            let checked =
                compile_in(Text, &format!("{{{{length ({call})}}}}"), &CompileContext::of(&super::Small), &limits);
            checked.compiled.expect(call).render(&value).is_ok()
        };
        let (mut low, mut high) = (0, 100_000);
        assert!(renders(high), "{call}");
        while high - low > 1 {
            let middle = (low + high) / 2;
            if renders(middle) { high = middle } else { low = middle }
        }
        high
    };
    assert!(steps("sort xs") > steps("reverse xs") + 1_000);
    assert!(steps("sha256 text") > steps("substring text 0 64") + 500);
    assert!(steps("split text \"x\"") > steps("split text \"y\"") + 10_000);
    assert!(steps("unique xs") > steps("reverse xs") + 500);
    assert!(steps("title (replace text \"x\" \"x \")") > steps("upper (replace text \"x\" \"x \")") + 20_000);
    // As measured: a date's arithmetic takes four times as long as its text, and money twice as long as a sum.
    let date = |options: &str| steps(&format!("date_add \"2026-07-01T10:00:00Z\" {options}"));
    assert!(date("hours=1") >= date("") + 2 && date("years=1 months=1 days=1 tz=\"Europe/Rome\"") >= date("") + 7);
    assert!(steps("add 1 2") >= steps("lower \"a\"") + 2);
    assert!(steps("money 1 \"EUR\" locale=\"de\"") >= steps("add 1 2") + 4);
    assert!(steps("date \"2026-07-01\" \"%B %B %B %B\" locale=\"de\"") >= steps("date \"2026-07-01\"") + 2);
}
