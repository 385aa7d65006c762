//! Recorded traces: the calls of real programs, as `slabheap_bench` writes them for this program.
//!
//! A line is an array in JSON: the call, the number of the block, the size, and the alignment; of a free, 0 and 1.
//! `["allocate",0,100,16]`, `["zeroed",...]`, `["reallocate",0,200,1]`, `["free",0,0,1]`. A number is never used again.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;

/// What a call does to the block of its slot.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Allocate,
    Zeroed,
    Reallocate,
    Free,
}

/// One call, with all that it needs, so that nothing is looked up while the clock runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Asked for, at least 1; that of the block, in a free.
    pub size: usize,
    /// Of the block that is reallocated or freed.
    pub old_size: usize,
    slot: u32,
    align_shift: u8,
    pub kind: Kind,
}

impl Call {
    /// Where the block's address is kept.
    #[inline]
    pub fn slot(&self) -> usize {
        self.slot as usize
    }

    /// Of the block, from its allocation on.
    #[inline]
    pub fn align(&self) -> usize {
        1 << self.align_shift
    }
}

/// Calls of which each finds the block that it names, and the last leave no block, so that they can be replayed again and again.
#[derive(Clone, Debug)]
pub struct Recording {
    pub name: String,
    calls: Vec<Call>,
    slot_count: usize,
    peak_requested_bytes: usize,
}

impl Recording {
    /// Reads a file, and names it by it.
    pub fn read(file: &Path) -> io::Result<Self> {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self::of_lines(name, BufReader::new(File::open(file)?))
    }

    /// Reads lines; what is live behind the last of them is freed in the order of slots.
    pub fn of_lines(name: String, lines: impl BufRead) -> io::Result<Self> {
        let mut compiler = Compiler::default();
        for (index, line) in lines.lines().enumerate() {
            let wrong =
                |reason: String| io::Error::new(io::ErrorKind::InvalidData, format!("{name}, line {}: {reason}", index + 1));
            let call = serde_json::from_str(&line?).map_err(|error| wrong(error.to_string()))?;
            compiler.add(call).map_err(|reason| wrong(reason.to_owned()))?;
        }
        Ok(compiler.finish(name))
    }

    /// The calls in order, the last frees included.
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// How many slots there are. Every call's slot is below.
    pub fn slot_count(&self) -> usize {
        self.slot_count
    }

    /// The most bytes that are live at once, as they were asked for.
    pub fn peak_requested_bytes(&self) -> usize {
        self.peak_requested_bytes
    }
}

/// Gives each block a slot, and keeps the promises of [`Recording`].
#[derive(Default)]
struct Compiler {
    calls: Vec<Call>,
    /// The last call of each live block, by its number.
    live: HashMap<u64, Call>,
    /// Slots that have no block any more; the last is used first, as it is in the caches.
    empty: Vec<u32>,
    slot_count: u32,
    live_bytes: usize,
    peak_bytes: usize,
}

impl Compiler {
    fn add(&mut self, (kind, block, size, align): (Kind, u64, usize, usize)) -> Result<(), &'static str> {
        if !align.is_power_of_two() {
            return Err("an alignment is a power of two");
        }
        let before = match (kind, self.live.remove(&block)) {
            (Kind::Allocate | Kind::Zeroed, Some(_)) => return Err("the block is live already"),
            (Kind::Reallocate | Kind::Free, None) => return Err("there is no such block"),
            (_, before) => before,
        };
        let call = match (kind, before) {
            (Kind::Free, Some(before)) => Call { kind, size: before.size, old_size: before.size, ..before },
            // A peer has no blocks of no bytes.
            (_, Some(before)) => Call { kind, size: size.max(1), old_size: before.size, ..before },
            (_, None) => {
                Call { kind, size: size.max(1), old_size: 0, slot: self.empty_slot(), align_shift: align.trailing_zeros() as u8 }
            }
        };
        self.push(call);
        if kind == Kind::Free {
            self.empty.push(call.slot);
        } else {
            self.live.insert(block, call);
        }
        Ok(())
    }

    fn push(&mut self, call: Call) {
        let size = if call.kind == Kind::Free { 0 } else { call.size };
        self.live_bytes = self.live_bytes + size - call.old_size;
        self.peak_bytes = self.peak_bytes.max(self.live_bytes);
        self.calls.push(call);
    }

    fn empty_slot(&mut self) -> u32 {
        self.empty.pop().unwrap_or_else(|| {
            self.slot_count += 1;
            self.slot_count - 1
        })
    }

    fn finish(mut self, name: String) -> Recording {
        let mut live: Vec<Call> = self.live.drain().map(|(_, call)| call).collect();
        live.sort_by_key(|call| call.slot);
        for call in live {
            self.push(Call { kind: Kind::Free, old_size: call.size, ..call });
        }
        Recording { name, calls: self.calls, slot_count: self.slot_count as usize, peak_requested_bytes: self.peak_bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &str) -> io::Result<Recording> {
        Recording::of_lines("t".to_owned(), lines.as_bytes())
    }

    #[test]
    fn calls_carry_what_they_need_and_the_last_leave_no_block() {
        let lines =
            "[\"allocate\",7,100,64]\n[\"zeroed\",8,0,1]\n[\"reallocate\",7,300,1]\n[\"free\",8,0,1]\n[\"allocate\",9,5,8]";
        let recording = of(lines).unwrap();
        let shown: Vec<_> =
            recording.calls().iter().map(|call| (call.kind, call.slot(), call.old_size, call.size, call.align())).collect();
        assert_eq!(
            shown,
            [
                (Kind::Allocate, 0, 0, 100, 64),
                (Kind::Zeroed, 1, 0, 1, 1),
                (Kind::Reallocate, 0, 100, 300, 64),
                (Kind::Free, 1, 1, 1, 1),
                (Kind::Allocate, 1, 0, 5, 8),
                (Kind::Free, 0, 300, 300, 64),
                (Kind::Free, 1, 5, 5, 8),
            ]
        );
        assert_eq!((recording.slot_count(), recording.peak_requested_bytes()), (2, 305));
    }

    #[test]
    fn what_makes_no_sense_is_named_with_its_line() {
        let first = "[\"allocate\",1,10,16]\n";
        for (line, reason) in [
            ("[\"allocate\",1,10,16]", "t, line 2: the block is live already"),
            ("[\"free\",2,0,1]", "t, line 2: there is no such block"),
            ("[\"reallocate\",2,5,1]", "t, line 2: there is no such block"),
            ("[\"allocate\",2,5,3]", "t, line 2: an alignment is a power of two"),
            ("[\"give\",2,5,1]", "t, line 2: unknown variant `give`"),
        ] {
            let error = of(&format!("{first}{line}")).unwrap_err().to_string();
            assert!(error.starts_with(reason), "{error}");
        }
    }
}
