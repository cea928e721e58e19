//! Pairs of a client, a server and two channels: each request is sent when the
//! reply to the one before has come, which is its complement.

use super::one_to_one;
use crate::cell::Cell;
use crate::chans::{Chan, Rx, Tx};
use crate::drive::{Driver, Part};
use crate::tally::{share, value_of};
use crate::work::work_for;

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
            shares: vec![self.came],
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
        work_for(work);
        if !tx.send(!request) {
            break;
        }
    }
    Part {
        shares: Vec::new(),
        ..side.part("requests", pair, items)
    }
}

pub fn drivers<C: Chan>(cell: &Cell, items: u64) -> Vec<Driver> {
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
