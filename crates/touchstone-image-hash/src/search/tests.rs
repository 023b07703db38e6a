//! Laws of the whole index: it answers as the plain scan does, whatever was done to it and however it is laid out.

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use touchstone_types::{HammingDistance, Hash256};

use super::chunks::{Bits, Probe, bits_of, distance, hash_of};
use super::segment::Plan;
use super::*;

fn config(cases: u32, seed: u64) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn bits(count: u16) -> HammingDistance {
    HammingDistance::new(count).unwrap()
}

fn near(hash: Hash256, flips: &[u8]) -> Hash256 {
    let mut words = *hash.words();
    for &bit in flips {
        words[usize::from(bit) / 64] ^= 1 << (bit % 64);
    }
    Hash256::from_words(words)
}

fn plans() -> impl Strategy<Value = Plan> {
    let small = Plan { min_tabled: 1, min_crowd: 8, max_hashes: 100 };
    let alone = Plan { min_crowd: usize::MAX, ..small };
    let one_segment = Plan { max_hashes: usize::MAX, ..small };
    prop::sample::select(vec![small, alone, one_segment, Plan::USUAL])
}

/// Hashes around a few centres, from equal to unlike, so that buckets, crowds and rings of chunks all have something in them.
fn hashes(n: usize) -> impl Strategy<Value = Vec<Hash256>> {
    let centres = prop::collection::vec(any::<[u64; 4]>(), 1..4);
    let spread = prop::sample::select(vec![0_usize, 3, 12, 33, 70]);
    let flips = spread.prop_flat_map(|n_flips| prop::collection::vec(any::<u8>(), 0..=n_flips));
    let members = prop::collection::vec((any::<prop::sample::Index>(), flips), 0..n);
    (centres, members).prop_map(|(centres, members)| {
        let member = |(idx, flips): &(prop::sample::Index, Vec<u8>)| {
            near(Hash256::from_words(centres[idx.index(centres.len())]), flips)
        };
        members.iter().map(member).collect()
    })
}

fn index_of(hashes: &[Hash256], plan: &Plan) -> MultiIndex {
    MultiIndex::build(hashes.iter().map(bits_of).enumerate().collect(), plan)
}

/// All that a search finds, in the order of a search; each neighbour must come once.
fn found(search: impl FnOnce(&mut dyn FnMut(Neighbour))) -> Vec<Neighbour> {
    let mut found = Vec::new();
    search(&mut |neighbour| found.push(neighbour));
    found.sort_unstable();
    found
}

/// Tables answer small indexes too, whatever they cost.
fn found_by_tables(hashes: &[Hash256], query: &Hash256, probe: &Probe) -> Vec<Neighbour> {
    let hashes: Vec<Bits> = hashes.iter().map(bits_of).collect();
    let [starts, next_chunks, positions] = tables::Tables::lengths(hashes.len()).unwrap();
    let mut bytes = Vec::new();
    tables::Tables::write(&hashes, &mut bytes);
    let mut bytes = Bytes::from(bytes);
    let parts = [starts, next_chunks, positions].map(|length| bytes.split_to(length));
    assert!(bytes.is_empty());
    let tables = tables::Tables::of_parts(parts);
    found(|visit| {
        tables.search(simd::Level::detect(), &hashes, &bits_of(query), probe, |item, distance| {
            visit(Neighbour { distance: bits(distance), item });
        });
    })
}

