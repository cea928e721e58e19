//! That a fault of a channel is found, and that those that are here have none.

use std::time::Duration;

use crate::cell::{parse, Plan};
use crate::chans::{Chan, Crossbeam, Rtrb, Rx, Tx, CHANNELS};
use crate::kernels;
use crate::measure::{measure, measure_with, Kernel, Outcome, Verdict};
use crate::tally::value_of;

const LOST: u8 = 0;
const TWICE: u8 = 1;
const HIDDEN: u8 = 2;
const LATE: u8 = 3;
const ALIEN: u8 = 4;
const FULL: u8 = 5;
const PANIC: u8 = 6;
const STUCK: u8 = 7;

/// crossbeam's channel with a fault at each sender's item 700.
struct Faulty<const FAULT: u8>;

struct FaultyTx<const FAULT: u8> {
    tx: crossbeam_channel::Sender<u64>,
    held: Option<u64>,
    sent: u64,
}

impl<const FAULT: u8> Tx for FaultyTx<FAULT> {
    fn send(&mut self, value: u64) -> bool {
        let here = self.sent == 700;
        self.sent += 1;
        match FAULT {
            LOST if here => true,
            TWICE if here => self.tx.send(value).is_ok() && self.tx.send(value).is_ok(),
            HIDDEN if here => self.tx.send(value - 1).is_ok(),
            LATE if here => self.held.replace(value).is_none(),
            ALIEN if here => self.tx.send(value_of(9, 0)).is_ok() && self.tx.send(value).is_ok(),
            PANIC if here => panic!("no"),
            STUCK if here => loop {
                std::thread::park();
            },
            _ => {
                let sent = self.tx.send(value).is_ok();
                self.held
                    .take()
                    .map_or(sent, |late| self.tx.send(late).is_ok())
            }
        }
    }
}

impl<const FAULT: u8> Chan for Faulty<FAULT> {
    type Tx = FaultyTx<FAULT>;
    type Rx = crossbeam_channel::Receiver<u64>;

    fn open(cap: usize, senders: usize, receivers: usize) -> (Vec<Self::Tx>, Vec<Self::Rx>) {
        let cap = if FAULT == FULL { 4 * cap } else { cap };
        let (txs, rxs) = Crossbeam::open(cap, senders, receivers);
        let wrap = |tx| FaultyTx {
            tx,
            held: None,
            sent: 0,
        };
        (txs.into_iter().map(wrap).collect(), rxs)
    }
}

fn plan(text: &str) -> Plan {
    let words: Vec<String> = text.split_whitespace().map(String::from).collect();

    parse(&words).unwrap()
}

fn run(kernel: Kernel, consumers: usize) -> Outcome {
    let mut plan = plan("producer_consumer --producers=2 --cap=16 --items=3000 --reps=1");

    plan.cell.consumers = consumers;
    plan.timeout = Some(Duration::from_secs(1));
    measure_with(&plan, kernel)
}

fn expect(kernel: Kernel, consumers: usize, why: &str) {
    let out = run(kernel, consumers);

    assert!(out.verdict == Verdict::Failed, "{}", out.verdict.name());
    assert_eq!(out.why, why);
    assert!(out.samples.is_empty());
}

#[test]
fn a_lost_message_is_found() {
    expect(kernels::drivers::<Faulty<LOST>>, 2, "lost 2 of 3000 items");
}

#[test]
fn a_message_delivered_twice_is_found() {
    expect(
        kernels::drivers::<Faulty<TWICE>>,
        2,
        "delivered 2 of 3000 items twice",
    );
}

#[test]
fn a_loss_does_not_hide_behind_a_duplicate() {
    let why = "delivered 2 of 3000 items twice; lost 2 of 3000 items";
    expect(kernels::drivers::<Faulty<HIDDEN>>, 2, why);
}

#[test]
fn messages_out_of_order_are_found() {
    expect(
        kernels::drivers::<Faulty<LATE>>,
        1,
        "2 of 3000 items out of order",
    );
}

