//! Warnings on a template that is well-formed: what it sends is hardly what its author means. It looks
//! at each value in its place, and refuses nothing.

use super::findings::Findings;
use crate::templating::program::{Call, Expression, Node, Nodes, Place, Write};
use crate::templating::render::helpers::{self, Gives};

/// Warns of values that are hardly meant so.
pub(crate) fn warn(nodes: &Nodes, findings: &mut Findings<'_>) {
    each_write(nodes, &mut |write| number_as_text(write, findings));
}

fn each_write(nodes: &Nodes, look: &mut impl FnMut(&Write)) {
    for node in nodes {
        match node {
            Node::Text(_) => {}
            Node::Write(write) => look(write),
            Node::If(chosen) => {
                each_write(&chosen.then, look);
                each_write(&chosen.otherwise, look);
            }
            Node::Each(each) => {
                each_write(&each.body, look);
                each_write(&each.otherwise, look);
            }
            Node::With(with) => {
                each_write(&with.body, look);
                each_write(&with.otherwise, look);
            }
        }
    }
}

/// Where a JSON value stands, `number`, `money` and a date in seconds write a text in quotes.
fn number_as_text(write: &Write, findings: &mut Findings<'_>) {
    let (Place::JsonValue { .. }, Expression::Call(call)) = (write.place, &write.value) else { return };
    let helper = helpers::get(call.helper);
    let instead = match helper.gives {
        Gives::Figures => "{{to_number x}} or {{round x 2}}",
        _ if is_seconds(call) => "{{unix x}}",
        _ => return,
    };
    let message = format!(
        "{} writes text here, in quotes. For a JSON number write {instead}; if text is meant, put the expression in quotes.",
        helper.name
    );
    findings.warning("number_as_text", write.at, message);
}

fn is_seconds(call: &Call) -> bool {
    helpers::get(call.helper).name == "date" && call.constant(1) == Some("%s")
}
