//! Threads at a gate: they are started and wait, the clock runs from when the
//! gate opens until the last of them has ended. A watchdog ends what does not.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use crate::place;
use crate::tally::Seen;

/// What a thread has to say once it has ended.
#[derive(Default)]
pub struct Part {
    pub seen: Vec<Seen>,
    pub shares: Vec<u64>, // of the messages: what is to be even
    pub why: Option<String>,
    pub idle_p50: u64, // with a pause before each message: ns of the median one
}

pub type Driver = Box<dyn FnOnce() -> Part + Send>;

pub struct Run {
    pub ns: u64,
    pub skew_ns: u64,
    pub cpu_seconds: f64,
    pub voluntary: u64,
    pub involuntary: u64,
    pub parts: Vec<Part>,
}

pub enum End {
    Ran(Run),
    Failed(String),
    Hung(String),
}

struct Shared {
    open: AtomicBool,
    cancelled: AtomicBool, // not every thread could be started: go home
    ready: AtomicUsize,
    done: AtomicUsize,
    drivers: usize,
    main: Thread,
}

struct Ended {
    start: Instant,
    end: Instant,
    part: Part,
}

impl Shared {
    /// One more of the drivers has come here; the last wakes the main thread.
    fn pass(&self, counter: &AtomicUsize) {
        if counter.fetch_add(1, Ordering::AcqRel) + 1 == self.drivers {
            self.main.unpark();
        }
    }
}

/// Counts a driver as done even when it panics.
struct Done(Arc<Shared>);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.pass(&self.0.done);
    }
}

fn driver_main(shared: Arc<Shared>, cpu: Option<usize>, driver: Driver) -> Option<Ended> {
    let shared = Done(shared);

    if cpu.is_some_and(|cpu| !place::keep_on(cpu)) {
        panic!("the system does not let it stay on one CPU");
    }
    shared.0.pass(&shared.0.ready);
    while !shared.0.open.load(Ordering::Acquire) {
        thread::park();
    }
    if shared.0.cancelled.load(Ordering::Relaxed) {
        return None;
    }
    let start = Instant::now();
    let part = driver();
    let end = Instant::now();
    Some(Ended { start, end, part })
}

/// Waits until all drivers have passed; false after `limit`. It is counted in
/// pieces, so that a process that was stopped has a full piece left.
fn wait_for(counter: &AtomicUsize, drivers: usize, limit: Duration) -> bool {
    const PIECES: u32 = 16;
    let piece = limit / PIECES;
    let mut left = PIECES;

    while left > 0 {
        let begin = Instant::now();
        while counter.load(Ordering::Acquire) < drivers {
            let passed = begin.elapsed();
            if passed >= piece {
                break;
            }
            thread::park_timeout(piece - passed);
        }
        if counter.load(Ordering::Acquire) >= drivers {
            return true;
        }
        if begin.elapsed() < 2 * piece {
            left -= 1;
        }
    }
    false
}

fn usage() -> libc::rusage {
    // SAFETY: all zeros is a valid rusage, which the call then fills in.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    }
}

fn cpu_seconds(usage: &libc::rusage) -> f64 {
    let seconds = |t: &libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;

    seconds(&usage.ru_utime) + seconds(&usage.ru_stime)
}

pub fn peak_rss() -> u64 {
    usage().ru_maxrss as u64 * 1024
}

fn open(shared: &Shared, threads: &[JoinHandle<Option<Ended>>]) {
    shared.open.store(true, Ordering::Release);
    for thread in threads {
        thread.thread().unpark();
    }
}

fn start(
    shared: &Arc<Shared>,
    drivers: Vec<Driver>,
    cpus: &[usize],
) -> Result<Vec<JoinHandle<Option<Ended>>>, String> {
    let n = drivers.len();
    let mut threads = Vec::with_capacity(n);

    for (i, driver) in drivers.into_iter().enumerate() {
        let shared_too = shared.clone();
        let cpu = (!cpus.is_empty()).then(|| cpus[i % cpus.len()]);
        let started = thread::Builder::new()
            .name(format!("driver {i}"))
            .spawn(move || driver_main(shared_too, cpu, driver));
        match started {
            Ok(thread) => threads.push(thread),
            Err(error) => {
                shared.cancelled.store(true, Ordering::Relaxed);
                open(shared, &threads);
                return Err(format!("cannot start driver {} of {n}: {error}", i + 1));
            }
        }
    }
    Ok(threads)
}

/// Runs them all, each on one of these CPUs; without any, where the system puts it.
pub fn drive(drivers: Vec<Driver>, cpus: &[usize], limit: Duration) -> End {
    let n = drivers.len();
    let shared = Arc::new(Shared {
        open: AtomicBool::new(false),
        cancelled: AtomicBool::new(false),
        ready: AtomicUsize::new(0),
        done: AtomicUsize::new(0),
        drivers: n,
        main: thread::current(),
    });
    let threads = match start(&shared, drivers, cpus) {
        Ok(threads) => threads,
        Err(why) => return End::Failed(why),
    };

    if !wait_for(&shared.ready, n, limit) {
        return End::Hung(format!(
            "the start had not ended after {} s",
            limit.as_secs()
        ));
    }
    let before = usage();
    let t0 = Instant::now();
    open(&shared, &threads);
    if !wait_for(&shared.done, n, limit) {
        let left = n - shared.done.load(Ordering::Acquire);
        return End::Hung(format!(
            "{left} of {n} drivers had not ended after {} s",
            limit.as_secs()
        ));
    }
    let after = usage();
    finish(threads, t0, &before, &after)
}

fn finish(
    threads: Vec<JoinHandle<Option<Ended>>>,
    t0: Instant,
    before: &libc::rusage,
    after: &libc::rusage,
) -> End {
    let (mut last_start, mut last_end) = (t0, t0);
    let mut parts = Vec::with_capacity(threads.len());

    for (i, thread) in threads.into_iter().enumerate() {
        let Ok(Some(ended)) = thread.join() else {
            return End::Failed(format!("driver {i} panicked"));
        };
        last_start = last_start.max(ended.start);
        last_end = last_end.max(ended.end);
        parts.push(ended.part);
    }
    End::Ran(Run {
        ns: (last_end - t0).as_nanos().max(1) as u64,
        skew_ns: (last_start - t0).as_nanos() as u64,
        cpu_seconds: cpu_seconds(after) - cpu_seconds(before),
        voluntary: (after.ru_nvcsw - before.ru_nvcsw) as u64,
        involuntary: (after.ru_nivcsw - before.ru_nivcsw) as u64,
        parts,
    })
}
