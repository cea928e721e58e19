//! P producers put numbered items into one channel, C consumers take them out.
//! Beside that and the tally nothing is done for an item: what `weft run` calls
//! variant=bare. With a pause before each item, how long it takes to a consumer that
//! waits.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::failed;
use crate::cell::Cell;
use crate::chans::{Chan, Rx, Tx};
use crate::drive::{Driver, Part};
use crate::tally::{seq_of, share, value_of, Seen};
use crate::work::work_for;

/// When each item was sent, and then how long it took.
struct Stamps {
    pause: Duration,
    begin: Instant,
    took: Vec<AtomicU64>,
}

impl Stamps {
    fn new(cell: &Cell, items: u64) -> Option<Arc<Stamps>> {
        (cell.pause > 0).then(|| {
            Arc::new(Stamps {
                pause: Duration::from_nanos(cell.pause),
                begin: Instant::now(),
                took: (0..items).map(|_| AtomicU64::new(0)).collect(),
            })
        })
    }

    fn now(&self) -> u64 {
        self.begin.elapsed().as_nanos() as u64
    }

    fn send(&self, seq: u64) {
        thread::sleep(self.pause);
        self.took[seq as usize].store(self.now(), Ordering::Relaxed);
    }

    fn came(&self, value: u64) {
        if let Some(took) = self.took.get(seq_of(value) as usize) {
            let sent = took.load(Ordering::Relaxed);
            took.store(self.now().saturating_sub(sent), Ordering::Relaxed);
        }
    }

    fn median(&self) -> u64 {
        let mut all: Vec<u64> = self
            .took
            .iter()
            .map(|t| t.load(Ordering::Relaxed))
            .collect();

        all.sort_unstable();
        all.get(all.len().saturating_sub(1) / 2)
            .copied()
            .unwrap_or(0)
    }
}

fn put_all<T: Tx>(
    me: usize,
    items: u64,
    work: u64,
    stamps: Option<Arc<Stamps>>,
    mut tx: T,
) -> Part {
    for seq in 0..items {
        work_for(work);
        if let Some(stamps) = &stamps {
            stamps.send(seq);
        }
        if !tx.send(value_of(me, seq)) {
            return failed("a send found the channel closed");
        }
    }
    Part::default()
}

fn take_all<R: Rx>(mut seen: Seen, work: u64, stamps: Option<Arc<Stamps>>, mut rx: R) -> Part {
    let mut count = 0;

    while let Some(value) = rx.recv() {
        if let Some(stamps) = &stamps {
            stamps.came(value);
        }
        seen.count(value);
        work_for(work);
        count += 1;
    }
    Part {
        seen: vec![seen],
        shares: vec![count],
        idle_p50: stamps.map_or(0, |stamps| stamps.median()),
        ..Part::default()
    }
}

pub fn drivers<C: Chan>(cell: &Cell, items: u64) -> Vec<Driver> {
    let (senders, work) = (cell.producers, cell.work);
    let prod_work = cell.prod_work;
    let stamps = Stamps::new(cell, items);
    let (txs, rxs) = C::open(cell.cap, senders, cell.receivers);
    let mut drivers: Vec<Driver> = Vec::new();

    for (me, tx) in txs.into_iter().enumerate() {
        let (items, stamps) = (share(items, senders, me), stamps.clone());
        drivers.push(Box::new(move || put_all(me, items, prod_work, stamps, tx)));
    }
    for rx in rxs {
        let (seen, stamps) = (Seen::new(items, senders), stamps.clone());
        drivers.push(Box::new(move || take_all(seen, work, stamps, rx)));
    }
    drivers
}
