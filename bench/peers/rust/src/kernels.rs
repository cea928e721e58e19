//! The kernels: what each thread does with its ends. What is done for a message
//! beside sending and receiving it is what the kernels of weft do
//! (patterns/*/kernel.c), in the same loop.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use crate::cell::{Cell, Pattern};
use crate::chans::{Chan, Rx, Tx};
use crate::drive::{Driver, Part};
use crate::tally::{share, value_of, Seen};
use crate::work::work_for;

/// How often a producer looks inside: after so many items for each driver, whose
/// counts it then has to fetch.
const LOOK_EVERY: u64 = 256;

/// What a driver has moved, written by it alone.
#[repr(align(64))]
#[derive(Default)]
struct Party {
    put: AtomicU64,   // items that are in, for certain
    taken: AtomicU64, // items that may be out
}

/// At least so many were inside at one moment, between the two loops.
#[inline(never)]
fn inside(parties: &[Party]) -> u64 {
    let put: u64 = parties.iter().map(|p| p.put.load(Ordering::Acquire)).sum();
    let taken: u64 = parties
        .iter()
        .map(|p| p.taken.load(Ordering::Relaxed))
        .sum();

    put.saturating_sub(taken)
}

struct Producer {
    me: usize,
    items: u64,
    work: u64,
    parties: Arc<Vec<Party>>,
}

impl Producer {
    fn run<T: Tx>(self, mut tx: T) -> Part {
        let every = LOOK_EVERY * self.parties.len() as u64;
        let (mut next_look, mut most) = (0, 0);

        for seq in 0..self.items {
            if self.work > 0 {
                work_for(self.work);
            }
            if !tx.send(value_of(self.me, seq)) {
                return failed("a send found the channel closed");
            }
            self.parties[self.me].put.store(seq + 1, Ordering::Release);
            if seq + 1 >= next_look {
                next_look = seq + 1 + every;
                most = most.max(inside(&self.parties));
            }
        }
        Part {
            inside: most.max(inside(&self.parties)),
            ..Part::default()
        }
    }
}

fn failed(why: &str) -> Part {
    Part {
        why: Some(why.to_string()),
        ..Part::default()
    }
}

struct Consumer {
    me: usize, // among the drivers
    work: u64,
    seen: Seen,
    parties: Arc<Vec<Party>>,
}

impl Consumer {
    fn run<R: Rx>(self, mut rx: R) -> Part {
        let taken = &self.parties[self.me].taken;
        let mut seen = self.seen;
        let mut count = 0;

        loop {
            taken.store(count + 1, Ordering::Relaxed);
            let Some(value) = rx.recv() else { break };
            seen.count(value);
            if self.work > 0 {
                work_for(self.work);
            }
            count += 1;
        }
        Part {
            seen: Some(seen),
            share: count,
            ..Part::default()
        }
    }
}

fn producer_consumer<C: Chan>(cell: &Cell, items: u64) -> Vec<Driver> {
    let (senders, receivers) = (cell.producers, cell.consumers);
    let (txs, rxs) = C::open(cell.cap, senders, receivers);
    let parties: Vec<Party> = (0..senders + receivers).map(|_| Party::default()).collect();
    let parties = Arc::new(parties);
    let mut drivers: Vec<Driver> = Vec::new();

    for (me, tx) in txs.into_iter().enumerate() {
        let producer = Producer {
            me,
            items: share(items, senders, me),
            work: cell.prod_work,
            parties: parties.clone(),
        };
        drivers.push(Box::new(move || producer.run(tx)));
    }
    for (i, rx) in rxs.into_iter().enumerate() {
        let consumer = Consumer {
            me: senders + i,
            work: cell.work,
            seen: Seen::new(items, senders),
            parties: parties.clone(),
        };
        drivers.push(Box::new(move || consumer.run(rx)));
    }
    drivers
}

/// What one side of a pair has seen.
struct Side {
    due: u64, // the value that comes next
    came: u64,
    odd: u64,
}

impl Side {
    fn new(pair: usize) -> Side {
        Side {
            due: value_of(pair, 0),
            came: 0,
            odd: 0,
        }
    }

    #[inline(always)]
    fn look_at(&mut self, value: u64) {
        if value == self.due {
            self.due += 1;
            self.came += 1;
        } else {
            self.odd += 1;
        }
    }

    fn part(self, what: &str, pair: usize, items: u64) -> Part {
        let mut part = Part {
            share: self.came,
            ..Part::default()
        };

        if self.odd > 0 {
            part.why = Some(format!("{} {what} out of turn in pair {pair}", self.odd));
        } else if self.came != items {
            part.why = Some(format!(
                "{} of {items} {what} came in pair {pair}",
                self.came
            ));
        }
        part
    }
}

/// Sends each request when the reply to the one before has come, which is its
/// complement.
fn call_all<C: Chan>(pair: usize, items: u64, mut tx: C::Tx, mut rx: C::Rx) -> Part {
    let mut side = Side::new(pair);

    for seq in 0..items {
        if !tx.send(value_of(pair, seq)) {
            break;
        }
        let Some(reply) = rx.recv() else { break };
        side.look_at(!reply);
    }
    side.part("replies", pair, items)
}

fn serve_all<C: Chan>(pair: usize, items: u64, work: u64, mut tx: C::Tx, mut rx: C::Rx) -> Part {
    let mut side = Side::new(pair);

    while let Some(request) = rx.recv() {
        side.look_at(request);
        if work > 0 {
            work_for(work);
        }
        if !tx.send(!request) {
            break;
        }
    }
    Part {
        share: 0,
        ..side.part("requests", pair, items)
    }
}

fn ping_pong<C: Chan>(cell: &Cell, items: u64) -> Vec<Driver> {
    let mut drivers: Vec<Driver> = Vec::new();
    let work = cell.work;

    for pair in 0..cell.pairs {
        let items = share(items, cell.pairs, pair);
        let (request_tx, request_rx) = one_to_one::<C>(cell.cap);
        let (reply_tx, reply_rx) = one_to_one::<C>(cell.cap);

        drivers.push(Box::new(move || {
            call_all::<C>(pair, items, request_tx, reply_rx)
        }));
        drivers.push(Box::new(move || {
            serve_all::<C>(pair, items, work, reply_tx, request_rx)
        }));
    }
    drivers
}

fn one_to_one<C: Chan>(cap: usize) -> (C::Tx, C::Rx) {
    let (mut txs, mut rxs) = C::open(cap, 1, 1);

    (txs.remove(0), rxs.remove(0))
}

/// The drivers of one run of the cell.
pub fn drivers<C: Chan>(cell: &Cell, items: u64) -> Vec<Driver> {
    match cell.pattern {
        Pattern::ProducerConsumer => producer_consumer::<C>(cell, items),
        Pattern::PingPong => ping_pong::<C>(cell, items),
    }
}
