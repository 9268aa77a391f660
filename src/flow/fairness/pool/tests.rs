//! The arithmetic of shares, by examples and against a model.

use proptest::prelude::*;

use super::*;

/// Each of this many members takes one unit after the other, in turn, until none gets more.
fn filled(capacity: usize, weight: usize, members: usize) -> (Pool<usize>, Vec<Vec<TakenUnits>>) {
    let pool = Pool::new(capacity, weight);
    let shares: Vec<Share> = (0..members).map(|member| pool.share(&member)).collect();
    let mut held: Vec<Vec<TakenUnits>> = shares.iter().map(|_| Vec::new()).collect();
    loop {
        let mut any = false;
        for (share, held) in shares.iter().zip(&mut held) {
            if let Some(taken) = share.take(1) {
                held.push(taken);
                any = true;
            }
        }
        if !any {
            return (pool, held);
        }
    }
}

#[test]
fn busy_members_have_equal_parts_and_something_is_left() {
    for (members, each) in [(1, 8_000), (2, 4_235), (10, 889)] {
        let (pool, held) = filled(9_000, 8, members);
        for own in &held {
            assert!(own.len().abs_diff(each) <= 9, "{members} members: {}", own.len());
        }
        let newcomer = pool.share(&members).take(50);
        assert!(newcomer.is_some(), "{members} members left {}", 9_000 - pool.taken());
    }
}

#[test]
fn a_member_over_its_threshold_gets_nothing_until_it_is_below() {
    let (pool, mut held) = filled(900, 8, 1);
    let own = pool.share(&0);
    let other = pool.share(&1).take(50).expect("the rest is for others");
    // 800 units are held. With 50 taken by another member, the threshold is 756 and the rounding.
    assert!(own.take(1).is_none() && !own.has_eased());
    drop(held[0].drain(..30));
    assert!(own.take(1).is_none());
    drop(held[0].drain(..30));
    drop(own.take(1).expect("below the threshold"));
    assert!(own.has_eased());
    drop(other);
}

#[test]
fn small_pools_are_used_whole_and_a_request_over_its_threshold_takes_what_it_may() {
    let pool = Pool::new(2, 8);
    let share = pool.share(&"a");
    let one = share.take(1).expect("the first");
    let _other = share.take(1).expect("the second");
    assert!(share.take(1).is_none() && pool.is_full());
    drop(one);
    let pool = Pool::new(90, 8);
    assert!(pool.share(&"a").take(91).is_none());
    let some = pool.share(&"a").take_some(1_000);
    assert!((79..=81).contains(&some.units()), "{}", some.units());
    drop(some);
    assert_eq!(pool.share(&"a").take_some(10).units(), 10);
    assert_eq!(pool.taken(), 0);
}

#[test]
fn a_ceiling_counts_as_the_capacity() {
    let pool = Pool::new(100, 4);
    pool.set_ceiling(10);
    assert_eq!(pool.share(&0).take_some(100).units(), 8);
    assert!(pool.share(&0).take(9).is_none());
    let all = pool.share(&0).take_over(10);
    assert!(pool.share(&1).take(1).is_none() && pool.is_full());
    pool.set_ceiling(usize::MAX);
    drop(pool.share(&1).take(1).expect("the ceiling is gone"));
    drop(all);
}

#[test]
fn members_that_hold_nothing_are_forgotten() {
    let pool = Pool::new(1_000_000, 8);
    let held: Vec<TakenUnits> = (0..10).map(|member| pool.share(&member).take(1).expect("room")).collect();
    for member in 0..10 * MEMBERS_SWEPT_AT {
        drop(pool.share(&member).take(1));
    }
    let members = pool.members.lock().expect("whole").shares.len();
    assert!(members <= 2 * MEMBERS_SWEPT_AT, "{members}");
    for (member, taken) in held.iter().enumerate() {
        assert_eq!(pool.share(&member).taken(), taken.units());
    }
}

#[derive(Debug, Clone)]
enum Act {
    Take(usize, usize),
    Some(usize, usize),
    Over(usize, usize),
    Grow(prop::sample::Index, usize),
    Split(prop::sample::Index, usize),
    Drop(prop::sample::Index),
}

fn act() -> impl Strategy<Value = Act> {
    let (member, units) = (0_usize..5, 0_usize..300);
    prop_oneof![
        3 => (member.clone(), units.clone()).prop_map(|(m, u)| Act::Take(m, u)),
        1 => (member.clone(), units.clone()).prop_map(|(m, u)| Act::Some(m, u)),
        1 => (member, 0_usize..20).prop_map(|(m, u)| Act::Over(m, u)),
        1 => (any::<prop::sample::Index>(), units.clone()).prop_map(|(i, u)| Act::Grow(i, u)),
        1 => (any::<prop::sample::Index>(), units).prop_map(|(i, u)| Act::Split(i, u)),
        2 => any::<prop::sample::Index>().prop_map(Act::Drop),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Against a model: a take succeeds exactly if the documented arithmetic allows it, and the counts match what is
    /// held.
    #[test]
    fn a_pool_counts_what_its_members_hold(
        capacity in 0_usize..1_000, weight in 1_usize..10, acts in proptest::collection::vec(act(), 0..200)
    ) {
        let pool = Pool::new(capacity, weight);
        let mut held: Vec<(usize, TakenUnits)> = Vec::new();
        for act in acts {
            let of = |held: &[(usize, TakenUnits)], member| {
                held.iter().filter(|(own, _)| *own == member).map(|(_, taken)| taken.units()).sum::<usize>()
            };
            let all: usize = held.iter().map(|(_, taken)| taken.units()).sum();
            let may = |own: usize, units: usize| {
                all + units <= capacity && own + units <= weight * (capacity - all - units + 1)
            };
            match act {
                Act::Take(member, units) => {
                    let share = pool.share(&member);
                    prop_assert_eq!(share.has_room(units), may(of(&held, member), units));
                    let taken = share.take(units);
                    prop_assert_eq!(taken.is_some(), may(of(&held, member), units));
                    prop_assert!(units != 1 || within(capacity, all, of(&held, member), weight) == taken.is_some());
                    held.extend(taken.map(|taken| (member, taken)));
                }
                Act::Some(member, units) => {
                    let own = of(&held, member);
                    let taken = pool.share(&member).take_some(units);
                    prop_assert!(taken.units() <= units);
                    let (own, all) = (own + taken.units(), all + taken.units());
                    let one_more = all < capacity && own < weight * (capacity - all);
                    prop_assert!(taken.units() == units || !one_more, "{} of {units}", taken.units());
                    held.push((member, taken));
                }
                Act::Over(member, units) => held.push((member, pool.share(&member).take_over(units))),
                Act::Grow(index, units) if !held.is_empty() => {
                    let index = index.index(held.len());
                    let own = of(&held, held[index].0);
                    let expected = may(own, units);
                    prop_assert_eq!(held[index].1.grow(units), expected);
                }
                Act::Split(index, units) if !held.is_empty() => {
                    let index = index.index(held.len());
                    let (member, taken) = &mut held[index];
                    let member = *member;
                    let parted = taken.split(units);
                    held.extend(parted.map(|parted| (member, parted)));
                }
                Act::Drop(index) if !held.is_empty() => drop(held.swap_remove(index.index(held.len()))),
                _ => {}
            }
            prop_assert_eq!(pool.taken(), held.iter().map(|(_, taken)| taken.units()).sum::<usize>());
            for member in 0..5 {
                prop_assert_eq!(pool.share(&member).taken(), of(&held, member));
            }
        }
    }
}
