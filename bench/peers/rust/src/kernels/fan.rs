//! Items go to W workers through one channel, each worker signs what it has worked
//! on, from 1, and what comes back through another is accounted for.

use super::failed;
use crate::cell::Cell;
use crate::chans::{Chan, Rx, Tx};
use crate::drive::{Driver, Part};
use crate::tally::{seq_of, value_of, who_of, Seen};
use crate::work::work_for;

fn send_all<T: Tx>(items: u64, mut tx: T) -> Part {
    for item in 0..items {
        if !tx.send(value_of(0, item)) {
            return failed("a send found the channel closed");
        }
    }
    Part::default()
}

fn sign_all<T: Tx, R: Rx>(worker: usize, work: u64, mut rx: R, mut tx: T) -> Part {
    let mut count = 0;

    while let Some(value) = rx.recv() {
        work_for(work);
        if !tx.send(value.wrapping_add(value_of(worker + 1, 0))) {
            return failed("a send found the channel closed");
        }
        count += 1;
    }
    Part {
        shares: vec![count],
        ..Part::default()
    }
}

fn receive_all<R: Rx>(mut seen: Seen, workers: u64, mut rx: R) -> Part {
    while let Some(value) = rx.recv() {
        if (1..=workers).contains(&who_of(value)) {
            seen.count(seq_of(value));
        } else {
            seen.count_alien();
        }
    }
    Part {
        seen: vec![seen],
        ..Part::default()
    }
}

pub fn drivers<C: Chan>(cell: &Cell, items: u64) -> Vec<Driver> {
    let (workers, work) = (cell.workers, cell.work);
    let (mut txs, rxs) = C::open(cell.cap, 1, workers);
    let (results, mut last) = C::open(cell.cap, workers, 1);
    let (first, last) = (txs.remove(0), last.remove(0));
    let seen = Seen::new(items, 1);
    let mut drivers: Vec<Driver> = vec![Box::new(move || send_all(items, first))];

    for (worker, (rx, tx)) in rxs.into_iter().zip(results).enumerate() {
        drivers.push(Box::new(move || sign_all(worker, work, rx, tx)));
    }
    drivers.push(Box::new(move || receive_all(seen, workers as u64, last)));
    drivers
}
