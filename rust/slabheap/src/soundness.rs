//! Why safe code cannot go wrong with this crate: what is `Send`, what is `Sync`, what borrows what.
//!
//! # What a heap is
//!
//! The heap itself lies in the memory that it manages, and so do its figures; a [`Heap`](crate::Heap) holds its address. No byte of a
//! block or of free memory is read or written by the heap, so what a program does in its blocks cannot lead the heap astray, however
//! wrong. Rust references never point to what the heap knows: it is only reached by calls of the C interface, which takes a heap for
//! writing from one thread at a time, and for reading from any number while nobody writes.
//!
//! # What is trusted
//!
//! - Memory. [`Heap::new`](crate::Heap::new), [`Builder::at`](crate::Builder::at) and everything that adds memory by its address are
//!   `unsafe`: the caller promises that the memory is nobody else's as long as the heap or one of its blocks is used. There are three safe
//!   sources: the operating system, a `&'static mut` slice, and an [`Arena`](crate::Arena), whose memory is taken once.
//! - Frees. What is not a live block of the layout is refused, so a wrong free cannot corrupt the heap. It is `unsafe` all the same: a
//!   pointer that happens to be a live block takes that block away from its user.
//! - Locks. [`Lock`](crate::Lock) is an `unsafe` trait: everything that threads share rests on it.
//!
//! # Who uses a heap at the same time
//!
//! | | `Send` | `Sync` | |
//! |---|---|---|---|
//! | [`Heap`](crate::Heap) | yes | no | It has no ties to a thread. A `&Heap` allocates (by `allocator-api2`), so two threads must not have one |
//! | `&Heap` | no | no | So a collection in it stays on the heap's thread, and the heap stays while there is one |
//! | `SharedHeap` | yes | yes | Each handle is an owner, and every use is under the lock |
//! | [`GlobalHeap`](crate::GlobalHeap) | yes | yes | Every use is under the lock |
//! | [`Arena`](crate::Arena) | yes | yes | An atomic flag says who may have its memory |
//! | [`Rescue`](crate::Rescue), [`Blocks`](crate::Blocks), [`Runs`](crate::Runs) | no | no | They are uses of a heap in progress |
//!
//! # What borrows what
//!
//! - A collection in a `&Heap` borrows the heap, so it cannot be moved, dropped, or used through `&mut` in the meantime. That is why
//!   [`Heap::reset`](crate::Heap::reset), which ends all blocks, is safe: it takes `&mut self`. The blocks that remain possible are raw
//!   pointers and addresses, which only `unsafe` code can use.
//! - A `SharedHeap` has no such function. Its heap goes with its last handle, and collections hold handles.
//! - A `GlobalHeap` lends its heap to [`GlobalHeap::inspect`](crate::GlobalHeap::inspect) as a `&Heap` of a lifetime that ends with the
//!   call, so nothing allocated from that reference gets out.
//! - Memory that a heap mapped is unmapped when the `Heap` is dropped. Memory that it was given by address is not looked at then: who gave
//!   it may already have taken it back, as users of `ax_slab_allocator` may. (Unless the heap was made with a rescue, mapped memory besides,
//!   or came from [`Heap::from_raw`](crate::Heap::from_raw): then it must outlive the `Heap`, as its constructors say.)
//!
//! # Calls from within calls
//!
//! The C interface allows a callback little: a visitor must not change the heap, and what is called for want of memory may add memory and
//! trim. [`Rescue`](crate::Rescue) offers no more than that. But a visitor or a rescue can come by the heap in another way, say through a
//! `&'static Heap` in a thread-local variable. So whatever changes a heap through a `&Heap` first sees whether such a call is in progress on
//! it, and panics if there is. Through `&mut Heap` nobody else can come by it; through the lock of a `SharedHeap` or a `GlobalHeap` nobody
//! else gets, though who tries from within waits for ever, which is safe, if no help.
//!
//! # Unwinding
//!
//! No panic crosses C++: callbacks are `extern "C"` functions, which end the program instead. A [`GlobalHeap`](crate::GlobalHeap) does not
//! unwind as a global allocator. A panic in what is given to `inspect` gives the lock back.
//!
//! # Numbers from C
//!
//! Statuses and kinds of runs are integers until they are found to be known: a library newer than the crate may answer what no Rust enum
//! has.
