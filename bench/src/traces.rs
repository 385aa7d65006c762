//! The comparison on recorded traces: in time, and, of peers that manage an arena, in what they touch of it.

use std::hint::black_box;
use std::io;
use std::ptr;
use std::time::Duration;

use serde::Serialize;

use crate::arena::Arena;
use crate::machine::Machine;
use crate::mapped::Bytes;
use crate::peer::{Entry, Memory, Peer};
use crate::recording::{Call, Kind, Recording};
use crate::replay::{self, Passes, Timing};
use crate::statistics::Quartiles;

/// As in the comparison of workloads: the first replay is for those that cannot start afresh.
const PASSES: Passes = Passes { warm_up: 1, timed: 4, patience: Duration::from_secs(1) };

/// How long one replay may take whose touches are counted; it needs no other.
const LONGER: Duration = Duration::from_secs(20);

/// The bytes of an arena, over those that are live at the peak of what is replayed in it: as a replay of the laboratory has.
const ARENA_PER_PEAK: usize = 8;

/// The least that a peer gets.
const LEAST_BYTES: usize = 16 << 20;

/// The most, since all of it is resident.
const MOST_BYTES: usize = 1 << 30;

/// What came out, and how.
#[derive(Clone, Debug, Serialize)]
pub struct TracesReport {
    pub command: String,
    pub machine: Machine,
    pub rounds: usize,
    pub rows: Vec<PeerTrace>,
}

/// A peer and a trace.
#[derive(Clone, Debug, Serialize)]
pub struct PeerTrace {
    pub trace: String,
    pub peer: &'static str,
    pub version: String,
    /// Calls of a replay, with the frees of what the trace leaves.
    pub operations: usize,
    pub peak_requested_bytes: usize,
    /// Nanoseconds an operation; none if the peer cannot do the trace.
    pub quartiles: Option<Quartiles>,
    /// One a round.
    pub samples: Vec<f64>,
    /// Bytes of the arena that are resident behind a replay that writes to every page of every block; of peers that manage one.
    pub touched_bytes: Option<usize>,
}

/// Replays every recording with every peer, in interleaved rounds, and tells `progress` the number of each before it begins.
///
/// An error if a recording would need a larger arena than there can be.
pub fn run(
    recordings: &[Recording],
    peers: &[&'static Entry],
    rounds: usize,
    command: String,
    mut progress: impl FnMut(usize),
) -> io::Result<TracesReport> {
    let machine = Machine::read();
    forgo_huge_pages();
    let mut arena = Arena::new(bytes_for_all(recordings)?);
    let mut samples = vec![vec![Vec::new(); peers.len()]; recordings.len()];
    for round in 0..rounds {
        progress(round);
        for (recording, samples) in recordings.iter().zip(&mut samples) {
            for turn in 0..peers.len() {
                let index = (turn + round) % peers.len();
                if round > 0 && samples[index].is_empty() {
                    continue; // what could not be done in the first round
                }
                let timing = peers[index].replay_recording(&mut arena, recording, PASSES);
                samples[index].extend(timing.map(|timing| timing.nanoseconds()));
            }
        }
    }
    let mut rows = Vec::new();
    for (recording, samples) in recordings.iter().zip(samples) {
        for (peer, samples) in peers.iter().zip(samples) {
            rows.push(PeerTrace {
                trace: recording.name.clone(),
                peer: (peer.name)(),
                version: (peer.version)(),
                operations: recording.calls().len(),
                peak_requested_bytes: recording.peak_requested_bytes(),
                quartiles: (!samples.is_empty()).then(|| Quartiles::of(&samples)),
                touched_bytes: peer.touch_recording(&mut arena, recording),
                samples,
            });
        }
    }
    Ok(TracesReport { command, machine, rounds, rows })
}

/// From here on nobody in this process has huge pages, whatever the kernel's mode, as in the laboratory: what is touched would be counted in
/// 2 MiB. For the arena alone the kernel could be told, too, but peers with memory of their own would have them beside it.
fn forgo_huge_pages() {
    // SAFETY: it changes no memory. A kernel that refuses has none to give.
    let _ = unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1_u64, 0_u64, 0_u64, 0_u64) };
}

