//! Names under which other languages and libraries know a helper.

/// The helper that a name of another language or library means.
pub(crate) fn helper(name: &str) -> Option<&'static str> {
    let plain = name.to_ascii_lowercase().replace(['_', '-'], "");
    Some(match plain.as_str() {
        "upcase" | "uppercase" | "toupper" | "touppercase" | "ucase" => "upper",
        "downcase" | "lowercase" | "tolower" | "tolowercase" | "lcase" => "lower",
        "strip" | "trimspace" => "trim",
        "ceiling" | "roundup" => "ceil",
        "rounddown" => "floor",
        "size" | "len" | "count" => "length",
        "escape" | "e" | "escapehtml" | "htmlescape" | "encodehtml" => "html",
        "urlencode" | "urlescape" | "urlquery" | "encodeuri" | "encodeuricomponent" => "url_encode",
        "uniq" | "distinct" => "unique",
        "plus" => "add",
        "minus" | "sub" => "subtract",
        "times" | "mul" => "multiply",
        "dividedby" | "div" => "divide",
        "mod" | "remainder" => "modulo",
        "map" => "pluck",
        "titlecase" | "titleize" => "title",
        "capitalizefirst" | "capitalise" | "ucfirst" => "capitalize",
        "base64encode" | "b64encode" | "b64enc" | "tobase64" => "base64",
        "strftime" | "formatdate" | "dateformat" | "moment" | "formattime" | "formatdatetime" | "isodate"
        | "toisostring" | "todate" | "parsedate" | "day" | "weekday" | "month" | "year" | "hour" | "minute" => "date",
        "dateadd" | "adddate" | "adddays" => "date_add",
        "datediff" | "daysbetween" | "age" => "date_diff",
        "timestamp" | "tounix" | "unixtime" => "unix",
        "tojson" | "jsonify" | "dump" | "stringify" | "jsonstringify" | "jsonencode" => "json",
        "coalesce" | "ifempty" | "fallback" => "default",
        "formatnumber" | "numberformat" | "tofixed" | "numberwithdelimiter" => "number",
        "currency" | "formatcurrency" | "formatmoney" => "money",
        "tonumber" | "parseint" | "parsefloat" | "parsenumber" | "int" | "float" => "to_number",
        "tostring" | "str" | "string" => "to_string",
        "tobool" | "toboolean" | "bool" => "to_boolean",
        "substr" | "mid" | "left" | "right" => "substring",
        "replaceall" | "gsub" | "regexreplace" => "replace",
        "append" | "concatenate" => "concat",
        "phone" | "onlydigits" | "digitsonly" => "digits",
        "padstart" | "padleft" | "lpad" | "rjust" => "pad_start",
        "padend" | "padright" | "rpad" | "ljust" => "pad_end",
        "startswith" | "beginswith" => "starts_with",
        "endswith" => "ends_with",
        "includes" | "inarray" | "has" | "in" | "indexof" | "match" | "matches" => "contains",
        "implode" => "join",
        "explode" => "split",
        "filter" | "selectattr" | "find" => "where",
        "sortby" | "orderby" => "sort",
        "inc" | "increment" | "addone" => "add",
        "dec" | "decrement" => "subtract",
        "ellipsis" | "shorten" | "abbreviate" | "limit" => "truncate",
        "itemat" | "nth" | "get" | "at" | "pick" => "lookup",
        "isequal" | "equals" | "equal" => "eq",
        "notequal" | "neq" => "ne",
        "empty" | "isempty" | "blank" | "isblank" | "isnull" | "isnil" => "not",
        "any" | "some" => "or",
        "all" | "every" => "and",
        "hash" | "sha" => "sha256",
        _ => return None,
    })
}

/// What to write in place of a helper that there is not, where no single other helper does the same.
pub(crate) fn instead_of_helper(name: &str) -> Option<&'static str> {
    let plain = name.to_ascii_lowercase().replace(['_', '-'], "");
    Some(match plain.as_str() {
        "log" => "log is not accepted: a template can't write to the engine's log.",
        "elif" | "elsif" | "elseif" => "Another condition is written {{else if …}}.",
        "append" | "prepend" | "concatenate" => {
            "Texts stand side by side: {{guest.name}} {{guest.email}}. As the value of another helper they are joined with \
            (concat guest.name \" \" guest.email)."
        }
        "math" | "calc" | "calculate" => {
            "Each operation is a helper of its own: {{add a b}}, {{subtract a b}}, {{multiply a b}}, {{divide a b}}."
        }
        "ternary" | "iif" | "ifelse" | "cond" | "choose" => "A choice is written {{#if a}}…{{else}}…{{/if}}.",
        "exists" | "present" | "isset" | "defined" | "isdefined" | "notempty" => {
            "A condition on a value is written {{#if guest.email}}: what is missing or empty does not hold."
        }
        "for" | "foreach" => "A list is repeated with {{#each list}}…{{this}}…{{/each}}.",
        "end" | "endif" | "endfor" | "endeach" => "A block ends with / and its name: {{/if}}, {{/each}}.",
        "xmlescape" | "escapexml" | "cdata" | "jsonescape" | "escapejson" => {
            "Write the value alone, {{guest.name}}: it is escaped as the format needs it."
        }
        "nl2br" | "newlinetobr" => {
            "Line breaks are replaced in the escaped text: {{replace (html message.text) \"\\n\" \"<br>\"}}."
        }
        "avg" | "average" | "mean" => "An average is {{divide (sum list) (length list)}}.",
        "percent" | "percentage" => "A share in per cent is {{round (multiply x 100) 1}}%.",
        "firstname" | "lastname" => {
            "A part of a name is {{first (split guest.name \" \")}} or {{last (split guest.name \" \")}}."
        }
        _ => return None,
    })
}
