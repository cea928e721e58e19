//! Several writers, each with a channel of its own; one reader selects. The
//! writers take the items off a common count, and over each channel they have to
//! come in ascending order.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use super::{failed, one_to_one};
use crate::cell::Cell;
use crate::chans::{Choose, Tx};
use crate::drive::{Driver, Part};
use crate::tally::{seq_of, value_of, who_of, Seen};
use crate::work::work_for;

/// Items that a writer takes off the count at once, at most.
const DEAL_MAX: u64 = 64;

/// So few at once that in the end all writers have had enough turns.
fn items_per_deal(items: u64, writers: usize) -> u64 {
    (items / (writers as u64 * 32)).clamp(1, DEAL_MAX)
}

#[repr(align(64))]
struct Count(AtomicU64);

fn write_deals<T: Tx>(me: usize, items: u64, deal: u64, next: &Count, mut tx: T) -> Part {
    loop {
        let first = next.0.fetch_add(deal, Ordering::Relaxed);
        if first >= items {
            return Part::default();
        }
        for item in first..items.min(first + deal) {
            if !tx.send(value_of(me, item)) {
                return failed("a send found the channel closed");
            }
        }
    }
}

fn read_all<C: Choose>(mut seen: Vec<Seen>, work: u64, rxs: Vec<C::Rx>) -> Part {
    let mut shares = vec![0; rxs.len()];

    C::read_any(rxs, |which, value| {
        if who_of(value) == which as u64 {
            seen[which].count(seq_of(value));
        } else {
            seen[which].count_alien();
        }
        shares[which] += 1;
        work_for(work);
    });
    Part {
        seen,
        shares,
        ..Part::default()
    }
}

pub fn drivers<C: Choose>(cell: &Cell, items: u64) -> Vec<Driver> {
    let (writers, work) = (cell.writers, cell.work);
    let deal = items_per_deal(items, writers);
    let next = Arc::new(Count(AtomicU64::new(0)));
    let mut drivers: Vec<Driver> = Vec::new();
    let mut rxs = Vec::new();

    for me in 0..writers {
        let (tx, rx) = one_to_one::<C>(cell.cap);
        let next = next.clone();
        rxs.push(rx);
        drivers.push(Box::new(move || write_deals(me, items, deal, &next, tx)));
    }
    let seen = (0..writers).map(|_| Seen::new(items, 1)).collect();
    drivers.push(Box::new(move || read_all::<C>(seen, work, rxs)));
    drivers
}
