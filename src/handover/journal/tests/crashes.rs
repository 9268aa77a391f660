//! Every crash point of short histories: promised firings are found, and sent ones are not.

use std::collections::BTreeSet;

use super::super::format::{BootId, Durability};
use super::checks::{check, check_kill};
use super::disk_model::DiskModel;
use super::world::{BOOT, OTHER_BOOT, Step, World};

use Step::*;

/// A request, synced.
fn accept(thread: usize, events: usize, triggers: usize) -> [Step; 2] {
    [Accept(thread, events, triggers), Sync]
}

/// Attempts of the newest firings, synced.
fn send(thread: usize, count: usize) -> [Step; 2] {
    [BeginNewest(thread, count), Sync]
}

/// Histories that end in the middle of work: small and large requests, in parts; slow and fast firings; rounds of the
/// keeper; several threads.
fn histories() -> Vec<Vec<Step>> {
    vec![
        vec![Accept(0, 1, 1), Sync, Begin(0, 1), Sync],
        vec![Accept(0, 2, 2), Accept(1, 1, 1), Sync, Begin(0, 3), Sync, Round, Begin(1, 1), Sync],
        vec![AcceptTogether(0, 3, 2), Sync, Begin(0, 2), Sync, AcceptTogether(1, 2, 1), Sync, Begin(1, 12), Sync],
        vec![AcceptInParts(0, 1, 3), Sync, Begin(0, 2), Accept(0, 1, 1), Sync, Begin(0, 1), Sync],
        // Segments fill up, and one slow firing keeps each alive.
        [
            [&[Accept(0, 6, 1)][..], &accept(0, 6, 1), &send(0, 5), &[Round], &send(1, 5)].concat(),
            [&accept(0, 6, 1)[..], &[Round], &send(0, 6), &[Round, Round, Begin(0, 1), Sync, Round]].concat(),
        ]
        .concat(),
        // Some are dropped.
        [&[Accept(0, 3, 1)][..], &accept(1, 3, 1), &[Drop, Round, Drop, Begin(0, 1), Sync, Round], &accept(0, 1, 1)]
            .concat(),
        // Begun segments outgrow the unsettled records.
        [
            [&[Accept(0, 1, 1)][..], &accept(1, 1, 130), &send(0, 65), &send(1, 65), &[Round]].concat(),
            [&accept(0, 1, 130)[..], &send(0, 65), &send(1, 65), &[Round, Round], &accept(1, 1, 1), &[Round]].concat(),
        ]
        .concat(),
    ]
}

/// The first and shortest histories are torn at every byte of every write, the others at some.
const EVERY_BYTE: usize = 4;

fn played(level: Durability, disk: DiskModel, steps: &[Step]) -> World {
    let mut world = World::start(disk, level, BOOT).expect("a journal");
    world.play(steps);
    world
}

#[test]
fn a_kill_at_any_operation_and_byte_loses_nothing_and_sends_nothing_twice() {
    let mut states = 0;
    for (history, steps) in histories().iter().enumerate() {
        for level in [Durability::Process, Durability::Power] {
            let world = played(level, DiskModel::default(), steps);
            for operation in 0..=world.disk.operations() {
                let length = world.disk.write_length(operation).unwrap_or(1);
                // All bytes of small writes; of large ones the first, the last and some in between.
                let all = history < EVERY_BYTE || length < 200;
                let torn = (0..length).filter(|byte| all || byte % 37 == 0 || *byte < 40 || byte + 40 > length);
                for torn in torn {
                    let left = DiskModel::with(world.disk.after_kill(operation, torn));
                    let after = World::start(left, level, BOOT).expect("a journal");
                    check_kill(&world, &after, operation, &format!("{history} {level:?} {operation} byte {torn}"));
                    states += 1;
                }
            }
        }
    }
    assert!(states > 5_000, "{states}");
}

/// The sets of operations that a power cut undoes: all subsets if there are few operations, otherwise a fixed sample.
fn subsets(at_risk: &[usize], seed: u64) -> Vec<BTreeSet<usize>> {
    let pick = |mask: u64| at_risk.iter().enumerate().filter(|(n, _)| mask >> n & 1 == 1).map(|(_, o)| *o).collect();
    if at_risk.len() <= 6 {
        return (0..1_u64 << at_risk.len()).map(pick).collect();
    }
    let mut random = seed;
    let mut masks = vec![0, u64::MAX];
    for _ in 0..62 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        masks.push(random >> 13);
    }
    masks.into_iter().map(pick).collect()
}

