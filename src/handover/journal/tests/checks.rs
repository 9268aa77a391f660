//! What a start after a crash must find, and what it must not.

use super::world::{Name, World};

/// Checks what a start after the end of the process at this operation finds: also all or nothing of each request. After a
/// power cut a part of an unanswered request may be found.
pub(crate) fn check_kill(before: &World, after: &World, operation: usize, case: &str) {
    check(before, after, operation, case);
    let found = after.found();
    for request in &before.requests {
        let is_there = |name: &Name| found.contains(name) || before.fates[name].may_be_named(operation);
        let is_whole = request.iter().all(is_there) || !request.iter().any(|name| found.contains(name));
        assert!(is_whole, "{case}: {request:?}");
    }
}

/// Checks what a start after a crash at this operation finds.
pub(crate) fn check(before: &World, after: &World, operation: usize, case: &str) {
    let found = after.found();
    for (name, fate) in &before.fates {
        let is_found = found.contains(name);
        let by = |point: Option<usize>| point.is_some_and(|point| point <= operation);
        if by(fate.sent) {
            assert!(!is_found, "{case}: {name:?} would be sent twice");
        }
        if by(fate.gone) {
            assert!(!is_found, "{case}: {name:?} was dropped and would be sent");
        }
        // A crash before the failed record is erased leaves no response.
        if by(fate.refused) {
            assert!(!is_found, "{case}: {name:?} was refused and would be sent");
        }
        if by(fate.promised) && !fate.may_be_named(operation) {
            assert!(is_found, "{case}: {name:?} was promised and is lost; report {:?}", after.report);
        }
        if is_found {
            assert_eq!(after.fates[name].data, fate.data, "{case}: {name:?} has other data");
        }
    }
    for name in &found {
        assert!(before.fates.contains_key(name), "{case}: {name:?} was never accepted");
    }
    assert!(after.report.damage.is_empty(), "{case}: {:?}", after.report);
    assert_eq!((after.report.doubtful, after.report.orphaned), (0, 0), "{case}");
}
