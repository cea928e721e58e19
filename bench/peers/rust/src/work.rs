//! Keeps a CPU busy for about as long as asked, as patterns/kernel/work.c does.

use std::sync::OnceLock;
use std::time::Instant;

const SAMPLE_TURNS: u64 = 100_000;
const SAMPLES: usize = 10;

/// Each turn needs the result of the one before.
fn turn(turns: u64) {
    let mut x = turns;

    for _ in 0..turns {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        // SAFETY: no instruction; it only hides the value from the compiler.
        unsafe {
            std::arch::asm!("/* {0} */", inout(reg) x, options(nomem, nostack, preserves_flags));
        }
    }
}

fn sample_ns() -> u64 {
    let start = Instant::now();

    turn(SAMPLE_TURNS);
    start.elapsed().as_nanos().max(1) as u64
}

/// Turns in a microsecond, by the fastest of several samples.
pub fn calibrate() -> u64 {
    static TURNS_PER_US: OnceLock<u64> = OnceLock::new();

    *TURNS_PER_US.get_or_init(|| {
        let best = (0..SAMPLES).map(|_| sample_ns()).min().unwrap_or(1);
        (SAMPLE_TURNS * 1000 / best).max(1)
    })
}

#[inline(always)]
pub fn work_for(ns: u64) {
    if ns > 0 {
        turn(ns * calibrate() / 1000);
    }
}
