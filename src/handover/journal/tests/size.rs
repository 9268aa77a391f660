//! The folder stays small: settled records are removed, and long unsettled ones keep no others alive.

use super::super::format::Durability;
use super::disk_model::DiskModel;
use super::world::{BOOT, SEGMENT_BYTES, Step, World};

use Step::*;

/// Segments that writers have open or in reserve: two for accepting, two for sending, two of the keeper, two spares.
const OPEN: usize = 8;

fn world() -> World {
    World::start(DiskModel::default(), Durability::Process, BOOT).expect("a journal")
}

#[test]
fn when_all_is_settled_only_open_segments_are_left() {
    let mut world = world();
    for _ in 0..50 {
        world.play(&[Accept(0, 3, 2), Accept(1, 3, 2), Begin(0, 6), Begin(1, 6), Round]);
    }
    assert_eq!(world.journal.unsettled.bytes(), 0);
    world.play(&[Round, Round]);
    let segments = world.disk.files().len();
    assert!(segments <= OPEN, "{segments}: {:?}", world.disk.files().keys());
}

/// One firing in ten goes to a dead destination and waits for ever; the rest is sent. Waiting firings are rewritten, so
/// that the folder takes a small multiple of them.
#[test]
fn a_firing_that_waits_for_ever_keeps_no_other_record() {
    let mut world = world();
    let mut waiting = 0;
    for _ in 0..200 {
        world.step(Accept(0, 10, 1));
        let slow = world.queued.remove(waiting);
        world.queued.insert(waiting, slow);
        waiting += 1;
        world.play(&[BeginNewest(0, 9), Round]);
        let bound = 3 * world.journal.unsettled.bytes() as usize + (OPEN + 6) * SEGMENT_BYTES;
        assert!(world.disk.bytes() <= bound, "{} of {bound} with {waiting} waiting", world.disk.bytes());
    }
    let after = World::start(DiskModel::with(world.disk.files()), Durability::Process, BOOT).expect("a journal");
    assert_eq!(after.found(), world.found());
    assert_eq!(after.found().len(), 200);
}

/// A completely unsettled backlog is not rewritten, and the begun segments of other traffic do not pile up behind it.
#[test]
fn a_backlog_does_not_keep_the_records_of_sent_firings() {
    let mut world = world();
    world.play(&[Accept(1, 20, 1)]);
    for _ in 0..500 {
        world.play(&[Accept(0, 4, 8), BeginNewest(0, 32), Round]);
        let bound = 3 * world.journal.unsettled.bytes() as usize + (OPEN + 8) * SEGMENT_BYTES;
        assert!(world.disk.bytes() <= bound, "{} of {bound}", world.disk.bytes());
    }
    assert_eq!(world.queued.len(), 20);
    let after = World::start(DiskModel::with(world.disk.files()), Durability::Process, BOOT).expect("a journal");
    assert_eq!(after.found(), world.found());
}

/// Over restarts too: the next run rewrites what a run left.
#[test]
fn a_backlog_survives_many_starts_in_few_segments() {
    let mut world = world();
    world.play(&[Accept(0, 5, 1), Begin(0, 2)]);
    for _ in 0..20 {
        let mut next = World::start(DiskModel::with(world.disk.files()), Durability::Process, BOOT).expect("a journal");
        assert_eq!(next.found(), world.found());
        next.play(&[Accept(0, 2, 1), BeginNewest(0, 2), Round, Round]);
        world = next;
    }
    assert_eq!(world.queued.len(), 3);
    assert!(world.disk.files().len() <= OPEN + 8, "{:?}", world.disk.files().keys());
}

/// Each try takes another segment.
#[test]
fn begun_records_that_are_not_synced_keep_no_segment() {
    let mut world = World::start(DiskModel::default(), Durability::Power, BOOT).expect("a journal");
    world.play(&[Accept(0, 3, 1), Sync]);
    for _ in 0..40 {
        world.play(&[Begin(0, 3), SyncFails, Sync, Heal, Round]);
        assert_eq!(world.queued.len(), 3, "they are tried again");
    }
    let files = world.disk.files();
    assert!(files.len() <= OPEN + 4, "{:?}", files.keys());
    world.play(&[Begin(0, 3), Sync]);
    assert!(world.queued.is_empty() && world.fates.values().all(|fate| fate.sent.is_some()));
}
