//! P producers put numbered items into one channel, C consumers take them out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use super::failed;
use crate::cell::Cell;
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
            work_for(self.work);
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
            work_for(self.work);
            count += 1;
        }
        Part {
            seen: vec![seen],
            shares: vec![count],
            ..Part::default()
        }
    }
}

pub fn drivers<C: Chan>(cell: &Cell, items: u64) -> Vec<Driver> {
    let (senders, receivers) = (cell.producers, cell.receivers);
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
