//! That a fault of a channel is found, and that those that are here have none.

use std::time::Duration;

use crate::cell::{parse, Plan};
use crate::chans::{pop_to_the_end, Chan, Choose, Crossbeam, Info, Tx, CHANNELS};
use crate::kernels;
use crate::measure::{measure, measure_with, Kernel, Outcome, Verdict};
use crate::tally::{report, value_of, Seen};

const LOST: u8 = 0;
const TWICE: u8 = 1;
const HIDDEN: u8 = 2;
const LATE: u8 = 3;
const ALIEN: u8 = 4;
const PANIC: u8 = 6;
const STUCK: u8 = 7;
const ROOTLESS: u8 = 8;

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
            ROOTLESS if value == 700 * 700 => self.tx.send(value + 1).is_ok(),
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
        let (txs, rxs) = Crossbeam::open(cap, senders, receivers);
        let wrap = |tx| FaultyTx {
            tx,
            held: None,
            sent: 0,
        };
        (txs.into_iter().map(wrap).collect(), rxs)
    }
}

impl<const FAULT: u8> Choose for Faulty<FAULT> {
    fn read_any(rxs: Vec<Self::Rx>, came: impl FnMut(usize, u64)) {
        Crossbeam::read_any(rxs, came);
    }
}

fn plan(text: &str) -> Plan {
    let words: Vec<String> = text.split_whitespace().map(String::from).collect();

    parse(&words).unwrap()
}

fn run(kernel: Kernel, consumers: usize) -> Outcome {
    let mut plan = plan("producer_consumer --producers=2 --cap=16 --items=3000 --reps=1");

    plan.cell.receivers = consumers;
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

/// Every channel in this pattern, with and without room.
fn all_keep_every_message(cell: &str, can: fn(&Info) -> bool) {
    for info in CHANNELS {
        for cap in [0, 1, 64] {
            let out = measure(&plan(&format!(
                "{cell} --chan={} --cap={cap} --items=2500 --reps=1 --timeout=60",
                info.name
            )));
            let fits = cap >= info.min_cap && can(info);
            let wanted = if fits { "VERIFIED" } else { "N/A" };
            let name = info.name;
            assert_eq!(
                out.verdict.name(),
                wanted,
                "{name} {cell} {cap}: {}",
                out.why
            );
        }
    }
}

#[test]
fn a_select_leaves_nothing() {
    all_keep_every_message("select --writers=1", |info| info.selects);
    all_keep_every_message("select --writers=5", |info| info.selects);
}

#[test]
fn a_pipeline_loses_nothing() {
    all_keep_every_message("pipeline --stages=1", |_| true);
    all_keep_every_message("pipeline --stages=4", |_| true);
    all_keep_every_message("pipeline --workers=2", |info| info.max_receivers == 0);
}

#[test]
fn a_fan_loses_nothing() {
    all_keep_every_message("fan --workers=1", |_| true);
    all_keep_every_message("fan --workers=3", |info| info.max_receivers == 0);
}

fn expect_in(cell: &str, kernel: Kernel, why: &str) {
    let out = measure_with(&plan(&format!("{cell} --items=3000 --reps=1")), kernel);

    assert!(
        out.verdict == Verdict::Failed,
        "{cell}: {}",
        out.verdict.name()
    );
    assert_eq!(out.why, why, "{cell}");
}

/// What a fault at one sender's item 700 comes to, on each way.
#[test]
fn a_lost_message_is_found_in_every_pattern() {
    let kernel = kernels::drivers::<Faulty<LOST>>;

    expect_in("pipeline --stages=1", kernel, "lost 2 of 3000 items");
    expect_in("fan --workers=1", kernel, "lost 2 of 3000 items");
    expect_in(
        "select --writers=1",
        kernels::choosing::<Faulty<LOST>>,
        "lost 1 of 3000 items",
    );
}

/// Two channels in a row that each swap a pair may put it right again; three do
/// not.
#[test]
fn messages_out_of_order_are_found_in_a_row_and_in_a_select() {
    let why = "1 of 3000 items out of order";

    expect_in("pipeline --stages=2", kernels::drivers::<Faulty<LATE>>, why);
    expect_in("select --writers=1", kernels::choosing::<Faulty<LATE>>, why);
}

#[test]
fn a_result_that_has_no_root_is_found() {
    let why = "received 1 corrupt items, never sent; lost 1 of 3000 items";

    expect_in(
        "pipeline --stages=2",
        kernels::drivers::<Faulty<ROOTLESS>>,
        why,
    );
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

/// The producer pushes its last item and goes between a pop and the look whether
/// it has gone.
#[test]
fn what_was_pushed_just_before_the_producer_went_is_received() {
    let mut pops = [None, Some(7), None].into_iter();
    let pop = |pops: &mut std::array::IntoIter<_, 3>| pops.next().flatten();

    assert_eq!(pop_to_the_end(&mut pops, pop, |_| true), Some(7));
    assert_eq!(pop_to_the_end(&mut pops, pop, |_| true), None);
}

#[test]
fn an_item_that_two_consumers_have_is_there_twice() {
    let mut all = [Seen::new(2, 1), Seen::new(2, 1)];

    all[0].count(0);
    all[0].count(1);
    all[1].count(1);
    assert_eq!(report(&all, true), ["delivered 1 of 2 items twice"]);
}

#[test]
fn what_another_writer_has_sent_is_found_in_a_select() {
    let why = "received 1 corrupt items, never sent";

    expect_in(
        "select --writers=1",
        kernels::choosing::<Faulty<ALIEN>>,
        why,
    );
}

#[test]
fn what_is_not_allowed_is_named() {
    for (arg, why) in [
        ("--cap=-1", "--cap=-1: allowed 0..1048576"),
        ("--payload=64", "--payload=64: allowed 8"),
        ("--variant=try", "--variant=try: allowed bare"),
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
