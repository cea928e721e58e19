//! Measures one cell as bench/runner.c does: finds how many messages fill the
//! time, then runs that many as often as asked. Every run is checked.

use std::io::stdin;
use std::thread::available_parallelism;
use std::time::Duration;

use crate::cell::{Cell, Plan};
use crate::chans;
use crate::drive::{drive, Driver, End, Part, Run};
use crate::kernels;
use crate::place;
use crate::tally;
use crate::work;

const ITEMS_MIN: u64 = 2000;
const ITEMS_MAX: u64 = 1 << 25;

/// How long a run may take beyond what was asked of it, and before one has shown
/// how long a message takes.
const LIMIT_BASE: Duration = Duration::from_secs(30);
const MESSAGE_NS: u64 = 25_000;
const LIMIT_FACTOR: u32 = 4;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Verified,
    NotApplicable,
    Failed,
    Hung,
}

impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Verified => "VERIFIED",
            Verdict::NotApplicable => "N/A",
            Verdict::Failed => "FAILED",
            Verdict::Hung => "HUNG",
        }
    }

    pub fn exit_status(self) -> i32 {
        match self {
            Verdict::Verified => 0,
            Verdict::NotApplicable => 2,
            Verdict::Failed | Verdict::Hung => 1,
        }
    }
}

pub struct Sample {
    pub messages: u64,
    pub run: Run,
}

impl Sample {
    pub fn ns_per_message(&self) -> f64 {
        self.run.ns as f64 / self.messages as f64
    }
}

pub struct Outcome {
    pub verdict: Verdict,
    pub why: String,
    pub items: u64,
    pub cpus: usize,
    pub samples: Vec<Sample>,
}

/// What makes the drivers of one run.
pub type Kernel = fn(&Cell, u64) -> Vec<Driver>;

/// Each channel's own code for the whole loop.
fn kernel_of(cell: &Cell) -> Kernel {
    match (cell.chan.name, cell.ends()) {
        ("crossbeam", _) => kernels::choosing::<chans::Crossbeam>,
        ("crossfire", (1, 1)) => kernels::choosing::<chans::CrossfireSpsc>,
        ("crossfire", (_, 1)) => kernels::drivers::<chans::CrossfireMpsc>,
        ("crossfire", _) => kernels::drivers::<chans::CrossfireMpmc>,
        ("flume", _) => kernels::choosing::<chans::Flume>,
        ("kanal", _) => kernels::drivers::<chans::Kanal>,
        ("rapidfire", _) => kernels::drivers::<chans::Rapidfire>,
        ("rtrb", _) => kernels::drivers::<chans::Rtrb>,
        ("std", _) => kernels::drivers::<chans::Std>,
        (name, _) => unreachable!("channel {name} has no code"),
    }
}

/// What is wrong with a run; empty when nothing is.
fn verify(cell: &Cell, parts: &mut Vec<Part>) -> String {
    let mut why: Vec<String> = parts
        .iter_mut()
        .filter_map(|part| part.why.take())
        .collect();
    let seen: Vec<_> = parts
        .iter_mut()
        .flat_map(|part| std::mem::take(&mut part.seen))
        .collect();

    why.extend(tally::report(&seen, cell.in_order()));
    why.join("; ")
}

struct Measurement<'a> {
    plan: &'a Plan,
    kernel: Kernel,
    out: Outcome,
    ns_per_message: u64,
    cpus: Vec<usize>, // of the drivers; none: anywhere
}

