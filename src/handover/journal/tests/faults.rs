//! Errors of the file system while the journal works, and damage that it finds at a start.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::format::{BootId, Durability};
use super::super::ledger::Segment;
use super::super::registry::RegistrySettings;
use super::super::scan::Damage;
use super::checks::check;
use super::disk_model::{DiskModel, Fault, ModelFile, Operation, Point};
use super::world::{BOOT, OTHER_BOOT, SEGMENT_BYTES, Step, World};

use Step::*;

fn world(level: Durability) -> World {
    World::start(DiskModel::default(), level, BOOT).expect("a journal")
}

#[test]
fn a_full_disk_in_the_middle_of_a_record_refuses_that_request_only_and_heals() {
    // Three records, of which this many bytes are written. The write after it is shorter.
    for written in (0..3 * 128).step_by(5) {
        let mut world = world(Durability::Process);
        world.play(&[Accept(0, 2, 1), Begin(0, 1)]);
        world.disk.fail(Fault { at: Point::Write(written), after: 0, error: ErrorKind::StorageFull });
        assert!(!world.accept(0, 3, 1, false), "{written}");
        world.play(&[Begin(0, 1), Round]);
        assert!(world.fates.values().filter(|fate| fate.sent.is_some()).count() == 1, "no attempt without its record");
        let at = world.disk.operations();
        let full = World::start(DiskModel::with(world.disk.files()), Durability::Process, BOOT).expect("a journal");
        check(&world, &full, at, &format!("full after {written}"));

        world.disk.heal();
        assert!(world.accept(0, 1, 1, false), "{written}");
        world.play(&[Begin(0, 1), Round]);
        for operation in at..=world.disk.operations() {
            let left = DiskModel::with(world.disk.after_kill(operation, 0));
            let after = World::start(left, Durability::Process, BOOT).expect("a journal");
            check(&world, &after, operation, &format!("healed after {written}, then {operation}"));
        }
    }
}

#[test]
fn without_a_new_segment_nothing_is_accepted_and_nothing_is_forgotten() {
    let mut world = world(Durability::Process);
    world.play(&[Accept(0, 3, 1)]);
    world.disk.fail(Fault { at: Point::Create, after: 0, error: ErrorKind::StorageFull });
    let mut accepted = 0;
    while world.accept(0, 1, 1, false) {
        accepted += 1;
    }
    assert!((1..20).contains(&accepted), "{accepted} fitted into the open segment");
    assert!(world.keeper.round(0).is_err());
    let left = DiskModel::with(world.disk.after_kill(world.disk.operations(), 0));
    let after = World::start(left, Durability::Process, BOOT).expect("a journal");
    check(&world, &after, world.disk.operations(), "full");
    world.disk.heal();
    assert!(world.accept(0, 1, 1, false));
}

#[test]
fn a_failed_write_of_another_kind_ends_its_segment() {
    let mut world = world(Durability::Process);
    world.play(&[Accept(0, 1, 1)]);
    world.disk.fail(Fault { at: Point::Write(5), after: 0, error: ErrorKind::Other });
    assert!(!world.accept(0, 1, 1, false));
    world.disk.heal();
    world.play(&[Accept(0, 1, 1)]);
    let segments = world.disk.files().keys().filter(|name| name.ends_with("accepted")).count();
    assert_eq!(segments, 2);
    let after = World::start(DiskModel::with(world.disk.files()), Durability::Process, BOOT).expect("a journal");
    check(&world, &after, world.disk.operations(), "after the error");
}