#[test]
fn with_power_a_power_cut_loses_nothing_and_sends_nothing_twice() {
    let mut states = 0;
    for (history, steps) in histories().iter().enumerate() {
        let world = played(Durability::Power, DiskModel::default(), steps);
        // Nothing is promised before the start has prepared the folder.
        for operation in 0..=world.disk.operations() {
            let at_risk = world.disk.at_risk(operation);
            for undone in subsets(&at_risk, operation as u64) {
                let left = DiskModel::with(world.disk.after_power_cut(operation, &undone, None));
                let after = World::start(left, Durability::Power, OTHER_BOOT).expect("a journal");
                check(&world, &after, operation, &format!("{history} {operation} without {undone:?}"));
                states += 1;
            }
            let last = at_risk.iter().rev().take(3).filter_map(|at| Some((*at, world.disk.write_length(*at)?)));
            for (at, length) in last.filter(|_| history >= EVERY_BYTE) {
                // Each byte, over some operations: a write is at risk after several.
                let step = if length < 200 { 3 } else { 29 };
                for torn in (operation % step..length).step_by(step) {
                    let left = world.disk.after_power_cut(operation, &BTreeSet::new(), Some((at, torn)));
                    let after = World::start(DiskModel::with(left), Durability::Power, OTHER_BOOT).expect("a journal");
                    check(&world, &after, operation, &format!("{history} {operation}, {at} torn at {torn}"));
                    states += 1;
                }
            }
        }
    }
    assert!(states > 4_000, "{states}");
}

/// A power cut while any write is under way or not yet synced, at each of its bytes, with and without the other changes
/// that may be lost.
#[test]
fn with_power_a_write_torn_at_every_byte_loses_nothing_and_sends_nothing_twice() {
    let mut states = 0;
    for (history, steps) in histories().iter().take(EVERY_BYTE).enumerate() {
        let world = played(Durability::Power, DiskModel::default(), steps);
        for operation in 0..=world.disk.operations() {
            let at_risk: BTreeSet<usize> = world.disk.at_risk(operation).into_iter().collect();
            for (at, length) in at_risk.iter().filter_map(|at| Some((*at, world.disk.write_length(*at)?))) {
                let others: BTreeSet<usize> = at_risk.iter().copied().filter(|other| *other != at).collect();
                let lost = if others.is_empty() { vec![others] } else { vec![BTreeSet::new(), others] };
                for (undone, torn) in lost.iter().flat_map(|undone| (0..length).map(move |torn| (undone, torn))) {
                    let left = world.disk.after_power_cut(operation, undone, Some((at, torn)));
                    let after = World::start(DiskModel::with(left), Durability::Power, OTHER_BOOT).expect("a journal");
                    let case = format!("{history} {operation} without {undone:?}, {at} torn at {torn}");
                    check(&world, &after, operation, &case);
                    states += 1;
                }
            }
        }
    }
    assert!(states > 5_000, "{states}");
}

#[test]
fn with_process_a_power_cut_sends_nothing_twice_and_counts_drops() {
    for (history, steps) in histories().iter().enumerate() {
        let world = played(Durability::Process, DiskModel::default(), steps);
        for operation in 0..=world.disk.operations() {
            for undone in subsets(&world.disk.at_risk(operation), operation as u64) {
                let left = DiskModel::with(world.disk.after_power_cut(operation, &undone, None));
                // Also if the level was raised since.
                let level = if operation % 2 == 0 { Durability::Process } else { Durability::Power };
                let after = World::start(left, level, OTHER_BOOT).expect("a journal");
                assert_eq!(after.found().len(), 0, "{history} {operation} {undone:?}");
                if undone.is_empty() {
                    let by = |point: Option<usize>| point.is_some_and(|point| point <= operation);
                    let unsettled = world.fates.values().filter(|fate| by(fate.promised) && !by(fate.named)).count();
                    assert!(after.report.lost >= unsettled, "{history} {operation} {:?}", after.report);
                }
            }
        }
    }
}

/// A second run continues after the first crash and crashes too, at any operation.
#[test]
fn a_second_crash_loses_nothing_and_sends_nothing_twice() {
    let second =
        [Begin(0, 2), Sync, Accept(0, 2, 1), Round, Sync, BeginNewest(1, 1), Sync, Round, Begin(0, 1), Sync, Round];
    for (history, steps) in histories().iter().enumerate() {
        for (first, level, cut) in [
            (Durability::Process, Durability::Process, false),
            (Durability::Power, Durability::Power, true),
            (Durability::Power, Durability::Process, false),
            (Durability::Power, Durability::Process, true),
            (Durability::Process, Durability::Power, true),
        ] {
            let world = played(first, DiskModel::default(), steps);
            for operation in (0..=world.disk.operations()).rev().step_by(7) {
                let left = world.disk.after_kill(operation, 0);
                let mut again = World::start(DiskModel::with(left), level, BOOT).expect("a journal");
                check(&world, &again, operation, "the first");
                again.play(&second);
                for operation in 0..=again.disk.operations() {
                    let case = format!("{history} {first:?} {level:?} cut {cut}, then {operation}");
                    if !cut {
                        let left = DiskModel::with(again.disk.after_kill(operation, 0));
                        let after = World::start(left, level, BOOT).expect("a journal");
                        check(&again, &after, operation, &case);
                        continue;
                    }
                    for undone in subsets(&again.disk.at_risk(operation), operation as u64).into_iter().take(8) {
                        let left = DiskModel::with(again.disk.after_power_cut(operation, &undone, None));
                        let after = World::start(left, Durability::Power, OTHER_BOOT).expect("a journal");
                        let case = format!("{case} without {undone:?}");
                        match (first, level) {
                            (Durability::Power, Durability::Power) => check(&again, &after, operation, &case),
                            // After a power cut nothing is known of a run that does not sync.
                            _ => none_twice(&again, &after, operation, &case),
                        }
                    }
                }
            }
        }
    }
}

