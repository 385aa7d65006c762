//! A heap of one's own, in memory of one's own: allocate, look, get a wrong free refused, give everything back.

use slabheap::{Arena, Error, Heap};
use std::alloc::Layout;

static ARENA: Arena<{ 64 << 10 }> = Arena::new();

fn main() -> Result<(), Error> {
    let mut heap = Heap::builder().over(ARENA.take().expect("nobody took it before"))?;

    let layout = Layout::new::<[u8; 100]>();
    let block = heap.try_allocate_zeroed(layout)?;
    // SAFETY: the block is ours, and of so many bytes.
    let name = unsafe { block.cast::<[u8; 100]>().as_mut() };
    name[..8].copy_from_slice(b"slabheap");
    let stats = heap.stats();
    let text = String::from_utf8_lossy(&name[..8]);
    println!("{text}: {} of {} bytes used, in {} block", stats.used_bytes, stats.total_bytes, stats.live_blocks);

    // SAFETY: nobody uses the block any more; the other two are none.
    let frees = unsafe { [heap.try_free(block.add(16)), heap.try_deallocate(block, layout), heap.try_free(block)] };
    for (what, result) in ["inside a block", "it", "it again"].into_iter().zip(frees) {
        println!("freeing {what}: {}", result.map_or_else(|error| error.to_string(), |()| "done".to_owned()));
    }

    heap.check()?;
    println!("and the heap: whole, {} wrong frees refused", heap.stats().rejected_frees);
    Ok(())
}
