//! The channels: one trait, and for each library the calls of its own that a
//! user would make. What a library lacks is added here, and `Info::adapter` says so.

use std::future::Future;
use std::hint::spin_loop;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// A sending end, used by one thread. False: nobody receives any more.
pub trait Tx: Send + 'static {
    fn send(&mut self, value: u64) -> bool;
}

/// A receiving end, used by one thread. None: all senders have gone, and what
/// they sent has been taken.
pub trait Rx: Send + 'static {
    fn recv(&mut self) -> Option<u64>;
}

/// A channel: one end for each task. That an end is dropped says that its task
/// is done.
pub trait Chan: 'static {
    type Tx: Tx;
    type Rx: Rx;

    fn open(cap: usize, senders: usize, receivers: usize) -> (Vec<Self::Tx>, Vec<Self::Rx>);
}

/// A channel with a select.
pub trait Choose: Chan {
    /// Receives from whichever end has something, until all have come to their
    /// end; `came` is told over which, and what.
    fn read_any(rxs: Vec<Self::Rx>, came: impl FnMut(usize, u64));
}

/// What is said of a channel; a limit of 0 is none.
pub struct Info {
    pub name: &'static str,
    pub library: &'static str,
    pub summary: &'static str,
    pub min_cap: u64,
    pub max_senders: u64,
    pub max_receivers: u64,
    pub selects: bool,
    /// What is added here to what the library has; "spins" where it only spins.
    pub adapter: &'static str,
}

const ANY: Info = Info {
    name: "",
    library: "",
    summary: "",
    min_cap: 0,
    max_senders: 0,
    max_receivers: 0,
    selects: false,
    adapter: "",
};

pub static CHANNELS: &[Info] = &[
    Info {
        name: "crossbeam",
        library: "crossbeam-channel",
        summary: "crossbeam-channel bounded",
        selects: true,
        ..ANY
    },
    Info {
        name: "crossfire",
        library: "crossfire",
        summary: "crossfire bounded, of the module that fits the cell",
        min_cap: 1,
        selects: true,
        adapter: "spsc, mpsc or mpmc as the cell allows; detect_backoff_cfg() called",
        ..ANY
    },
    Info {
        name: "flume",
        library: "flume",
        summary: "flume bounded",
        selects: true,
        ..ANY
    },
    Info {
        name: "kanal",
        library: "kanal",
        summary: "kanal bounded",
        ..ANY
    },
    Info {
        name: "rapidfire",
        library: "rapidfire",
        summary: "rapidfire bounded, its futures polled by a thread each",
        min_cap: 1,
        adapter: "its futures are polled by the thread, which parks until woken",
        ..ANY
    },
    Info {
        name: "rtrb",
        library: "rtrb",
        summary: "rtrb ring buffer of one sender and one receiver",
        min_cap: 1,
        max_senders: 1,
        max_receivers: 1,
        adapter: "spins only, then yields: it has no waiting",
        ..ANY
    },
    Info {
        name: "std",
        library: "std",
        summary: "std::sync::mpsc::sync_channel",
        max_receivers: 1,
        ..ANY
    },
];

pub fn find(name: &str) -> Option<&'static Info> {
    CHANNELS.iter().find(|info| info.name == name)
}

/// The same end for each of n tasks; none is left over.
fn copies<T: Clone>(end: T, n: usize) -> Vec<T> {
    let mut all = vec![end.clone(); n - 1];
    all.push(end);
    all
}

/// A channel whose calls wait and return a Result; `send` and `recv` are those.
macro_rules! blocking_chan {
    ($name:ident, $tx:ty, $rx:ty, $make:expr, $txs:ident, $rxs:ident) => {
        blocking_chan!($name, $tx, $rx, $make, $txs, $rxs, <$tx>::send, <$rx>::recv);
    };
    ($name:ident, $tx:ty, $rx:ty, $make:expr, $txs:ident, $rxs:ident,
     $send:expr, $recv:expr) => {
        pub struct $name;

        impl Tx for $tx {
            #[inline(always)]
            fn send(&mut self, value: u64) -> bool {
                $send(self, value).is_ok()
            }
        }

        impl Rx for $rx {
            #[inline(always)]
            fn recv(&mut self) -> Option<u64> {
                $recv(self).ok()
            }
        }

        impl Chan for $name {
            type Tx = $tx;
            type Rx = $rx;

            fn open(cap: usize, senders: usize, receivers: usize) -> (Vec<$tx>, Vec<$rx>) {
                let (tx, rx) = $make(cap);
                ($txs(tx, senders), $rxs(rx, receivers))
            }
        }
    };
}

