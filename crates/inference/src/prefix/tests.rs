use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const ME: CacheScope = CacheScope { shared: 0, private: Some(1) };

fn text(seed: u32, blocks: usize) -> Vec<u32> {
    (0..(blocks * BLOCK) as u32).map(|i| seed * 1000 + i).collect()
}

fn insert(index: &mut PrefixIndex, tokens: &[u32], scope: CacheScope) -> Vec<Copy> {
    let mut copies = Vec::new();
    index.insert(&Keys::of(tokens, 0, scope), tokens.len(), &mut copies);
    copies
}

fn found(index: &mut PrefixIndex, tokens: &[u32], scope: CacheScope) -> usize {
    let mut copies = Vec::new();
    index.find(&Keys::of(tokens, 0, scope), tokens.len(), &mut copies);
    copies.len() * BLOCK
}

#[test]
fn what_was_computed_once_is_found_as_far_as_it_is_the_same() {
    let mut index = PrefixIndex::new(8);
    let mut tokens = text(1, 3);
    assert_eq!(insert(&mut index, &tokens, ME).len(), 3);
    assert!(insert(&mut index, &tokens, ME).is_empty(), "it is there already");
    assert_eq!(found(&mut index, &tokens, ME), 2 * BLOCK, "one token at least is left to compute");
    tokens.push(7);
    assert_eq!(found(&mut index, &tokens, ME), 3 * BLOCK);
    tokens[BLOCK + 3] = 0;
    assert_eq!(found(&mut index, &tokens, ME), BLOCK);
}

#[test]
fn a_members_text_is_never_found_by_another_and_without_a_scope_not_kept() {
    let mut index = PrefixIndex::new(8);
    let tokens = text(1, 4);
    let policy = CacheScope { shared: 2 * BLOCK + 5, private: Some(1) };
    insert(&mut index, &tokens, policy);
    let other = CacheScope { private: Some(2), ..policy };
    assert_eq!(found(&mut index, &tokens, policy), 3 * BLOCK);
    assert_eq!(found(&mut index, &tokens, other), 2 * BLOCK, "only whole blocks of the policy");
    let nobody = CacheScope { private: None, ..policy };
    assert_eq!(found(&mut index, &tokens, nobody), 2 * BLOCK);
    let mut index = PrefixIndex::new(8);
    assert_eq!(insert(&mut index, &tokens, nobody).len(), 2);
    let claimed = CacheScope { shared: 0, ..policy };
    assert_eq!(found(&mut index, &tokens, claimed), 0, "private text that equals the policy stays private");
}

#[test]
fn another_adapters_keys_and_values_are_not_mine() {
    let tokens = text(1, 2);
    let mut index = PrefixIndex::new(8);
    insert(&mut index, &tokens, ME);
    assert_eq!(index.peek(&Keys::of(&tokens, 1, ME)), 0);
    assert_eq!(index.peek(&Keys::of(&tokens, 0, ME)), 2 * BLOCK);
}

#[test]
fn the_policy_that_everyone_uses_outlives_any_number_of_conversations() {
    let mut index = PrefixIndex::new(20);
    let policy = text(1, 6);
    let scope = |member| CacheScope { shared: 6 * BLOCK, private: Some(member) };
    for member in 0..200 {
        let mut tokens = policy.clone();
        tokens.extend(text(10 + member as u32, 4));
        assert!(member == 0 || found(&mut index, &tokens, scope(member)) == 6 * BLOCK, "member {member}");
        insert(&mut index, &tokens, scope(member));
        assert!(index.len() <= 20);
    }
}

#[test]
fn keys_that_are_added_later_are_those_of_the_whole() {
    let tokens = text(3, 5);
    let mut keys = Keys::of(&tokens[..2 * BLOCK + 3], 0, ME);
    keys.extend(&tokens, 0, ME);
    assert_eq!(keys.0, Keys::of(&tokens, 0, ME).0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// A pool of paper: every block remembers what was copied into it, and what is found is what was asked for.
    #[test]
    fn what_is_found_is_what_was_asked_for(ops in prop::collection::vec((0u32..6, 0usize..7, 0u32..3, 0u64..3, any::<bool>()), 1..120), blocks in 0usize..24) {
        let mut index = PrefixIndex::new(blocks);
        let mut pool: BTreeMap<usize, (Vec<u32>, bool, u64)> = BTreeMap::new();
        for (seed, len, branch, member, shared) in ops {
            let mut tokens = text(seed, len);
            tokens.extend(text(100 + branch, 2));
            let scope = CacheScope { shared: if shared { len * BLOCK } else { 0 }, private: Some(member) };
            let keys = Keys::of(&tokens, 0, scope);
            let mut copies = Vec::new();
            index.find(&keys, tokens.len(), &mut copies);
            for copy in &copies {
                let is_shared = copy.start + BLOCK <= scope.shared;
                let owner = if is_shared { 0 } else { member };
                prop_assert_eq!(&pool[&copy.block], &(tokens[..copy.start + BLOCK].to_vec(), is_shared, owner));
            }
            index.insert(&keys, tokens.len(), &mut copies);
            for copy in &copies {
                let is_shared = copy.start + BLOCK <= scope.shared;
                pool.insert(copy.block, (tokens[..copy.start + BLOCK].to_vec(), is_shared, if is_shared { 0 } else { member }));
            }
            prop_assert!(index.len() <= blocks);
            prop_assert_eq!(index.free.len() + index.len(), blocks);
        }
    }
}