/// All records of a failed sync are rewritten before anything else is accepted, and a power cut at any operation loses
/// nothing that was promised.
#[test]
fn a_failed_sync_is_final_for_its_segment() {
    let steps = [Accept(0, 2, 1), Sync, Accept(0, 1, 1), Begin(0, 1)];
    for after in 0..4 {
        let mut world = world(Durability::Power);
        world.play(&steps);
        world.disk.fail(Fault { at: Point::SyncFile, after, error: ErrorKind::Other });
        world.step(Sync);
        world.disk.heal();
        let holds = |segment: &Arc<Segment<ModelFile>>| segment.is_accepted() && segment.failed.load(Ordering::SeqCst);
        if world.journal.all().iter().any(holds) {
            assert!(!world.accept(0, 1, 1, false), "nothing is accepted before");
        }
        // A second sync that succeeds says nothing of what the first was for.
        world.step(Sync);
        world.play(&[Round, Round, Sync, Begin(0, 1), Sync]);
        assert!(!world.journal.is_failed(), "{after}: it is rewritten");
        assert!(world.accept(0, 1, 1, false));
        world.step(Sync);
        let promised = world.fates.values().filter(|fate| fate.promised.is_some()).count();
        assert_eq!(promised, 4, "{after}");
        for operation in 0..=world.disk.operations() {
            let at_risk = world.disk.at_risk(operation);
            for lost in [at_risk.iter().copied().collect(), Default::default()] {
                let left = DiskModel::with(world.disk.after_power_cut(operation, &lost, None));
                let found = World::start(left, Durability::Power, OTHER_BOOT).expect("a journal");
                check(&world, &found, operation, &format!("{after} {operation} without {lost:?}"));
            }
        }
    }
}

/// A writer may be writing to the segment: what it has just written is not among the segment's entries yet.
#[test]
fn a_segment_whose_sync_failed_stays_until_its_lane_has_closed_it() {
    let mut world = world(Durability::Power);
    world.play(&[Accept(0, 1, 1), SyncFails, Sync, Heal]);
    let failed = |s: &Arc<Segment<ModelFile>>| s.is_accepted() && s.failed.load(Ordering::SeqCst);
    let segment = world.journal.all().into_iter().find(failed).expect("a failed segment");
    world.keeper.round(0).expect("a round");
    assert!(!segment.is_closed() && world.journal.is_failed());
    world.play(&[Round, Round]);
    assert!(segment.is_dead() && !world.journal.is_failed());
    assert!(world.disk.files().keys().all(|name| *name != segment.name().to_string()));
}

/// What is written while a sync is under way may not be on the disk when it ends.
#[test]
fn a_sync_covers_what_was_written_before_it_began() {
    let mut world = world(Durability::Power);
    world.play(&[Accept(0, 1, 1)]);
    let segment = world.journal.all().into_iter().find(|segment| segment.is_accepted() && segment.is_used());
    let segment = segment.expect("the open segment");
    let before = segment.end.load(Ordering::SeqCst);
    let during = Arc::clone(&segment);
    world.disk.during_sync(move || during.end.store(before + 128, Ordering::SeqCst));
    world.journal.sync(&segment).expect("synced");
    assert_eq!(segment.synced.load(Ordering::SeqCst), before);
}

/// The first requests of a failed write are whole in the file, and are refused like the others.
#[test]
fn requests_of_one_failed_write_are_all_refused() {
    for written in 0..6 * 128 {
        let mut world = world(Durability::Process);
        world.play(&[Accept(0, 1, 1)]);
        let before = world.disk.operations();
        world.play(&[Full(written), AcceptTogether(0, 3, 1)]);
        if world.fates.values().all(|fate| fate.refused.is_none()) {
            assert!(written > 3 * 128, "{written}");
            break;
        }
        for operation in before..=world.disk.operations() {
            let left = DiskModel::with(world.disk.after_kill(operation, 0));
            let after = World::start(left, Durability::Process, BOOT).expect("a journal");
            assert_eq!(after.report.damage, [], "{written} {operation}");
            assert!(after.found().contains(&world.queued[0].0), "{written} {operation}");
        }
        let after = World::start(DiskModel::with(world.disk.files()), Durability::Process, BOOT).expect("a journal");
        check(&world, &after, world.disk.operations(), &format!("full after {written}"));
    }
}

#[test]
fn attempts_whose_record_fails_are_tried_again() {
    let mut world = world(Durability::Process);
    world.play(&[Accept(0, 2, 1), Full(0), Begin(0, 2)]);
    assert_eq!(world.queued.len(), 2);
    world.play(&[Heal, Begin(0, 2)]);
    assert_eq!(world.fates.values().filter(|fate| fate.sent.is_some()).count(), 2);
}

/// What is removed may be what makes room.
#[test]
fn a_full_disk_keeps_nothing_that_is_settled() {
    let mut world = world(Durability::Process);
    for _ in 0..20 {
        world.play(&[Accept(0, 3, 2), Begin(0, 6)]);
    }
    let before = world.disk.files().len();
    world.play(&[Accept(0, 1, 1), Full(0), Drop, Round]);
    assert!(world.keeper.round(world.now_ms).is_err(), "the drop is not recorded");
    let after = world.disk.files().len();
    assert!(after + 4 < before, "{after} of {before} are left");
}