fn none_twice(before: &World, after: &World, operation: usize, case: &str) {
    for name in after.found() {
        let sent = before.fates.get(&name).and_then(|fate| fate.sent);
        assert!(sent.is_none_or(|sent| sent > operation), "{case}: {name:?} would be sent twice");
    }
}

/// Stops gracefully.
fn end(world: &mut World) {
    world.step(Round);
    world.journal.end_run().expect("synced");
}

/// A graceful stop makes all durable and says so: the machine may then be restarted, or the folder be moved to another.
#[test]
fn after_a_graceful_stop_another_boot_loses_nothing_and_sends_nothing_twice() {
    for (history, steps) in histories().iter().enumerate() {
        for level in [Durability::Process, Durability::Power] {
            let mut world = played(level, DiskModel::default(), steps);
            let stopping = world.disk.operations();
            end(&mut world);
            let ended = world.disk.operations();
            for operation in stopping..=ended {
                for undone in subsets(&world.disk.at_risk(operation), operation as u64) {
                    let left = DiskModel::with(world.disk.after_power_cut(operation, &undone, None));
                    let after = World::start(left, level, OTHER_BOOT).expect("a journal");
                    let case = format!("{history} {level:?} {operation} of {ended} without {undone:?}");
                    match operation == ended {
                        true => check(&world, &after, operation, &case),
                        false => none_twice(&world, &after, operation, &case),
                    }
                }
            }
        }
    }
}

/// What a run has kept at its graceful stop, a run in another boot keeps as well as its own level says.
#[test]
fn what_a_graceful_stop_kept_is_kept_on_in_later_boots() {
    let third = BootId([3; 16]);
    let more = [Begin(0, 1), Sync, Accept(0, 2, 1), Sync, Round, Begin(1, 1), Sync];
    for (history, steps) in histories().iter().enumerate() {
        for level in [Durability::Process, Durability::Power] {
            let mut world = played(Durability::Process, DiskModel::default(), steps);
            end(&mut world);
            let mut again = World::start(DiskModel::with(world.disk.files()), level, OTHER_BOOT).expect("a journal");
            again.play(&more);
            for operation in 0..=again.disk.operations() {
                let case = format!("{history} {level:?} {operation}");
                let kill = DiskModel::with(again.disk.after_kill(operation, 0));
                check(&again, &World::start(kill, level, OTHER_BOOT).expect("a journal"), operation, &case);
                for undone in subsets(&again.disk.at_risk(operation), operation as u64).into_iter().take(8) {
                    let left = DiskModel::with(again.disk.after_power_cut(operation, &undone, None));
                    let after = World::start(left, level, third).expect("a journal");
                    match level {
                        Durability::Power => check(&again, &after, operation, &case),
                        Durability::Process => none_twice(&again, &after, operation, &case),
                    }
                }
            }
            end(&mut again);
            let after = World::start(DiskModel::with(again.disk.files()), level, third).expect("a journal");
            check(&again, &after, again.disk.operations(), &format!("{history} {level:?} ended twice"));
        }
    }
}

/// A graceful stop says nothing of runs in earlier boots, whose writes may be lost.
#[test]
fn a_graceful_stop_vouches_for_no_earlier_boot() {
    for (history, steps) in histories().iter().enumerate() {
        let world = played(Durability::Process, DiskModel::default(), steps);
        for operation in 0..=world.disk.operations() {
            for undone in subsets(&world.disk.at_risk(operation), operation as u64).into_iter().take(8) {
                let left = DiskModel::with(world.disk.after_power_cut(operation, &undone, None));
                let again = World::start(left, Durability::Process, OTHER_BOOT).expect("a journal");
                // Without the keeper's last round: nothing of the earlier run is removed.
                again.journal.end_run().expect("synced");
                let left = DiskModel::with(again.disk.files());
                let after = World::start(left, Durability::Process, BootId([3; 16])).expect("a journal");
                none_twice(&world, &after, operation, &format!("{history} {operation} without {undone:?}"));
            }
        }
    }
}