/// An end that cannot be cloned serves one task.
fn only<T>(end: T, n: usize) -> Vec<T> {
    assert_eq!(n, 1);
    vec![end]
}

mod crossfire_ends {
    use crossfire::{mpmc, mpsc, spsc, MRx, MTx, Rx, Tx};

    pub type SpscTx = Tx<spsc::Array<u64>>;
    pub type SpscRx = Rx<spsc::Array<u64>>;
    pub type MpscTx = MTx<mpsc::Array<u64>>;
    pub type MpscRx = Rx<mpsc::Array<u64>>;
    pub type MpmcTx = MTx<mpmc::Array<u64>>;
    pub type MpmcRx = MRx<mpmc::Array<u64>>;

    /// Those that may be cloned are these, with that added.
    pub type MpscTxOne = Tx<mpsc::Array<u64>>;
    pub type MpmcTxOne = Tx<mpmc::Array<u64>>;
    pub type MpmcRxOne = Rx<mpmc::Array<u64>>;
}
use crossfire_ends::{
    MpmcRx, MpmcRxOne, MpmcTx, MpmcTxOne, MpscRx, MpscTx, MpscTxOne, SpscRx, SpscTx,
};

blocking_chan!(
    Crossbeam,
    crossbeam_channel::Sender<u64>,
    crossbeam_channel::Receiver<u64>,
    crossbeam_channel::bounded,
    copies,
    copies
);
blocking_chan!(
    Flume,
    flume::Sender<u64>,
    flume::Receiver<u64>,
    flume::bounded,
    copies,
    copies
);
blocking_chan!(
    Kanal,
    kanal::Sender<u64>,
    kanal::Receiver<u64>,
    kanal::bounded,
    copies,
    copies
);
blocking_chan!(
    Std,
    std::sync::mpsc::SyncSender<u64>,
    std::sync::mpsc::Receiver<u64>,
    std::sync::mpsc::sync_channel,
    copies,
    only
);
blocking_chan!(
    CrossfireSpsc,
    SpscTx,
    SpscRx,
    crossfire::spsc::bounded_blocking,
    only,
    only
);
blocking_chan!(
    CrossfireMpsc,
    MpscTx,
    MpscRx,
    crossfire::mpsc::bounded_blocking,
    copies,
    only,
    MpscTxOne::send,
    MpscRx::recv
);
blocking_chan!(
    CrossfireMpmc,
    MpmcTx,
    MpmcRx,
    crossfire::mpmc::bounded_blocking,
    copies,
    copies,
    MpmcTxOne::send,
    MpmcRxOne::recv
);

// --- those that can be selected from, by the calls that a user would make ---

impl Choose for Crossbeam {
    fn read_any(rxs: Vec<Self::Rx>, mut came: impl FnMut(usize, u64)) {
        let mut select = crossbeam_channel::Select::new();
        let mut left = rxs.len();

        for rx in &rxs {
            select.recv(rx);
        }
        while left > 0 {
            let chosen = select.select();
            let which = chosen.index();
            match chosen.recv(&rxs[which]) {
                Ok(value) => came(which, value),
                Err(_) => {
                    select.remove(which);
                    left -= 1;
                }
            }
        }
    }
}

impl Choose for CrossfireSpsc {
    fn read_any(rxs: Vec<Self::Rx>, mut came: impl FnMut(usize, u64)) {
        let mut select = crossfire::select::Select::new();

        for rx in &rxs {
            select.add(rx);
        }
        while let Ok(chosen) = select.select() {
            let which = rxs.iter().position(|rx| chosen == *rx);
            let which = which.expect("it is one of them");
            match rxs[which].read_select(chosen) {
                Ok(value) => came(which, value),
                Err(_) => select.remove(&rxs[which]),
            }
        }
    }
}