#[test]
fn a_dropped_firing_whose_record_fails_is_settled_by_a_later_round() {
    let mut world = world(Durability::Process);
    world.play(&[Accept(0, 1, 1), Full(0), Drop, Round]);
    assert!(world.journal.unsettled.bytes() > 0, "it is not settled without its record");
    world.play(&[Heal, Round]);
    assert_eq!(world.journal.unsettled.bytes(), 0);
    let after = World::start(DiskModel::with(world.disk.files()), Durability::Process, BOOT).expect("a journal");
    assert_eq!(after.found().len(), 0);
}

/// What a stop drops from the queues is sent after the next start.
#[test]
fn a_dropped_firing_is_settled_unless_the_journal_is_closed() {
    let mut world = world(Durability::Process);
    world.play(&[Accept(0, 2, 1)]);
    let (_, (entry, index)) = world.queued.remove(0);
    entry.dropped(index);
    world.step(Round);
    world.journal.unsettled.close();
    let (name, (entry, index)) = world.queued.remove(0);
    entry.dropped(index);
    world.step(Round);
    let after = World::start(DiskModel::with(world.disk.files()), Durability::Process, BOOT).expect("a journal");
    assert_eq!(after.found(), [name].into());
}

#[test]
fn what_a_start_finds_is_in_the_order_of_acceptance() {
    let mut world = world(Durability::Process);
    world.play(&[Accept(1, 1, 1), Accept(0, 1, 1), Accept(1, 1, 1), Accept(0, 1, 1)]);
    let after = World::start(DiskModel::with(world.disk.files()), Durability::Process, BOOT).expect("a journal");
    let names = |world: &World| world.queued.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&after), names(&world));
}

/// A request that comes in parts, of which one can't be written.
#[test]
fn what_was_refused_keeps_no_segment_alive() {
    let mut world = world(Durability::Process);
    world.disk.fail(Fault { at: Point::Write(40), after: 3, error: ErrorKind::StorageFull });
    assert!(!world.accept(0, 1, 4, true));
    world.disk.heal();
    assert_eq!(world.journal.unsettled.bytes(), 0);
}

#[test]
fn damage_of_what_was_synced_is_told_also_after_a_power_cut() {
    let mut world = world(Durability::Power);
    world.play(&[Accept(0, 1, 1), Sync, Accept(0, 1, 1), Sync, Accept(0, 1, 1), Sync]);
    let (name, at, bytes) = records(&world, "accepted")[1].clone();
    let mut files = world.disk.files();
    files.get_mut(&name).expect("the segment")[at + 30] ^= 1;
    let after = World::start(DiskModel::with(files), Durability::Power, OTHER_BOOT).expect("a journal");
    assert_eq!((after.report.damage, after.queued.len()), (vec![(name, Damage { offset: at, bytes })], 2));
}

/// Where the system tells no boot id, each start may be one after a power cut.
#[test]
fn where_no_boot_id_is_told_process_sends_nothing_again() {
    let settings =
        RegistrySettings { level: Durability::Process, boot: BootId::default(), segment_bytes: SEGMENT_BYTES };
    let mut world = World::start_with(DiskModel::default(), settings).expect("a journal");
    world.play(&[Accept(0, 3, 1), Begin(0, 1)]);
    let after = World::start_with(DiskModel::with(world.disk.files()), settings).expect("a journal");
    assert_eq!((after.found().len(), after.report.lost), (0, 2));
}

/// The offset and length of each record that was written to files of a kind.
fn records(world: &World, kind: &str) -> Vec<(String, usize, usize)> {
    let mut names = BTreeMap::new();
    let mut found = Vec::new();
    for operation in world.disk.log() {
        match operation {
            Operation::Create(name, file, _) => drop(names.insert(file, name)),
            Operation::Write(file, at, bytes) if at > 0 && names[&file].ends_with(kind) => {
                found.push((names[&file].clone(), at, bytes.len()));
            }
            _ => {}
        }
    }
    found
}

