//! What the documentation says of threads, row by row, against what the compiler says.
#![cfg(feature = "allocator-api2")] // `SharedHeap` has a row

use slabheap::{Arena, Blocks, GlobalHeap, Heap, Rescue, Runs, SharedHeap};
use std::marker::PhantomData;

#[cfg(miri)]
use slabheap_mock as _;

/// Of a type, whether it is `Send` and `Sync`: the compiler takes the constants of the type itself where their bounds hold, and those of the
/// trait where they do not.
struct Is<T: ?Sized>(PhantomData<T>);

trait IsNot {
    const SEND: bool = false;
    const SYNC: bool = false;
}

impl<T: ?Sized> IsNot for Is<T> {}

impl<T: ?Sized + Send> Is<T> {
    const SEND: bool = true;
}

impl<T: ?Sized + Sync> Is<T> {
    const SYNC: bool = true;
}

/// The name of each type in the table, and what is asserted of it, so that a type that is otherwise does not compile.
macro_rules! rows {
    ($($name:literal = $type:ty: $send:ident, $sync:ident;)*) => {{
        $(const {
            assert!(Is::<$type>::SEND == $send, concat!("whether ", $name, " is Send is as its row says"));
            assert!(Is::<$type>::SYNC == $sync, concat!("whether ", $name, " is Sync is as its row says"));
        })*
        vec![$(($name, $send, $sync)),*]
    }};
}

const YES: bool = true;
const NO: bool = false;

/// The table of the module `soundness`: a row of several types as a row for each.
fn documented() -> Vec<(&'static str, bool, bool)> {
    let lines = include_str!("../src/soundness.rs").lines();
    let rows =
        lines.skip_while(|line| *line != "//! | | `Send` | `Sync` | |").skip(2).map_while(|line| line.strip_prefix("//! | "));
    let truth = |word| match word {
        "yes" => YES,
        "no" => NO,
        _ => panic!("{word} is neither yes nor no"),
    };
    rows.flat_map(|row| {
        let cells: Vec<&str> = row.split(" | ").collect();
        let names = cells[0].split('`').skip(1).step_by(2);
        names.map(|name| (name, truth(cells[1]), truth(cells[2]))).collect::<Vec<_>>()
    })
    .collect()
}

#[test]
fn every_type_goes_to_and_is_used_from_as_many_threads_as_the_documentation_says() {
    let asserted = rows! {
        "Heap" = Heap: YES, NO;
        "&Heap" = &'static Heap: NO, NO;
        "SharedHeap" = SharedHeap: YES, YES;
        "GlobalHeap" = GlobalHeap: YES, YES;
        "Arena" = Arena<{ 1 << 20 }>: YES, YES;
        "Rescue" = Rescue<'static>: NO, NO;
        "Blocks" = Blocks<'static>: NO, NO;
        "Runs" = Runs<'static>: NO, NO;
    };
    assert_eq!(documented(), asserted);
}
