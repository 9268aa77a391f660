//! Replaces an expression that has a mistake with a placeholder, so that the parser can read the rest of the template and
//! all mistakes are reported at once. A template with a placeholder is never used.

use super::blocks::name_of;
use super::is_space_or_tilde;

/// The name in the placeholder of an expression. A private character, which the scan refuses in a customer's expressions.
pub(crate) const PLACEHOLDER: char = '\u{e002}';

/// A placeholder with the same number of characters and the same line breaks, so that what follows keeps its line and
/// column. A block keeps its name. `None` if there is no room for it.
pub(crate) fn with_placeholder(expression: &str) -> Option<String> {
    let inside = expression.strip_prefix("{{")?.strip_suffix("}}")?;
    let kept = kept(inside)?;
    let mut text = format!("{{{{{}", &inside[..kept]);
    let mut spaced = kept == 0;
    let mut named = inside[..kept].contains('/');
    for c in inside[kept..].chars() {
        text.push(match c {
            '\n' | '\r' => c,
            _ if spaced && !named => {
                named = true;
                PLACEHOLDER
            }
            _ => {
                spaced = true;
                ' '
            }
        });
    }
    text.push_str("}}");
    named.then_some(text)
}

/// The length of the begin that identifies a block.
fn kept(inside: &str) -> Option<usize> {
    let begin = inside.trim_start_matches(is_space_or_tilde);
    let rest = match begin.strip_prefix(['#', '/', '^']).or_else(|| begin.strip_prefix("else")) {
        Some(rest) => rest.trim_start_matches([' ', '\t', '\r', '\n']),
        None => return Some(0),
    };
    let name = name_of(rest);
    (!name.is_empty()).then(|| inside.len() - rest.len() + name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_after_a_placeholder_keeps_its_position() {
        for (expression, expected) in [
            ("{{x | y}}", Some("{{\u{e002}    }}")),
            ("{{{x | y}}}", Some("{{\u{e002}      }}")),
            ("{{\n.Field}}", Some("{{\n\u{e002}     }}")),
            ("{{#if x | y}}", Some("{{#if \u{e002}    }}")),
            ("{{# each\nx.y()}}", Some("{{# each\n \u{e002}   }}")),
            ("{{else if ä | y}}", Some("{{else if \u{e002}    }}")),
            ("{{/if | x}}", Some("{{/if    }}")),
            ("{{> a}}", Some("{{\u{e002}  }}")),
            ("{{else | x}}", None),
            ("{{#if|}}", None),
            ("{{#*inline x}}", None),
            ("{{x", None),
        ] {
            assert_eq!(with_placeholder(expression).as_deref(), expected, "{expression}");
        }
    }
}