impl Measurement<'_> {
    fn limit(&self, items: u64) -> Duration {
        let cell = &self.plan.cell;
        let each = (cell.tasks() as u64).div_ceil(self.out.cpus as u64);
        let unknown = MESSAGE_NS + (cell.work + cell.prod_work) * each;
        let ns = match self.ns_per_message {
            0 => unknown,
            known => known,
        };
        let expected = Duration::from_nanos(items.saturating_mul(ns));

        self.plan
            .timeout
            .unwrap_or(LIMIT_BASE + LIMIT_FACTOR * expected.max(self.plan.time))
    }

    fn conclude(&mut self, verdict: Verdict, why: String) -> Option<Sample> {
        self.out.verdict = verdict;
        self.out.why = why;
        None
    }

    /// One run; None when it did not pass.
    fn run(&mut self, items: u64) -> Option<Sample> {
        let cell = &self.plan.cell;

        self.out.items = items;
        let mut run = match drive((self.kernel)(cell, items), &self.cpus, self.limit(items)) {
            End::Hung(why) => return self.conclude(Verdict::Hung, why),
            End::Failed(why) => return self.conclude(Verdict::Failed, why),
            End::Ran(run) => run,
        };
        let why = verify(cell, &mut run.parts);
        if !why.is_empty() {
            return self.conclude(Verdict::Failed, why);
        }
        self.ns_per_message = (run.ns / items).max(1);
        Some(Sample {
            messages: items,
            run,
        })
    }

    /// How many messages take plan.time: the runs grow until one lasts half as
    /// long, and only what a second run bears out is believed.
    fn calibrate(&mut self) -> Option<u64> {
        let wanted = self.plan.time.as_nanos() as f64;
        let (mut items, mut before) = (ITEMS_MIN, None);

        loop {
            let ns = self.run(items)?.run.ns as f64;
            let is_long = ns >= wanted / 2.0 || items == ITEMS_MAX;
            match before {
                Some(earlier) if is_long => {
                    let best = ns.min(earlier);
                    let fits = items as f64 * wanted / best;
                    return Some((fits as u64).clamp(ITEMS_MIN, ITEMS_MAX));
                }
                _ => before = is_long.then_some(ns),
            }
            if !is_long {
                let growth = (wanted / ns).clamp(2.0, 16.0);
                items = ((items as f64 * growth) as u64).min(ITEMS_MAX);
            }
        }
    }

    fn measure(&mut self) -> Option<()> {
        let items = match self.plan.items {
            0 => self.calibrate()?,
            items => items,
        };
        while another(self.plan, self.out.samples.len()) {
            let sample = self.run(items)?;
            self.out.samples.push(sample);
        }
        Some(())
    }
}

/// Says that it is ready, and waits for a line; returns whether that asks for a
/// repetition. At the end of the input there is no more to wait for.
fn wait_for_turn() -> bool {
    let mut line = String::new();

    println!("ready");
    stdin().read_line(&mut line).is_err() || line != "end\n"
}

/// Whether a repetition comes after so many, in its turn if there are turns. The first
/// is made in any case.
fn another(plan: &Plan, done: usize) -> bool {
    let wanted = !plan.turns || wait_for_turn() || done == 0;

    wanted && done < plan.reps
}

pub fn measure(plan: &Plan) -> Outcome {
    measure_with(plan, kernel_of(&plan.cell))
}

pub fn measure_with(plan: &Plan, kernel: Kernel) -> Outcome {
    let cell = &plan.cell;
    let mut m = Measurement {
        plan,
        kernel,
        out: Outcome {
            verdict: Verdict::Verified,
            why: String::new(),
            items: plan.items,
            cpus: available_parallelism().map_or(1, |n| n.get()),
            samples: Vec::new(),
        },
        ns_per_message: 0,
        cpus: if plan.apart { place::allowed() } else { Vec::new() },
    };

    if plan.apart && m.cpus.is_empty() {
        let why = "placement=apart: the system does not tell which CPUs there are";
        m.conclude(Verdict::Failed, why.to_string());
        return m.out;
    }
    if let Some(why) = cell.impossible() {
        m.conclude(Verdict::NotApplicable, why);
        return m.out;
    }
    if cell.work + cell.prod_work > 0 {
        work::calibrate();
    }
    crossfire::detect_backoff_cfg();
    m.measure();
    m.out
}

/// Jain's index and the least share of what is to be even.
pub fn fairness(sample: &Sample) -> (f64, f64) {
    let parts = sample.run.parts.iter();
    let shares: Vec<f64> = parts
        .flat_map(|part| &part.shares)
        .map(|n| *n as f64)
        .collect();
    let n = shares.len() as f64;
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|x| x * x).sum();

    if sum == 0.0 {
        return (1.0, 1.0);
    }
    let least = shares.iter().copied().fold(f64::INFINITY, f64::min);
    (sum * sum / (n * squares), least * n / sum)
}