proptest! {
    #![proptest_config(config(200, 21))]

    #[test]
    fn tables_find_what_the_scan_finds(hashes in hashes(120), query in any::<prop::sample::Index>(), flips in prop::collection::vec(any::<u8>(), 0..40), radius in 0_u16..64) {
        prop_assume!(!hashes.is_empty());
        let query = near(hashes[query.index(hashes.len())], &flips);
        let expected = LinearScan::new(hashes.clone()).within(&query, bits(radius));
        prop_assert_eq!(found_by_tables(&hashes, &query, &Probe::exact(bits(radius))), expected);
    }

    #[test]
    fn candidates_are_the_hashes_with_a_near_chunk_and_a_near_pair(hashes in hashes(120), query in any::<prop::sample::Index>(), radius in 0_u16..=256, one in any::<bool>(), plan in plans()) {
        prop_assume!(!hashes.is_empty());
        let query = hashes[query.index(hashes.len())];
        let max_flips = u32::from(one).min(u32::from(radius) / 16);
        let differing = |hash: &Hash256, chunk: usize| -> u32 {
            (0..16).map(|bit| chunk % 16 * 16 + bit).filter(|bit| {
                let word = |hash: &Hash256| hash.words()[bit / 64] >> (63 - bit % 64) & 1;
                word(hash) != word(&query)
            }).count() as u32
        };
        let expected: Vec<Neighbour> = LinearScan::new(hashes.clone()).within(&query, bits(radius)).into_iter().filter(|neighbour| {
            let hash = &hashes[neighbour.item];
            (0..16).any(|chunk| {
                let first = differing(hash, chunk);
                first <= max_flips && first + differing(hash, chunk + 1) <= u32::from(radius) / 8
            })
        }).collect();
        let flips = if one { ChunkFlips::One } else { ChunkFlips::None };
        prop_assert_eq!(&found_by_tables(&hashes, &query, &Probe::approximate(bits(radius), flips)), &expected);
        let index = index_of(&hashes, &plan);
        prop_assert_eq!(&found(|visit| index.candidates(&query, bits(radius), flips, visit)), &expected);
    }

    #[test]
    fn the_index_finds_what_the_scan_finds_at_every_radius(hashes in hashes(300), query in any::<prop::sample::Index>(), flips in prop::collection::vec(any::<u8>(), 0..40), radius in 0_u16..=256, plan in plans()) {
        prop_assume!(!hashes.is_empty());
        let query = near(hashes[query.index(hashes.len())], &flips);
        let expected = LinearScan::new(hashes.clone()).within(&query, bits(radius));
        prop_assert_eq!(index_of(&hashes, &plan).within(&query, bits(radius)), expected);
    }
}

/// Differences as even around the ring as whole numbers allow are the hardest for the bounds on chunks and pairs.
#[test]
fn tables_find_a_hash_whose_differences_are_spread_evenly() {
    let query = Hash256::from_words([0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210, 0, !0]);
    for radius in 0..64 {
        for turn in 0..16 {
            let flips: Vec<u8> = (0..16)
                .flat_map(|chunk| {
                    let n_flips = (chunk + 1) * radius / 16 - chunk * radius / 16;
                    (0..n_flips).map(move |bit| ((chunk + turn) % 16 * 16 + (5 * bit + chunk) % 16) as u8)
                })
                .collect();
            let hash = near(query, &flips);
            let expected = [Neighbour { distance: bits(radius as u16), item: 0 }];
            let tables = |radius| found_by_tables(&[hash], &query, &Probe::exact(bits(radius as u16)));
            assert_eq!(tables(radius), expected, "radius {radius}, turn {turn}");
            if radius > 0 {
                assert_eq!(tables(radius - 1), [], "radius {radius}, turn {turn}");
            }
        }
    }
}

#[test]
fn a_crowd_is_searched_if_only_its_farthest_member_is_within_the_radius() {
    let centre = Hash256::from_words([0x0123_4567_89ab_cdef; 4]);
    let mut hashes: Vec<Hash256> = (0..100_u8).map(|bit| near(centre, &[bit])).collect();
    hashes.push(near(centre, &[200, 201, 202, 203, 204, 205, 206, 207, 208, 209]));
    let index = MultiIndex::new(hashes.iter().copied());
    assert_eq!(index.segments[0].segment.counts.n_members, 101);
    for n_flips in 0..90_u8 {
        let query = near(hashes[100], &(110..110 + n_flips).collect::<Vec<_>>());
        let found = index.within(&query, bits(n_flips.into()));
        assert_eq!(found, [Neighbour { distance: bits(n_flips.into()), item: 100 }]);
    }
}

