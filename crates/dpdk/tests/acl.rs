//! ACL contexts: their life, and what they answer.

#![allow(clippy::many_single_char_names, clippy::unwrap_used)]

use dpdk::acl::{Built, Configuring};
use dpdk::{AclContext, AclError, AclField, AclKey, AclLayout, AclRule, AclValue, Eal};

/// A protocol byte, a prefix and two port ranges.
type Context<State> = AclContext<4, 12, State>;

fn layout() -> AclLayout<4, 12> {
    AclLayout::new([AclField::Bits(1), AclField::Prefix(4), AclField::Range(2), AclField::Range(2)]).unwrap()
}

fn context(eal: &Eal, rules_max: u32) -> Context<Configuring> {
    AclContext::new(eal, layout(), rules_max).unwrap()
}

fn rule(priority: u32, result: u32, prefix: (u32, u8), ports: (u32, u32)) -> AclRule<4> {
    let fields = [
        AclValue::Bits { value: 0, mask: 0 },
        AclValue::Prefix { value: prefix.0, bits: prefix.1 },
        AclValue::Range { first: 0, last: 0xffff },
        AclValue::Range { first: ports.0, last: ports.1 },
    ];
    AclRule { priority, result, fields }
}

fn key(address: u32, port: u16) -> AclKey<12> {
    let [a, b, c, d] = address.to_be_bytes();
    let [p, q] = port.to_be_bytes();
    AclKey([6, 0, 0, 0, a, b, c, d, 0, 0, p, q])
}

fn ask(context: &Context<Built>, keys: &[AclKey<12>]) -> Vec<u32> {
    let mut results = vec![u32::MAX; keys.len()];
    context.classify(keys, &mut results);
    results
}

#[test]
fn the_highest_priority_that_matches_answers() {
    let (eal, _lcores) = testkit::eal(0);
    let mut context = context(&eal, 3);
    context.add(&rule(10, 1, (0x0a00_0000, 8), (0, 0xffff))).unwrap();
    context.add(&rule(20, 2, (0x0a01_0000, 16), (80, 90))).unwrap();
    context.add(&rule(AclRule::<4>::PRIORITY_MAX, 3, (0x0a01_0203, 32), (85, 85))).unwrap();
    let context = context.build(None).unwrap();
    let keys = [
        key(0x0a00_0001, 80),
        key(0x0a01_0001, 80),
        key(0x0a01_0001, 91),
        key(0x0a01_0203, 85),
        key(0x0b00_0000, 85),
    ];
    assert_eq!(ask(&context, &keys), [1, 2, 1, 3, 0]);
    // Any number of keys, over the bounds of the library's batches; the shorter slice ends it.
    for count in [0, 1, 31, 64, 65, 200] {
        let keys: Vec<_> = keys.iter().copied().cycle().take(count).collect();
        let wanted: Vec<u32> = [1, 2, 1, 3, 0].into_iter().cycle().take(count).collect();
        assert_eq!(ask(&context, &keys), wanted);
        let mut fewer = vec![9; count / 2];
        context.classify(&keys, &mut fewer);
        assert_eq!(fewer, wanted[..count / 2]);
        let mut more = vec![9; count + 3];
        context.classify(&keys, &mut more);
        assert_eq!((&more[..count], &more[count..]), (&wanted[..], &[9; 3][..]));
    }
}

#[test]
fn a_refused_rule_leaves_the_context_as_it_was() {
    let (eal, _lcores) = testkit::eal(0);
    let mut context = context(&eal, 1);
    let bad = rule(1, 1, (0, 33), (0, 0xffff));
    assert!(matches!(context.add(&bad), Err(AclError::Rule { .. })));
    assert!(matches!(context.add(&rule(0, 1, (0, 0), (0, 1))), Err(AclError::Rule { .. })));
    assert_eq!(context.rules(), 0);
    context.add(&rule(1, 5, (0, 0), (0, 0xffff))).unwrap();
    assert_eq!(context.add(&rule(2, 6, (0, 0), (0, 0xffff))), Err(AclError::Full { rules_max: 1 }));
    assert_eq!(ask(&context.build(None).unwrap(), &[key(1, 1)]), [5]);
}

#[test]
fn a_failed_build_gives_the_context_back() {
    let (eal, _lcores) = testkit::eal(0);
    let (error, mut context) = context(&eal, 8).build(None).unwrap_err();
    assert_eq!(error, AclError::Empty);
    context.add(&rule(1, 7, (0xc000_0200, 24), (1, 2))).unwrap();
    let (error, mut context) = context.build(Some(64)).unwrap_err();
    assert_eq!(error, AclError::TooLarge { size_bytes_max: 64 });
    assert_eq!(context.rules(), 1);
    context.add(&rule(2, 8, (0xc000_0201, 32), (1, 2))).unwrap();
    let context = context.build(Some(1 << 20)).unwrap();
    assert_eq!(ask(&context, &[key(0xc000_0207, 1), key(0xc000_0201, 2), key(0xc000_0201, 3)]), [7, 8, 0]);
}

#[test]
fn contexts_do_not_share_rules() {
    let (eal, _lcores) = testkit::eal(0);
    let built: Vec<Context<Built>> = (1..=20)
        .map(|number| {
            let mut context = context(&eal, 1);
            context.add(&rule(1, number, (0, 0), (0, 0xffff))).unwrap();
            context.build(None).unwrap()
        })
        .collect();
    for (number, context) in (1..).zip(&built) {
        assert_eq!(ask(context, &[key(number, 1)]), [number]);
    }
}

/// 2 MiB of rules a context, 600 times, in an EAL of 256 MiB: what is not freed shows.
#[test]
fn a_dropped_context_gives_its_memory_back() {
    let (eal, _lcores) = testkit::eal(0);
    for round in 0..600_u32 {
        let mut context = context(&eal, (2 << 20) / 80);
        context.add(&rule(1, 1 + round, (0, 0), (0, 0xffff))).unwrap();
        match round % 3 {
            0 => drop(context),
            1 => drop(context.build(Some(1)).unwrap_err()),
            _ => assert_eq!(ask(&context.build(None).unwrap(), &[key(1, 1)]), [1 + round]),
        }
    }
}

#[test]
fn too_many_rules_for_the_memory_are_an_error() {
    let (eal, _lcores) = testkit::eal(0);
    for rules_max in [u32::MAX, 40_000_000] {
        let refused = AclContext::new(&eal, layout(), rules_max).unwrap_err();
        assert!(matches!(refused, AclError::Create { rules, .. } if rules == rules_max), "{refused}");
    }
}

#[test]
fn threads_share_a_built_context_and_may_outlive_the_handle() {
    let (eal, _lcores) = testkit::eal(0);
    let mut context = context(&eal, 256);
    for number in 0..256 {
        context.add(&rule(1, number + 1, (number << 24, 8), (0, 0xffff))).unwrap();
    }
    let context = std::sync::Arc::new(context.build(None).unwrap());
    drop(eal);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let context = std::sync::Arc::clone(&context);
            std::thread::spawn(move || {
                for number in (0..256).cycle().take(10_000) {
                    assert_eq!(ask(&context, &[key(number << 24 | 5, 1)]), [number + 1]);
                }
            })
        })
        .collect();
    drop(context);
    for thread in threads {
        thread.join().unwrap();
    }
}