#[test]
fn damage_is_reported_with_its_position_and_costs_one_record() {
    let mut world = world(Durability::Process);
    world.play(&[Accept(0, 1, 1), Accept(0, 1, 2), Accept(0, 1, 1)]);
    let (name, at, bytes) = records(&world, "accepted")[1].clone();
    for byte in at..at + bytes {
        let mut files = world.disk.files();
        files.get_mut(&name).expect("the segment")[byte] ^= 0x24;
        let after = World::start(DiskModel::with(files), Durability::Process, BOOT).expect("a journal");
        let padding = after.report.damage.is_empty();
        assert!(!padding || byte + 8 > at + bytes, "{byte}");
        if !padding {
            assert_eq!(after.report.damage, [(name.clone(), Damage { offset: at, bytes })], "{byte}");
            assert_eq!(after.found().len(), 2, "{byte}");
        }
    }
}

#[test]
fn after_a_damaged_begun_record_nothing_is_sent_that_it_may_have_named() {
    let mut world = world(Durability::Process);
    world.play(&[Accept(0, 4, 1), Begin(0, 1), Begin(0, 1)]);
    let (name, at, _) = records(&world, "begun")[0].clone();
    let mut files = world.disk.files();
    files.get_mut(&name).expect("the segment")[at + 30] ^= 1;
    let after = World::start(DiskModel::with(files), Durability::Process, BOOT).expect("a journal");
    assert_eq!((after.found().len(), after.report.doubtful, after.report.damage.len()), (0, 3, 1));
}

/// Where all begun records are known, a damaged header costs nothing.
#[test]
fn records_behind_a_damaged_header_are_sent_unless_they_may_have_been_sent() {
    let mut world = world(Durability::Process);
    world.play(&[Accept(0, 4, 1), Begin(0, 1)]);
    let (accepted, begun) = (records(&world, "accepted")[0].0.clone(), records(&world, "begun")[0].0.clone());
    let damage = |names: &[&String], boot: BootId| {
        let mut files = world.disk.files();
        names.iter().for_each(|name| files.get_mut(*name).expect("the segment")[30] ^= 1);
        World::start(DiskModel::with(files), Durability::Process, boot).expect("a journal")
    };
    let after = damage(&[&accepted], BOOT);
    let header = Damage { offset: 0, bytes: 64 };
    assert_eq!(
        (after.found().len(), after.report.lost, &after.report.damage[..]),
        (3, 0, &[(accepted.clone(), header)][..])
    );
    assert_eq!(damage(&[&accepted], OTHER_BOOT).found().len(), 0);
    assert_eq!(damage(&[&accepted, &begun], BOOT).found().len(), 0);
}

/// A file system that repairs itself, or a copy that ended early, may leave a shorter file.
#[test]
fn a_segment_that_was_cut_is_damaged() {
    let mut world = world(Durability::Process);
    world.play(&[Accept(0, 4, 1), Begin(0, 1)]);
    let cases = [("accepted", 64, 0), ("begun", 64, 4), ("accepted", 0, 0), ("begun", 0, 4), ("begun", 63, 4)];
    for (kind, at, doubtful) in cases {
        let (name, first, _) = records(&world, kind)[0].clone();
        let mut files = world.disk.files();
        let bytes = if at == first { files[&name].len() - at } else { first - at };
        files.get_mut(&name).expect("the segment").truncate(at);
        let after = World::start(DiskModel::with(files), Durability::Process, BOOT).expect("a journal");
        assert_eq!((after.found().len(), after.report.doubtful), (0, doubtful), "{kind} {at}");
        assert_eq!(after.report.damage, [(name, Damage { offset: at, bytes })]);
    }
}

#[test]
fn a_segment_of_a_later_version_is_refused_and_left_alone() {
    let mut world = world(Durability::Process);
    world.play(&[Accept(0, 1, 1)]);
    let mut files = world.disk.files();
    let (name, content) = files.iter_mut().find(|(name, _)| name.ends_with("accepted")).expect("a segment");
    content[8] = 2;
    let number = u64::from_str_radix(&name[..16], 16).expect("a number");
    let check = xxhash_rust::xxh3::xxh3_64_with_seed(&content[..56], number);
    content[56..64].copy_from_slice(&check.to_le_bytes());
    let disk = DiskModel::with(files.clone());
    let error = World::start(disk.clone(), Durability::Process, BOOT).err().expect("refused");
    assert!(error.to_string().contains("format 2"), "{error}");
    assert_eq!(disk.files(), files);
}