#[derive(Debug, Clone)]
enum Change {
    Insert(usize, Hash256),
    Remove(usize),
    Compact,
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let item = 0_usize..60;
    let change = prop_oneof![
        8 => (item.clone(), hashes(2)).prop_filter_map("a hash", |(item, hashes)| Some(Change::Insert(item, *hashes.first()?))),
        4 => item.prop_map(Change::Remove),
        1 => Just(Change::Compact),
    ];
    prop::collection::vec(change, 0..60)
}

proptest! {
    #![proptest_config(config(150, 22))]

    #[test]
    fn an_index_grown_by_inserts_and_removals_is_as_one_built_fresh(start in hashes(60), changes in changes(), radius in 0_u16..=256, plan in plans()) {
        let mut index = index_of(&start, &plan);
        let mut model: std::collections::BTreeMap<usize, Hash256> = start.iter().copied().enumerate().collect();
        let before = (index.clone(), model.clone());
        for change in changes {
            match change {
                Change::Insert(item, hash) => {
                    index.insert(item, hash);
                    model.insert(item, hash);
                    prop_assert_eq!(index.get(item), Some(hash));
                }
                Change::Remove(item) => {
                    prop_assert_eq!(index.remove(item), model.remove(&item).is_some());
                    prop_assert_eq!(index.get(item), None);
                }
                Change::Compact => {
                    index.compact();
                    prop_assert_eq!(index.n_pending(), 0);
                }
            }
            prop_assert_eq!(index.len(), model.len());
        }
        // The clone taken before is as it was.
        for (index, model) in [(&index, &model), (&before.0, &before.1)] {
            let fresh = MultiIndex::of_items(model.iter().map(|(&item, &hash)| (item, hash)));
            for query in model.values().take(5) {
                let mut expected: Vec<Neighbour> = model.iter().map(|(&item, hash)| Neighbour { distance: query.distance(hash), item }).collect();
                expected.retain(|neighbour| neighbour.distance <= bits(radius));
                expected.sort_unstable();
                prop_assert_eq!(&index.within(query, bits(radius)), &expected);
                prop_assert_eq!(&fresh.within(query, bits(radius)), &expected);
                let candidates = |index: &MultiIndex| found(|visit| index.candidates(query, bits(radius), ChunkFlips::One, visit));
                prop_assert_eq!(candidates(index), candidates(&fresh));
            }
        }
        prop_assert_eq!(index.live().len(), model.len());
    }

    #[test]
    fn an_index_comes_back_from_its_bytes(hashes in hashes(300), radius in 0_u16..=256, plan in plans()) {
        let index = index_of(&hashes, &plan);
        let bytes = Bytes::from(index.to_bytes());
        let opened = MultiIndex::from_bytes(&bytes).unwrap();
        prop_assert_eq!(opened.to_bytes(), bytes);
        prop_assert_eq!((opened.len(), opened.n_pending()), (hashes.len(), 0));
        for query in hashes.iter().take(5) {
            prop_assert_eq!(opened.within(query, bits(radius)), index.within(query, bits(radius)));
        }
        for (item, hash) in hashes.iter().enumerate() {
            prop_assert_eq!(opened.get(item), Some(*hash));
        }
    }

    #[test]
    fn damaged_bytes_are_refused_and_forged_ones_do_no_harm(
        hashes in hashes(200),
        cut in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..8),
        in_header in any::<bool>(),
        plan in plans(),
    ) {
        let bytes = index_of(&hashes, &plan).to_bytes();
        let cut_bytes = Bytes::copy_from_slice(&bytes[..cut.index(bytes.len())]);
        prop_assert!(MultiIndex::from_bytes(&cut_bytes).is_err());
        prop_assert!(MultiIndex::from_bytes(&Bytes::from([&bytes[..], b"x"].concat())).is_err());

        let mut forged = bytes.clone();
        let n_reached = if in_header { bytes.len().min(96) } else { bytes.len() };
        for (place, change) in &damage {
            forged[place.index(n_reached)] ^= change;
        }
        prop_assert_eq!(MultiIndex::from_bytes(&Bytes::from(forged.clone())).is_err(), forged != bytes);

        forged[..16].copy_from_slice(&bytes[..16]);
        let checksum = u64::from(crc32fast::hash(&forged[24..]));
        forged[16..24].copy_from_slice(&checksum.to_le_bytes());
        if let Ok(mut index) = MultiIndex::from_bytes(&Bytes::from(forged)) {
            for radius in [0, 31, 63, 256] {
                for query in hashes.iter().take(3) {
                    index.within(query, bits(radius));
                    index.candidates(query, bits(radius), ChunkFlips::One, |_| ());
                }
            }
            for item in 0..20 {
                index.get(item);
                index.remove(item);
            }
        }
    }
}

