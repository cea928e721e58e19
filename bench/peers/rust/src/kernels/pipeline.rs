//! x goes in, x * x + 10 comes out: the first stage squares, the second adds 10,
//! further ones pass on; a single stage does both. Every result leads back to its
//! x exactly.

use super::failed;
use crate::cell::Cell;
use crate::chans::{Chan, Rx, Tx};
use crate::drive::{Driver, Part};
use crate::tally::Seen;
use crate::work::work_for;

const X_MAX: u64 = 1 << 26;

type Stage = fn(u64) -> u64;

fn stage(at: usize, stages: usize) -> Stage {
    match (at, stages) {
        (_, 1) => |x| x * x + 10,
        (0, _) => |x| x * x,
        (1, _) => |x| x + 10,
        _ => |x| x,
    }
}

fn send_all<T: Tx>(items: u64, mut tx: T) -> Part {
    for x in 0..items {
        if !tx.send(x) {
            return failed("a send found the channel closed");
        }
    }
    Part::default()
}

fn transform<T: Tx, R: Rx>(stage: Stage, work: u64, mut rx: R, mut tx: T) -> Part {
    while let Some(value) = rx.recv() {
        let result = stage(value);
        work_for(work);
        if !tx.send(result) {
            return failed("a send found the channel closed");
        }
    }
    Part::default()
}

/// The x of a result: first the one that is next if all is well, because a
/// multiplication is cheaper than a root.
fn root_of(result: u64, guess: u64) -> Option<u64> {
    let square = result.checked_sub(10)?;

    if square == guess.wrapping_mul(guess) {
        return Some(guess);
    }
    if square >= X_MAX * X_MAX {
        return None;
    }
    let x = (square as f64).sqrt() as u64;
    (x * x == square).then_some(x)
}

fn receive_all<R: Rx>(mut seen: Seen, mut rx: R) -> Part {
    let (mut guess, mut count) = (0, 0);

    while let Some(result) = rx.recv() {
        match root_of(result, guess) {
            Some(x) => {
                seen.count(x);
                guess = x + 1;
            }
            None => seen.count_alien(),
        }
        count += 1;
    }
    Part {
        seen: vec![seen],
        shares: vec![count],
        ..Part::default()
    }
}

pub fn drivers<C: Chan>(cell: &Cell, items: u64) -> Vec<Driver> {
    let (workers, work) = (cell.workers, cell.work);
    let mut drivers: Vec<Driver> = Vec::new();
    let (mut txs, mut rxs) = C::open(cell.cap, 1, workers);
    let first = txs.remove(0);

    drivers.push(Box::new(move || send_all(items, first)));
    for at in 0..cell.stages {
        let receivers = if at + 1 == cell.stages { 1 } else { workers };
        let (to, next) = C::open(cell.cap, workers, receivers);
        let stage = stage(at, cell.stages);
        for (rx, tx) in rxs.into_iter().zip(to) {
            drivers.push(Box::new(move || transform(stage, work, rx, tx)));
        }
        rxs = next;
    }
    let last = rxs.remove(0);
    let seen = Seen::new(items, 1);
    drivers.push(Box::new(move || receive_all(seen, last)));
    drivers
}
