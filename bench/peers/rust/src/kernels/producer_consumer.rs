//! P producers put numbered items into one channel, C consumers take them out.
//! Beside that and the tally nothing is done for an item: what `weft run` calls
//! variant=bare.

use super::failed;
use crate::cell::Cell;
use crate::chans::{Chan, Rx, Tx};
use crate::drive::{Driver, Part};
use crate::tally::{share, value_of, Seen};
use crate::work::work_for;

fn put_all<T: Tx>(me: usize, items: u64, work: u64, mut tx: T) -> Part {
    for seq in 0..items {
        work_for(work);
        if !tx.send(value_of(me, seq)) {
            return failed("a send found the channel closed");
        }
    }
    Part::default()
}

fn take_all<R: Rx>(mut seen: Seen, work: u64, mut rx: R) -> Part {
    let mut count = 0;

    while let Some(value) = rx.recv() {
        seen.count(value);
        work_for(work);
        count += 1;
    }
    Part {
        seen: vec![seen],
        shares: vec![count],
        ..Part::default()
    }
}

pub fn drivers<C: Chan>(cell: &Cell, items: u64) -> Vec<Driver> {
    let (senders, work) = (cell.producers, cell.work);
    let prod_work = cell.prod_work;
    let (txs, rxs) = C::open(cell.cap, senders, cell.receivers);
    let mut drivers: Vec<Driver> = Vec::new();

    for (me, tx) in txs.into_iter().enumerate() {
        let items = share(items, senders, me);
        drivers.push(Box::new(move || put_all(me, items, prod_work, tx)));
    }
    for rx in rxs {
        let seen = Seen::new(items, senders);
        drivers.push(Box::new(move || take_all(seen, work, rx)));
    }
    drivers
}