#[test]
fn bytes_of_something_else_are_told_apart() {
    let bytes = MultiIndex::new([Hash256::from_words([7; 4])]).to_bytes();
    let check = |bytes: &[u8], expected: &str| {
        let error = MultiIndex::from_bytes(&Bytes::copy_from_slice(bytes)).unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    check(b"", "this is not a hash index; build one from the hashes");
    check(&bytes[..23], "this is not a hash index; build one from the hashes");
    let mut newer = bytes.clone();
    newer[8] = 2;
    check(&newer, "the hash index has version 2, this build reads 1; build it again from the hashes");
    let mut damaged = bytes;
    *damaged.last_mut().unwrap() ^= 1;
    check(
        &damaged,
        "the hash index is damaged: its content does not have the checksum that it states; build it again from the hashes",
    );
}

#[test]
fn copies_of_one_photo_lie_in_one_crowd() {
    let centre = Hash256::from_words([0x0123_4567_89ab_cdef; 4]);
    let copies = (0..200_u8).map(|i| near(centre, &[i, i.wrapping_mul(7), i.wrapping_mul(31)]));
    let index = MultiIndex::new(copies);
    let counts = index.segments[0].segment.counts;
    assert_eq!((counts.n_singles, counts.n_members, counts.n_crowds), (0, 200, 1));
    assert_eq!(index.within(&centre, bits(3)).len(), 200);
}

#[test]
fn of_an_item_given_twice_the_later_hash_counts() {
    let [first, later] = [1, 2].map(|word| Hash256::from_words([word; 4]));
    let index = MultiIndex::of_items([(5, first), (3, first), (5, later)]);
    assert_eq!((index.len(), index.get(5), index.get(3)), (2, Some(later), Some(first)));
}

#[test]
fn an_empty_index_finds_nothing() {
    let mut index = MultiIndex::default();
    assert!(index.is_empty() && !index.remove(0));
    assert_eq!(index.within(&Hash256::from_words([0; 4]), bits(256)), []);
    let opened = MultiIndex::from_bytes(&Bytes::from(index.to_bytes())).unwrap();
    assert!(opened.is_empty());
}

proptest! {
    #[test]
    fn bits_keep_order_and_distances(a in any::<[u64; 4]>(), b in any::<[u64; 4]>()) {
        let (a, b) = (Hash256::from_words(a), Hash256::from_words(b));
        prop_assert_eq!(hash_of(&bits_of(&a)), a);
        prop_assert_eq!(distance(&bits_of(&a), &bits_of(&b)), a.distance(&b).bits());
        prop_assert_eq!(bits_of(&a).cmp(&bits_of(&b)), a.cmp(&b));
    }
}