/// Opens a peer and replays a recording. None if the arena does not hold its blocks, or it takes too long.
pub(crate) fn replay<P: Peer>(arena: &mut Arena, recording: &Recording, passes: Passes) -> Option<Timing> {
    // SAFETY: the arena is borrowed for as long as the peer lives.
    let mut peer = unsafe { P::open(arena.region(bytes_for(recording))) };
    let mut slots = vec![ptr::null_mut(); recording.slot_count()];
    replay::time(recording.calls(), passes, |calls| pass(&mut peer, calls, &mut slots, touch_first))
}

/// Opens a peer that manages an arena on one of which nothing is resident, replays a recording and touches every page of its
/// blocks; the bytes of the arena that are resident then. None for other peers, and if the arena does not hold the blocks.
pub(crate) fn touched_bytes<P: Peer>(arena: &mut Arena, recording: &Recording) -> Option<usize> {
    if P::memory() != Memory::Arena {
        return None;
    }
    let region = arena.region(bytes_for(recording));
    // SAFETY: nobody uses the arena, which is a private mapping; it reads as zeros from here on.
    assert_eq!(
        unsafe { libc::madvise(region.start.cast(), region.bytes, libc::MADV_DONTNEED) },
        0,
        "the kernel takes pages back"
    );
    // SAFETY: the arena is borrowed for as long as the peer lives.
    let mut peer = unsafe { P::open(region) };
    let mut slots = vec![ptr::null_mut(); recording.slot_count()];
    let is_whole = replay::try_pass(recording.calls(), LONGER, |calls| pass(&mut peer, calls, &mut slots, touch_all));
    drop(peer);
    // SAFETY: it has no preconditions.
    let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
    let mut pages = vec![0_u8; region.bytes / page_bytes];
    // SAFETY: there is a byte for each page of the arena.
    let error = unsafe { libc::mincore(region.start.cast(), region.bytes, pages.as_mut_ptr().cast()) };
    assert_eq!(error, 0, "the kernel tells what is resident");
    arena.touch(region.bytes); // so that whoever is timed next finds an arena that is resident, as before
    is_whole.then(|| page_bytes * pages.iter().filter(|&&page| page & 1 != 0).count())
}

/// What a peer gets for a recording.
fn bytes_for(recording: &Recording) -> usize {
    (ARENA_PER_PEAK * recording.peak_requested_bytes()).next_power_of_two().max(LEAST_BYTES)
}

