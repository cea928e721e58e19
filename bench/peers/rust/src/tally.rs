//! Did every item arrive exactly once, and each producer's items in their order
//! at every consumer? Counted as patterns/kernel/tally.h does, at the same cost:
//! privately, in memory that has been touched before.
//!
//! A message is the sender's number, in the upper bits, and the number of the
//! item among the sender's own, in the lower.

const SEQ_BITS: u32 = 32;
const PAGE_WORDS: usize = 512;

pub fn value_of(who: usize, seq: u64) -> u64 {
    (who as u64) << SEQ_BITS | seq
}

pub fn who_of(value: u64) -> u64 {
    value >> SEQ_BITS
}

pub fn seq_of(value: u64) -> u64 {
    value & ((1 << SEQ_BITS) - 1)
}

/// How many of `items` fall to `part` of `parts`.
pub fn share(items: u64, parts: usize, part: usize) -> u64 {
    let parts = parts as u64;

    items / parts + u64::from((part as u64) < items % parts)
}

/// One producer, as one consumer sees it.
#[derive(Clone)]
struct Lane {
    first: u64, // bit of its item 0
    items: u64,
    next: u64, // above all seen of it
}

/// What one consumer has seen; its thread's alone.
pub struct Seen {
    lanes: Vec<Lane>,
    bits: Vec<u64>,
    items: u64,
    again: u64,
    late: u64,
    alien: u64,
}

impl Seen {
    pub fn new(items: u64, producers: usize) -> Seen {
        let words = items.div_ceil(64) as usize;
        let mut first = 0;
        let mut lanes = Vec::with_capacity(producers);

        for p in 0..producers {
            let items = share(items, producers, p);
            lanes.push(Lane {
                first,
                items,
                next: 0,
            });
            first += items;
        }
        Seen {
            lanes,
            bits: touched(words),
            items,
            again: 0,
            late: 0,
            alien: 0,
        }
    }

    #[inline(always)]
    pub fn count(&mut self, value: u64) {
        let seq = seq_of(value);

        // What is not below `next` has not been seen: no need to look.
        if let Some(lane) = self.lanes.get_mut(who_of(value) as usize) {
            if seq < lane.items && seq >= lane.next {
                let id = lane.first + seq;
                lane.next = seq + 1;
                self.bits[(id / 64) as usize] |= 1 << (id % 64);
                return;
            }
        }
        self.count_odd(who_of(value) as usize, seq);
    }

    /// Something that was never sent and is no item's number.
    #[cold]
    #[inline(never)]
    pub fn count_alien(&mut self) {
        self.alien += 1;
    }

    #[cold]
    #[inline(never)]
    fn count_odd(&mut self, who: usize, seq: u64) {
        let Some(lane) = self.lanes.get(who).filter(|lane| seq < lane.items) else {
            self.alien += 1;
            return;
        };
        let id = lane.first + seq;
        let word = &mut self.bits[(id / 64) as usize];

        // A repeat is out of order as well, but that says nothing more.
        if *word >> (id % 64) & 1 == 1 {
            self.again += 1;
        } else {
            self.late += 1;
        }
        *word |= 1 << (id % 64);
    }
}

/// Zeros, every page of which has been written.
fn touched(words: usize) -> Vec<u64> {
    let mut all = vec![0; words];

    for page in (0..words).step_by(PAGE_WORDS) {
        // The compiler must not see that this changes nothing.
        unsafe { std::ptr::write_volatile(&mut all[page], 0) };
    }
    all
}

/// What is wrong with all consumers' counts together; empty if nothing is. Items
/// out of order are wrong only where an order is promised. The cause stands before
/// its consequences.
pub fn report(all: &[Seen], in_order: bool) -> Vec<String> {
    let items = all.first().map_or(0, |seen| seen.items);
    let mut again: u64 = all.iter().map(|seen| seen.again).sum();
    let late: u64 = all.iter().map(|seen| seen.late).sum();
    let alien: u64 = all.iter().map(|seen| seen.alien).sum();
    let mut found = 0;

    for word in 0..all.first().map_or(0, |seen| seen.bits.len()) {
        let mut laid = 0;
        for seen in all {
            again += u64::from((laid & seen.bits[word]).count_ones());
            laid |= seen.bits[word];
        }
        found += u64::from(laid.count_ones());
    }
    let mut why = Vec::new();
    if alien > 0 {
        why.push(format!("received {alien} corrupt items, never sent"));
    }
    if again > 0 {
        why.push(format!("delivered {again} of {items} items twice"));
    }
    if found < items {
        why.push(format!("lost {} of {items} items", items - found));
    }
    if in_order && late > 0 {
        why.push(format!("{late} of {items} items out of order"));
    }
    why
}