#[test]
fn what_was_never_sent_is_found() {
    let why = "received 2 corrupt items, never sent";
    expect(kernels::drivers::<Faulty<ALIEN>>, 2, why);
}

/// More than fit are inside once the consumers are slower.
#[test]
fn a_channel_that_holds_too_much_is_found() {
    let mut plan = plan("producer_consumer --cap=16 --items=3000 --reps=1 --work=2000");
    plan.timeout = Some(Duration::from_secs(20));
    let out = measure_with(&plan, kernels::drivers::<Faulty<FULL>>);

    assert!(out.verdict == Verdict::Failed, "{}", out.verdict.name());
    assert!(out.why.ends_with("items of 16"), "{}", out.why);
}

#[test]
fn a_panic_is_a_failure() {
    expect(kernels::drivers::<Faulty<PANIC>>, 2, "driver 0 panicked");
}

#[test]
fn a_hang_is_ended() {
    let out = run(kernels::drivers::<Faulty<STUCK>>, 2);

    assert!(out.verdict == Verdict::Hung, "{}", out.verdict.name());
    assert_eq!(out.why, "4 of 4 drivers had not ended after 1 s");
}

#[test]
fn every_channel_keeps_every_message() {
    for info in CHANNELS {
        for (p, c) in [(1, 1), (4, 1), (1, 4), (3, 3)] {
            for cap in [0, 1, 3, 64] {
                let out = measure(&plan(&format!(
                    "producer_consumer --chan={} --producers={p} --consumers={c} --cap={cap} \
                     --items=3000 --reps=1 --timeout=60",
                    info.name
                )));
                let can = cap >= info.min_cap
                    && (info.max_senders == 0 || p <= info.max_senders)
                    && (info.max_receivers == 0 || c <= info.max_receivers);
                let name = info.name;
                let verdict = out.verdict.name();
                let wanted = if can { "VERIFIED" } else { "N/A" };
                assert_eq!(verdict, wanted, "{name} {p}:{c} cap {cap}: {}", out.why);
            }
        }
    }
}

#[test]
fn a_round_trip_is_what_was_sent() {
    for info in CHANNELS {
        for cap in [0, 1, 64].into_iter().filter(|cap| *cap >= info.min_cap) {
            let out = measure(&plan(&format!(
                "ping_pong --chan={} --pairs=3 --cap={cap} --items=300 --reps=1",
                info.name
            )));
            assert_eq!(out.verdict.name(), "VERIFIED", "{}: {}", info.name, out.why);
        }
    }
}

#[test]
fn what_was_pushed_before_the_producer_went_is_received() {
    let (mut txs, mut rxs) = Rtrb::open(4, 1, 1);

    assert!(Tx::send(&mut txs[0], 7));
    txs.clear();
    let found = (Rx::recv(&mut rxs[0]), Rx::recv(&mut rxs[0]));
    assert_eq!(found, (Some(7), None));
}

#[test]
fn what_is_not_allowed_is_named() {
    for (arg, why) in [
        ("--cap=-1", "--cap=-1: allowed 0..1048576"),
        ("--payload=64", "--payload=64: allowed 8"),
        ("--variant=try", "--variant=try: allowed plain"),
        ("--chan=nope", "there are crossbeam, crossfire"),
        ("--sides=1", "no key 'sides'"),
        ("--json=1", "no key 'json'"),
        ("--cap", "--cap=VALUE"),
        ("ping_pong", "cannot make sense of 'ping_pong'"),
        ("--producers=0", "allowed 1..256"),
        ("--producers=+1", "allowed 1..256"),
        ("--timeout=0", "allowed 1..86400"),
        ("--latency=1", "--latency=1: allowed 0"),
    ] {
        let words = ["producer_consumer", arg].map(String::from);
        let said = parse(&words).err().unwrap_or_default();
        assert!(said.contains(why), "{arg}: {said}, want {why}");
    }
    assert!(parse(&[]).err().unwrap_or_default().contains("pattern"));
}