/// What the largest of them needs; an error that names one that needs too much.
fn bytes_for_all(recordings: &[Recording]) -> io::Result<usize> {
    const MOST_AT_PEAK: usize = MOST_BYTES / ARENA_PER_PEAK;
    if let Some(large) = recordings.iter().find(|recording| recording.peak_requested_bytes() > MOST_AT_PEAK) {
        let (name, peak, most) = (&large.name, large.peak_requested_bytes(), Bytes(MOST_BYTES));
        let reason = format!(
            "{name}: {peak} bytes are live at its peak, and no more than {MOST_AT_PEAK} can be: arenas are of {ARENA_PER_PEAK} times \
             as many, {most} at the most; `slabheap compare` replays larger traces"
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    Ok(recordings.iter().map(bytes_for).max().unwrap_or(LEAST_BYTES))
}

/// Writes one byte of a block, because nobody allocates a block to leave it alone.
#[inline(always)]
fn touch_first(block: *mut u8, _size: usize) {
    // SAFETY: a block has at least one byte.
    unsafe { block.write_volatile(1) };
}

/// Writes to every page of a block.
fn touch_all(block: *mut u8, size: usize) {
    for offset in (0..size).step_by(1 << 12).chain([size - 1]) {
        // SAFETY: `offset` is below the block's size.
        unsafe { block.add(offset).write_volatile(1) };
    }
}

/// Does some calls of a recording; false as soon as a request fails. Never inlined, so that the warm-up runs the same code.
#[inline(never)]
fn pass<P: Peer>(peer: &mut P, calls: &[Call], slots: &mut [*mut u8], touch: impl Fn(*mut u8, usize)) -> bool {
    for call in calls {
        let slot = &mut slots[call.slot()];
        let align = black_box(call.align());
        let block = match call.kind {
            Kind::Free => {
                // SAFETY: in a recording a free finds the block that its slot was given, with its size and alignment.
                unsafe { peer.deallocate(*slot, call.size, align) };
                continue;
            }
            Kind::Allocate => peer.allocate(call.size, align),
            Kind::Zeroed => peer.allocate_zeroed(call.size, align),
            // SAFETY: the same.
            Kind::Reallocate => unsafe { peer.reallocate(*slot, call.old_size, align, call.size) },
        };
        if block.is_null() {
            return false;
        }
        *slot = block;
        touch(block, call.size);
    }
    true
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::arena::Region;

    const MIB: usize = 1 << 20;

    thread_local! {
        static REGION_BYTES: Cell<usize> = const { Cell::new(0) };
    }

    /// Asks for huge pages, as if the kernel's mode were `always`, and serves one block at a time.
    struct Asking(Region);

    static ASKING: Entry = Entry::of::<Asking>();

    impl Peer for Asking {
        fn name() -> &'static str {
            "asking"
        }

        fn version() -> String {
            String::new()
        }

        fn memory() -> Memory {
            Memory::Arena
        }

        unsafe fn open(region: Region) -> Self {
            REGION_BYTES.set(region.bytes);
            // SAFETY: advice changes no bytes.
            unsafe { libc::madvise(region.start.cast(), region.bytes, libc::MADV_HUGEPAGE) };
            Self(region)
        }

        fn allocate(&mut self, size: usize, _align: usize) -> *mut u8 {
            if size <= self.0.bytes { self.0.start } else { ptr::null_mut() }
        }

        unsafe fn deallocate(&mut self, _block: *mut u8, _size: usize, _align: usize) {}
    }

    fn of_one_block(bytes: usize) -> Recording {
        let line = format!("[\"allocate\",0,{bytes},8]");
        Recording::of_lines(format!("{bytes} bytes"), line.as_bytes()).expect("the recording makes sense")
    }

    fn replayed(recordings: &[Recording]) -> io::Result<TracesReport> {
        run(recordings, &[&ASKING], 1, String::new(), |_| ())
    }

    #[test]
    fn an_arena_has_eight_times_the_peak_of_its_recording_and_16_mib_at_the_least() {
        for (peak, bytes) in [(1, 16 * MIB), (2 * MIB, 16 * MIB), (2 * MIB + 1, 32 * MIB), (9 * MIB, 128 * MIB)] {
            replayed(&[of_one_block(peak)]).expect("there is memory for the arena");
            assert_eq!(REGION_BYTES.get(), bytes, "{peak}");
        }
        // The largest decides what is mapped, and not what the others get.
        replayed(&[of_one_block(9 * MIB), of_one_block(1)]).expect("there is memory for the arena");
        assert_eq!(REGION_BYTES.get(), 16 * MIB);
    }

    #[test]
    fn a_recording_whose_arena_would_be_too_large_is_refused_by_its_name() {
        for bytes in [128 * MIB + 1, usize::MAX / 2] {
            let error = replayed(&[of_one_block(1), of_one_block(bytes)]).expect_err("it is too large").to_string();
            assert!(
                error.starts_with(&format!("{bytes} bytes: {bytes} bytes are live")) && error.contains("134217728"),
                "{error}"
            );
        }
    }

    #[test]
    fn what_is_touched_does_not_depend_on_huge_pages() {
        let report = replayed(&[of_one_block(1)]).expect("there is memory for the arena");
        let touched = report.rows[0].touched_bytes.expect("the peer manages an arena");
        assert!((1..=64 << 10).contains(&touched), "{touched}");
    }
}
