//! The kernels: what each thread does with its ends. What is done for a message
//! beside sending and receiving it is what the kernels of weft do
//! (patterns/*/kernel.c), in the same loop.

mod fan;
mod ping_pong;
mod pipeline;
mod producer_consumer;
mod select;

use crate::cell::{Cell, Pattern};
use crate::chans::{Chan, Choose};
use crate::drive::{Driver, Part};

fn failed(why: &str) -> Part {
    Part {
        why: Some(why.to_string()),
        ..Part::default()
    }
}

fn one_to_one<C: Chan>(cap: usize) -> (C::Tx, C::Rx) {
    let (mut txs, mut rxs) = C::open(cap, 1, 1);

    (txs.remove(0), rxs.remove(0))
}

/// The drivers of one run of the cell; of select, `choosing` has them.
pub fn drivers<C: Chan>(cell: &Cell, items: u64) -> Vec<Driver> {
    match cell.pattern {
        Pattern::Fan => fan::drivers::<C>(cell, items),
        Pattern::PingPong => ping_pong::drivers::<C>(cell, items),
        Pattern::Pipeline => pipeline::drivers::<C>(cell, items),
        Pattern::ProducerConsumer => producer_consumer::drivers::<C>(cell, items),
        Pattern::Select => unreachable!("{} cannot choose", cell.chan.name),
    }
}

/// The same of a channel that several receiving ends can be waited for at.
pub fn choosing<C: Choose>(cell: &Cell, items: u64) -> Vec<Driver> {
    match cell.pattern {
        Pattern::Select => select::drivers::<C>(cell, items),
        _ => drivers::<C>(cell, items),
    }
}
