//! What lets threads share a heap without an operating system.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

/// A lock. [`SpinLock`] is one; a kernel that allocates in interrupt handlers will want one that keeps interrupts off, too.
///
/// # Safety
/// From the return of `lock` until the call of `unlock`, no other call of `lock` returns, on any thread, and what happened before the
/// `unlock` is seen after the next `lock`. Neither unwinds nor uses the heap that the lock is for.
pub unsafe trait Lock {
    /// A lock that nobody holds.
    const UNLOCKED: Self;

    /// Waits until nobody holds the lock, and holds it.
    fn lock(&self);

    /// Ends what the last call of `lock` began.
    ///
    /// # Safety
    /// The caller holds the lock.
    unsafe fn unlock(&self);
}

/// A lock that waits by looking again and again. Who waits looks with plain reads, in longer and longer intervals, so as not to disturb who
/// holds it.
#[derive(Debug, Default)]
pub struct SpinLock {
    is_held: AtomicBool,
}

/// The most rounds of an interval: long enough to leave the cache line alone, short beside what a heap does under the lock.
const MAX_ROUNDS: u32 = 64;

// SAFETY: only one exchange of false for true succeeds until the next store of false, with acquire and release.
unsafe impl Lock for SpinLock {
    const UNLOCKED: Self = Self { is_held: AtomicBool::new(false) };

    fn lock(&self) {
        let mut rounds = 1;
        while self.is_held.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            while self.is_held.load(Ordering::Relaxed) {
                (0..rounds).for_each(|_| core::hint::spin_loop());
                rounds = MAX_ROUNDS.min(2 * rounds);
            }
        }
    }

    unsafe fn unlock(&self) {
        self.is_held.store(false, Ordering::Release);
    }
}

/// A value that is used under a lock.
#[derive(Debug)]
pub(crate) struct Guarded<L, T> {
    lock: L,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached by one thread at a time, under the lock.
unsafe impl<L: Lock + Sync, T: Send> Sync for Guarded<L, T> {}

/// Unlocks when it is dropped, so also when what is done under the lock panics.
struct Held<'a, L: Lock>(&'a L);

impl<L: Lock> Drop for Held<'_, L> {
    fn drop(&mut self) {
        // SAFETY: it is made by who holds the lock.
        unsafe { self.0.unlock() }
    }
}

impl<L: Lock, T> Guarded<L, T> {
    pub const fn new(value: T) -> Self {
        Self { lock: L::UNLOCKED, value: UnsafeCell::new(value) }
    }

    pub fn with<R>(&self, call: impl FnOnce(&mut T) -> R) -> R {
        self.lock.lock();
        let _held = Held(&self.lock);
        // SAFETY: whoever holds the lock is alone with the value.
        call(unsafe { &mut *self.value.get() })
    }
}
