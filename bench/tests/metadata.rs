//! What a heap needs for itself stays below its limits.

use slabheap_bench::mapped::{CLASSIC, COMPACT, Kind};
use slabheap_bench::metadata::{self, Metadata};

/// 1 MiB to 64 GiB: five lengths a doubling, and one page more, since metadata takes whole pages.
fn sizes() -> impl Iterator<Item = usize> {
    (20..36).flat_map(|shift| [8, 9, 10, 12, 14].map(|eighths| (eighths << shift >> 3) + 4096)).chain(metadata::SIZES)
}

fn stays_below(kind: Kind, limit: f64) {
    for bytes in sizes() {
        let metadata = Metadata::of(kind, bytes);
        assert!(metadata.metadata_bytes > 0 && metadata.share() < limit, "{metadata:?} is {} of the heap", metadata.share());
    }
}

#[test]
fn metadata_takes_less_than_a_hundredth_of_a_classic_heap_from_1_mib_up() {
    stays_below(CLASSIC, 0.01);
}

#[test]
fn metadata_takes_less_than_two_and_a_half_hundredths_of_a_compact_heap_from_1_mib_up() {
    stays_below(COMPACT, 0.025);
}

#[test]
fn the_table_has_both_presets_in_heaps_of_every_size() {
    let cells: Vec<_> = metadata::run().iter().map(|cell| (cell.heap.name, cell.bytes)).collect();
    let expected = ["classic", "compact"].iter().flat_map(|&name| metadata::SIZES.map(|bytes| (name, bytes)));
    assert_eq!(cells, expected.collect::<Vec<_>>());
}
