//! Array consistency across `$or`. Fields that must hold in the same element of a list have to be evaluated together.
//! That concerns a branch of `$or` that names a field below the same member as another part of the pattern. In that
//! case, and only then, the parts that share a member become alternatives: each branch combined with all parts that it
//! shares a member with. After that, the parts of a level can be evaluated one by one.

use std::collections::HashMap;

use super::error::PatternError;
use super::read::{MemberCondition, PatternItem, PatternLevel};

/// The most alternatives of one pattern; event-ruler's limit, too.
const ALTERNATIVES_MAX: usize = 1_000;
/// The most lists of tests afterwards; it bounds the memory of a pattern.
const LEAVES_MAX: usize = 4_000;

/// Rewrites levels, and counts the results.
#[derive(Debug, Default)]
pub(super) struct Alternatives {
    alternatives: usize,
    leaves: usize,
}

/// How a part of a level uses a member: only its value, or also members below it.
type MemberUses = HashMap<u32, bool, foldhash::fast::RandomState>;

impl Alternatives {
    /// An equivalent level whose parts share nothing.
    pub(super) fn separate(&mut self, level: PatternLevel) -> Result<PatternLevel, PatternError> {
        let mut separate = Vec::with_capacity(level.len());
        for group in groups(level) {
            self.group(group, &mut separate)?;
        }
        Ok(separate)
    }

    fn group(&mut self, mut group: PatternLevel, out: &mut PatternLevel) -> Result<(), PatternError> {
        let shared = group.len() > 1;
        let Some(place) = group.iter().position(|item| matches!(item, PatternItem::Or { .. })) else {
            return self.fields(group, out);
        };
        let PatternItem::Or { at, branches } = group.remove(place) else { return Ok(()) };
        let mut separate = Vec::with_capacity(branches.len());
        for branch in branches {
            let mut whole = branch;
            if shared {
                self.alternatives += 1;
                if self.alternatives > ALTERNATIVES_MAX {
                    let detail = format!(
                        "fields below one member stand in several `$or`, which makes more than {ALTERNATIVES_MAX} \
                         alternatives; write fewer branches"
                    );
                    return Err(PatternError::new(&at, "too_many_alternatives", detail));
                }
                whole.splice(0..0, group.iter().cloned());
            }
            separate.push(self.separate(whole)?);
        }
        out.push(PatternItem::Or { at, branches: separate });
        Ok(())
    }

    /// Fields of one member become one field.
    fn fields(&mut self, fields: PatternLevel, out: &mut PatternLevel) -> Result<(), PatternError> {
        let mut below: HashMap<u32, PatternLevel, foldhash::fast::RandomState> = HashMap::default();
        let mut order = Vec::new();
        for item in fields {
            match item {
                PatternItem::Field(name, MemberCondition::Level(level)) => {
                    let whole = below.entry(name).or_insert_with(|| {
                        order.push(name);
                        Vec::new()
                    });
                    whole.extend(level);
                }
                leaf => {
                    self.leaves += 1;
                    if self.leaves > LEAVES_MAX {
                        let detail = format!("with its alternatives the pattern has more than {LEAVES_MAX} conditions");
                        return Err(PatternError::too_large("", detail));
                    }
                    out.push(leaf);
                }
            }
        }
        for name in order {
            let level = below.remove(&name).unwrap_or_default();
            let level = self.separate(level)?;
            out.push(PatternItem::Field(name, MemberCondition::Level(level)));
        }
        Ok(())
    }
}

/// Groups the parts of a level by shared members; the order is kept.
fn groups(level: PatternLevel) -> Vec<PatternLevel> {
    if level.len() == 1 {
        return vec![level];
    }
    let mut groups: Vec<(MemberUses, PatternLevel)> = Vec::with_capacity(level.len());
    for item in level {
        let mut own = MemberUses::default();
        uses(&item, &mut own);
        let mut items = vec![item];
        let mut place = groups.len();
        for other in (0..groups.len()).rev() {
            if share(&groups[other].0, &own) {
                let (uses, mut before) = groups.remove(other);
                for (name, below) in uses {
                    *own.entry(name).or_default() |= below;
                }
                before.append(&mut items);
                items = before;
                place = other;
            }
        }
        groups.insert(place, (own, items));
    }
    groups.into_iter().map(|(_, items)| items).collect()
}

/// Two values of one member may come from different elements; members below it must come from the same one.
fn share(left: &MemberUses, right: &MemberUses) -> bool {
    left.iter().any(|(name, below)| right.get(name).is_some_and(|other| *below || *other))
}

fn uses(item: &PatternItem, found: &mut MemberUses) {
    match item {
        PatternItem::Field(name, body) => *found.entry(*name).or_default() |= matches!(body, MemberCondition::Level(_)),
        PatternItem::Or { branches, .. } => branches.iter().flatten().for_each(|item| uses(item, found)),
    }
}