/// Its selector serves one wait.
impl Choose for Flume {
    fn read_any(rxs: Vec<Self::Rx>, mut came: impl FnMut(usize, u64)) {
        let mut open: Vec<usize> = (0..rxs.len()).collect();

        while !open.is_empty() {
            let mut selector = flume::Selector::new();
            for &which in &open {
                selector = selector.recv(&rxs[which], move |said| (which, said));
            }
            match selector.wait() {
                (which, Ok(value)) => came(which, value),
                (which, Err(_)) => open.retain(|other| *other != which),
            }
        }
    }
}

// --- rapidfire: futures, polled by the thread that wants their value ---

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// An end and what wakes the one thread that uses it, made at its first wait.
pub struct Polled<T> {
    end: T,
    waker: Option<Waker>,
}

#[inline(always)]
fn wait_for<F: Future>(waker: &mut Option<Waker>, future: F) -> F::Output {
    let waker = waker.get_or_insert_with(|| Waker::from(Arc::new(Unpark(thread::current()))));
    let mut context = Context::from_waker(waker);
    let mut future = pin!(future);

    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

impl Tx for Polled<rapidfire::Sender<u64>> {
    #[inline(always)]
    fn send(&mut self, value: u64) -> bool {
        wait_for(&mut self.waker, self.end.send(value)).is_ok()
    }
}

impl Rx for Polled<rapidfire::Receiver<u64>> {
    #[inline(always)]
    fn recv(&mut self) -> Option<u64> {
        wait_for(&mut self.waker, self.end.recv()).ok()
    }
}

pub struct Rapidfire;

impl Chan for Rapidfire {
    type Tx = Polled<rapidfire::Sender<u64>>;
    type Rx = Polled<rapidfire::Receiver<u64>>;

    fn open(cap: usize, senders: usize, receivers: usize) -> (Vec<Self::Tx>, Vec<Self::Rx>) {
        let (tx, rx) = rapidfire::bounded(cap);
        let txs = copies(tx, senders).into_iter();
        let rxs = copies(rx, receivers).into_iter();
        (
            txs.map(|end| Polled { end, waker: None }).collect(),
            rxs.map(|end| Polled { end, waker: None }).collect(),
        )
    }
}

// --- rtrb: a try is all there is ---

/// So many pauses before a thread yields at each further try.
const PAUSES: u32 = 64;

#[inline(always)]
fn pause(tries: &mut u32) {
    if *tries < PAUSES {
        *tries += 1;
        spin_loop();
    } else {
        thread::yield_now();
    }
}

impl Tx for rtrb::Producer<u64> {
    #[inline(always)]
    fn send(&mut self, value: u64) -> bool {
        let mut tries = 0;

        while self.push(value).is_err() {
            if self.is_abandoned() {
                return false;
            }
            pause(&mut tries);
        }
        true
    }
}

/// What was pushed before the producer went is seen once that it went is.
#[inline(always)]
pub fn pop_to_the_end<Q>(
    queue: &mut Q,
    pop: impl Fn(&mut Q) -> Option<u64>,
    is_abandoned: impl Fn(&Q) -> bool,
) -> Option<u64> {
    let mut tries = 0;

    loop {
        if let Some(value) = pop(queue) {
            return Some(value);
        }
        if is_abandoned(queue) {
            return pop(queue);
        }
        pause(&mut tries);
    }
}

impl Rx for rtrb::Consumer<u64> {
    #[inline(always)]
    fn recv(&mut self) -> Option<u64> {
        pop_to_the_end(self, |queue| queue.pop().ok(), |queue| queue.is_abandoned())
    }
}

pub struct Rtrb;

impl Chan for Rtrb {
    type Tx = rtrb::Producer<u64>;
    type Rx = rtrb::Consumer<u64>;

    fn open(cap: usize, senders: usize, receivers: usize) -> (Vec<Self::Tx>, Vec<Self::Rx>) {
        let (tx, rx) = rtrb::RingBuffer::new(cap);
        (only(tx, senders), only(rx, receivers))
    }
}
