//! Counts the instructions of a call, one by one, by the processor's trap flag.
//!
//! With the flag set the processor traps behind every instruction, and the kernel turns that into a signal, whose handler counts. It
//! takes some microseconds an instruction and needs no other process. What the kernel does in a system call counts as one
//! instruction; each repetition of a string instruction counts.

use std::cell::Cell;
use std::sync::Once;

thread_local! {
    /// Instructions since this thread last set the flag. Without a destructor, so that the handler finds it without a call.
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// Whether this processor and system are ones that can.
pub const IS_AVAILABLE: bool = cfg!(all(target_arch = "x86_64", target_os = "linux"));

extern "C" fn count_one(_signal: libc::c_int) {
    COUNT.set(COUNT.get() + 1);
}

fn install_handler() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // SAFETY: the handler adds to a number of its thread, and zero is a valid value of every other field.
        let result = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = count_one as extern "C" fn(libc::c_int) as usize;
            libc::sigaction(libc::SIGTRAP, &raw const action, std::ptr::null_mut())
        };
        assert_eq!(result, 0, "a handler for SIGTRAP can be installed");
    });
}

/// Sets or clears the trap flag, which is bit 8.
#[inline(always)]
fn set_trap_flag(on: bool) {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    // SAFETY: it changes a flag that compiled code neither reads nor expects; the handler is installed.
    unsafe {
        if on {
            std::arch::asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq");
        } else {
            std::arch::asm!("pushfq", "and qword ptr [rsp], -0x101", "popfq");
        }
    }
    #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
    unreachable!("no trap flag to set to {on}: IS_AVAILABLE is asked before");
}

#[inline(always)]
fn counted<R>(body: impl FnOnce() -> R) -> (R, u64) {
    COUNT.set(0);
    set_trap_flag(true);
    let result = body();
    set_trap_flag(false);
    (result, COUNT.get())
}

/// Counts the instructions of calls, from setting the arguments to having the result.
#[derive(Clone, Copy, Debug)]
pub struct Stepper {
    /// What counting nothing counts.
    nothing: u64,
}

impl Stepper {
    /// Installs the handler.
    ///
    /// # Panics
    ///
    /// On a system where [`IS_AVAILABLE`] is false.
    pub fn new() -> Self {
        install_handler();
        Self { nothing: counted(|| ()).1 }
    }

    /// What `body` gives, and the instructions that it took.
    #[inline(always)]
    pub fn count<R>(self, body: impl FnOnce() -> R) -> (R, u64) {
        let (result, count) = counted(body);
        (result, count - self.nothing)
    }
}

impl Default for Stepper {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, target_arch = "x86_64", target_os = "linux"))]
mod tests {
    use std::arch::asm;

    use super::*;

    #[test]
    fn nothing_takes_no_instruction() {
        let stepper = Stepper::new();
        assert_eq!(stepper.count(|| ()).1, 0);
    }

    #[test]
    fn seven_instructions_are_seven() {
        let stepper = Stepper::new();
        // SAFETY: they do nothing.
        let (_, count) = stepper.count(|| unsafe { asm!("nop", "nop", "nop", "nop", "nop", "nop", "nop") });
        assert_eq!(count, 7);
    }

    #[test]
    fn a_loop_counts_each_time_round() {
        let stepper = Stepper::new();
        // SAFETY: it changes a register that is declared, and flags.
        let (_, count) = stepper.count(|| unsafe { asm!("2:", "sub {0}, 1", "jnz 2b", inout(reg) 1000u64 => _) });
        assert!((2000..2010).contains(&count), "{count}");
    }
}
