//! Histories drawn at random, with full disks and failed syncs among their steps, and crashes at every operation of
//! them; then a second history on what the first crash left. The seeds are fixed. `JOURNAL_HISTORIES` asks for more.

use std::collections::BTreeSet;

use super::super::format::Durability;
use super::checks::{check, check_kill};
use super::disk_model::DiskModel;
use super::world::{BOOT, OTHER_BOOT, Step, World};

use Step::*;

const HISTORIES: u64 = 24;

/// A fixed sequence of numbers that look random.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 33) as usize % end
    }

    fn step(&mut self) -> Step {
        let thread = self.below(2);
        match self.below(100) {
            0..22 => Accept(thread, self.below(5) + 1, self.below(3) + 1),
            22..27 => Accept(thread, 1, 30 + self.below(60)),
            27..33 => AcceptTogether(thread, self.below(4) + 2, self.below(3) + 1),
            33..40 => AcceptInParts(thread, self.below(3) + 1, self.below(8) + 1),
            40..48 => Begin(thread, self.below(4) + 1),
            48..60 => BeginNewest(thread, [1, 2, 5, 65][self.below(4)]),
            60..66 => Drop,
            66..82 => Round,
            82..92 => Sync,
            92..94 => Full(self.below(300)),
            94..96 => SyncFails,
            _ => Heal,
        }
    }

    fn history(&mut self, most: usize) -> Vec<Step> {
        let first = Accept(self.below(2), self.below(6) + 1, self.below(2) + 1);
        let steps = (0..most / 2 + self.below(most / 2)).map(|_| self.step());
        std::iter::once(first).chain(steps).collect()
    }
}

fn histories() -> u64 {
    std::env::var("JOURNAL_HISTORIES").ok().and_then(|number| number.parse().ok()).unwrap_or(HISTORIES)
}

/// What crashes at an operation of a world may leave.
fn crashes(world: &World, level: Durability, operation: usize, random: &mut Random) -> Vec<(DiskModel, Durability)> {
    let length = world.disk.write_length(operation).unwrap_or(1);
    let mut left: Vec<_> =
        [0, length / 2, length - 1].into_iter().map(|torn| world.disk.after_kill(operation, torn)).collect();
    let is_cut = left.len();
    if level == Durability::Power {
        let at_risk = world.disk.at_risk(operation);
        let some: BTreeSet<usize> = at_risk.iter().copied().filter(|_| random.below(2) == 0).collect();
        for undone in [BTreeSet::new(), some, at_risk.into_iter().collect()] {
            left.push(world.disk.after_power_cut(operation, &undone, None));
        }
    }
    let boot = |number: usize| if number < is_cut { Durability::Process } else { Durability::Power };
    left.into_iter().enumerate().map(|(number, files)| (DiskModel::with(files), boot(number))).collect()
}

/// `lost`: whether the power was cut.
fn start(disk: DiskModel, level: Durability, lost: Durability) -> World {
    let boot = if lost == Durability::Power { OTHER_BOOT } else { BOOT };
    World::start(disk, level, boot).expect("a journal")
}

fn look(before: &World, after: &World, operation: usize, lost: Durability, case: &str) {
    match lost {
        Durability::Process => check_kill(before, after, operation, case),
        Durability::Power => check(before, after, operation, case),
    }
}

#[test]
fn after_any_crash_of_any_history_nothing_is_lost_and_nothing_sent_twice() {
    for seed in 0..histories() {
        for level in [Durability::Process, Durability::Power] {
            let mut random = Random(seed << 32);
            let steps = random.history(24);
            let mut world = World::start(DiskModel::default(), level, BOOT).expect("a journal");
            world.play(&steps);
            for operation in 0..=world.disk.operations() {
                let case = format!("seed {seed} {level:?} {steps:?} {operation}");
                for (left, lost) in crashes(&world, level, operation, &mut random) {
                    look(&world, &start(left, level, lost), operation, lost, &case);
                }
            }
            let operation = random.below(world.disk.operations() + 1);
            let left = DiskModel::with(world.disk.after_kill(operation, 0));
            let mut again = World::start(left, level, BOOT).expect("a journal");
            let more = random.history(16);
            again.play(&more);
            for later in 0..=again.disk.operations() {
                let case = format!("seed {seed} {level:?} {steps:?} {operation}, then {more:?} {later}");
                for (left, lost) in crashes(&again, level, later, &mut random) {
                    look(&again, &start(left, level, lost), later, lost, &case);
                }
            }
        }
    }
}
