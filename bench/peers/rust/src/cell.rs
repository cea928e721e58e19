//! One cell and how to measure it: what the command line asks for, in the words
//! of `weft run`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::chans::{self, Info};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    Fan,
    PingPong,
    Pipeline,
    ProducerConsumer,
    Select,
}

pub const PATTERNS: &[(&str, Pattern)] = &[
    ("fan", Pattern::Fan),
    ("ping_pong", Pattern::PingPong),
    ("pipeline", Pattern::Pipeline),
    ("producer_consumer", Pattern::ProducerConsumer),
    ("select", Pattern::Select),
];

/// What a key may be: a number from..to, or one word.
enum Allowed {
    Number(u64, u64),
    Word(&'static str),
    /// One of several; its place among them.
    Choice(&'static [&'static str]),
}

struct Key {
    name: &'static str,
    allowed: Allowed,
    default: u64,
}

const fn number(name: &'static str, default: u64, from: u64, to: u64) -> Key {
    Key {
        name,
        allowed: Allowed::Number(from, to),
        default,
    }
}

const fn word(name: &'static str, only: &'static str) -> Key {
    Key {
        name,
        allowed: Allowed::Word(only),
        default: 0,
    }
}

const fn choice(name: &'static str, of: &'static [&'static str]) -> Key {
    Key {
        name,
        allowed: Allowed::Choice(of),
        default: 0,
    }
}

const ITEMS_MAX: u64 = 1 << 26;
const CAP_MAX: u64 = 1 << 20;
const WORK_MAX: u64 = 1_000_000_000;

/// The knobs of each pattern, under the names that they have in weft.
static PRODUCER_CONSUMER: &[Key] = &[
    word("variant", "bare"),
    number("producers", 1, 1, 256),
    number("consumers", 1, 1, 256),
    number("cap", 64, 0, CAP_MAX),
    number("payload", 8, 8, 8),
    number("prod_work", 0, 0, WORK_MAX),
    number("pause", 0, 0, WORK_MAX),
    number("work", 0, 0, WORK_MAX),
    number("batch", 1, 1, 1),
    word("wait", "adaptive"),
    number("items", 0, 0, ITEMS_MAX),
];

static PING_PONG: &[Key] = &[
    number("pairs", 1, 1, 64),
    number("cap", 0, 0, CAP_MAX),
    number("payload", 8, 8, 8),
    number("work", 0, 0, WORK_MAX),
    word("wait", "adaptive"),
    number("items", 0, 0, ITEMS_MAX),
];

static SELECT: &[Key] = &[
    word("variant", "recv"),
    number("writers", 4, 1, 64),
    number("cap", 64, 0, CAP_MAX),
    number("payload", 8, 8, 8),
    number("work", 0, 0, WORK_MAX),
    word("wait", "adaptive"),
    number("items", 0, 0, ITEMS_MAX),
];

static PIPELINE: &[Key] = &[
    word("variant", "parallel"),
    number("workers", 1, 1, 64),
    number("stages", 2, 1, 60),
    number("cap", 64, 0, CAP_MAX),
    number("payload", 8, 8, 8),
    number("work", 0, 0, WORK_MAX),
    number("slow", 1, 1, 1),
    number("batch", 1, 1, 1),
    number("tokens", 0, 0, 0),
    word("wait", "adaptive"),
    number("items", 0, 0, ITEMS_MAX),
];

static FAN: &[Key] = &[
    word("variant", "shared"),
    number("workers", 2, 1, 256),
    number("cap", 64, 0, CAP_MAX),
    number("window", 0, 0, 0),
    number("payload", 8, 8, 8),
    number("work", 0, 0, WORK_MAX),
    word("dist", "const"),
    number("batch", 1, 1, 1),
    word("wait", "adaptive"),
    number("items", 0, 0, ITEMS_MAX),
];

/// What is said about the measurement; timeout 0 is chosen by what is asked.
static OPTIONS: &[Key] = &[
    number("reps", 5, 1, 1000),
    number("time", 50, 1, 60_000),
    number("latency", 0, 0, 0),
    number("timeout", 0, 1, 86_400),
    number("seed", 1, 0, u64::MAX),
    choice("placement", &["free", "apart"]),
];

pub struct Cell {
    pub pattern: Pattern,
    pub pattern_name: &'static str,
    pub chan: &'static Info,
    pub producers: usize,
    pub receivers: usize,
    pub pairs: usize,
    pub writers: usize,
    pub workers: usize,
    pub stages: usize,
    pub cap: usize,
    pub prod_work: u64,
    pub pause: u64,
    pub work: u64,
    pub params: Vec<(&'static str, Param)>,
}

/// A knob's value as it is reported.
#[derive(Clone, Copy)]
pub enum Param {
    Number(u64),
    Word(&'static str),
}

pub struct Plan {
    pub cell: Cell,
    pub items: u64, // 0: as many as fill the time
    pub reps: usize,
    pub time: Duration,
    pub timeout: Option<Duration>,
    pub seed: u64,
    pub apart: bool, // each driver stays on one CPU
    pub json: bool,
    pub turns: bool,
}

impl Cell {
    /// Among how many the messages are to be shared evenly.
    pub fn consumers(&self) -> usize {
        match self.pattern {
            Pattern::Fan => self.workers,
            Pattern::PingPong => self.pairs,
            Pattern::Pipeline => 1,
            Pattern::ProducerConsumer => self.receivers,
            Pattern::Select => self.writers,
        }
    }

    pub fn tasks(&self) -> usize {
        match self.pattern {
            Pattern::Fan => self.workers + 2,
            Pattern::PingPong => 2 * self.pairs,
            Pattern::Pipeline => self.stages * self.workers + 2,
            Pattern::ProducerConsumer => self.producers + self.receivers,
            Pattern::Select => self.writers + 1,
        }
    }

    /// Senders and receivers of a channel, at most.
    pub fn ends(&self) -> (usize, usize) {
        match self.pattern {
            Pattern::Fan | Pattern::Pipeline => (self.workers, self.workers),
            Pattern::PingPong | Pattern::Select => (1, 1),
            Pattern::ProducerConsumer => (self.producers, self.receivers),
        }
    }

    /// Whether messages have to come in the order of their sender.
    pub fn in_order(&self) -> bool {
        match self.pattern {
            Pattern::Fan | Pattern::Pipeline => self.workers == 1,
            Pattern::PingPong | Pattern::ProducerConsumer | Pattern::Select => true,
        }
    }

    /// Why this channel cannot do it, if it cannot.
    pub fn impossible(&self) -> Option<String> {
        let chan = self.chan;
        let (senders, receivers) = self.ends();

        if self.pattern == Pattern::Select && !chan.selects {
            return Some(format!("channel {} has no select", chan.name));
        }
        if self.pause > 0 && (self.producers > 1 || self.receivers > 1) {
            return Some(format!(
                "pause={} is for producers=1 consumers=1",
                self.pause
            ));
        }
        if (self.cap as u64) < chan.min_cap {
            return Some(format!(
                "channel {} has no capacity {}, allowed {} and up",
                chan.name, self.cap, chan.min_cap
            ));
        }
        crowd(chan, "senders", senders, chan.max_senders)
            .or_else(|| crowd(chan, "receivers", receivers, chan.max_receivers))
    }
}

fn crowd(chan: &Info, what: &str, n: usize, max: u64) -> Option<String> {
    (max > 0 && n as u64 > max).then(|| {
        format!(
            "channel {} cannot have {n} {what} at once (allowed: 1..{max})",
            chan.name
        )
    })
}

fn names<'a>(all: impl Iterator<Item = &'a str>) -> String {
    all.collect::<Vec<_>>().join(", ")
}

fn find_pattern(word: &str) -> Result<(&'static str, Pattern), String> {
    let found = PATTERNS.iter().find(|(name, _)| *name == word);

    found.copied().ok_or_else(|| {
        let known = names(PATTERNS.iter().map(|(name, _)| *name));
        format!("no pattern '{word}' here; there are {known}")
    })
}

fn find_chan(name: &str) -> Result<&'static Info, String> {
    chans::find(name).ok_or_else(|| {
        let known = names(chans::CHANNELS.iter().map(|info| info.name));
        format!("--chan={name}: no such channel here; there are {known}")
    })
}

/// Digits alone: what else parse() takes is no number on a command line.
fn digits(text: &str) -> Option<u64> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

fn value_of(key: &Key, text: &str) -> Result<u64, String> {
    match key.allowed {
        Allowed::Word(only) if text == only => Ok(0),
        Allowed::Word(only) => Err(format!("--{}={text}: allowed {only}", key.name)),
        Allowed::Choice(of) => match of.iter().position(|word| *word == text) {
            Some(place) => Ok(place as u64),
            None => Err(format!(
                "--{}={text}: allowed {}",
                key.name,
                names(of.iter().copied())
            )),
        },
        Allowed::Number(from, to) => match digits(text) {
            Some(n) if (from..=to).contains(&n) => Ok(n),
            _ if from == to => Err(format!("--{}={text}: allowed {from}", key.name)),
            _ => Err(format!("--{}={text}: allowed {from}..{to}", key.name)),
        },
    }
}

struct Words {
    pattern: &'static str,
    kind: Pattern,
    chan: &'static Info,
    json: bool,
    turns: bool,
    set: BTreeMap<&'static str, u64>,
}

fn keys_of(pattern: Pattern) -> &'static [Key] {
    match pattern {
        Pattern::Fan => FAN,
        Pattern::PingPong => PING_PONG,
        Pattern::Pipeline => PIPELINE,
        Pattern::ProducerConsumer => PRODUCER_CONSUMER,
        Pattern::Select => SELECT,
    }
}

fn take_option(words: &mut Words, key: &str, value: &str) -> Result<(), String> {
    let mut keys = keys_of(words.kind).iter().chain(OPTIONS);

    if key == "chan" {
        words.chan = find_chan(value)?;
        return Ok(());
    }
    let Some(found) = keys.find(|k| k.name == key) else {
        let known = names(keys_of(words.kind).iter().chain(OPTIONS).map(|k| k.name));
        return Err(format!(
            "{} has no key '{key}' here; it has chan, json, turns, {known}",
            words.pattern
        ));
    };
    words.set.insert(found.name, value_of(found, value)?);
    Ok(())
}

fn read(args: &[String]) -> Result<Words, String> {
    let mut plain = args.iter().filter(|arg| !arg.starts_with("--"));
    let Some(first) = plain.next() else {
        return Err("run needs a pattern".to_string());
    };
    let (pattern, kind) = find_pattern(first)?;
    let mut words = Words {
        pattern,
        kind,
        chan: &chans::CHANNELS[0],
        json: false,
        turns: false,
        set: BTreeMap::new(),
    };

    if let Some(second) = plain.next() {
        return Err(format!("cannot make sense of '{second}'"));
    }
    for arg in args.iter().filter_map(|arg| arg.strip_prefix("--")) {
        match arg.split_once('=') {
            Some((key, value)) => take_option(&mut words, key, value)?,
            None if arg == "json" => words.json = true,
            None if arg == "turns" => words.turns = true,
            None => return Err(format!("--{arg}: give it a value, --{arg}=VALUE")),
        }
    }
    Ok(words)
}

/// What the arguments after `run` ask for.
pub fn parse(args: &[String]) -> Result<Plan, String> {
    let words = read(args)?;
    let keys = keys_of(words.kind);
    let get = |name: &str| {
        let default = keys.iter().chain(OPTIONS).find(|key| key.name == name);
        let asked = words.set.get(name).copied();
        asked.or(default.map(|key| key.default)).unwrap_or(0)
    };
    let params = keys.iter().map(|key| match key.allowed {
        Allowed::Word(only) => (key.name, Param::Word(only)),
        Allowed::Choice(of) => (key.name, Param::Word(of[get(key.name) as usize])),
        Allowed::Number(..) => (key.name, Param::Number(get(key.name))),
    });

    Ok(Plan {
        cell: Cell {
            pattern: words.kind,
            pattern_name: words.pattern,
            chan: words.chan,
            producers: get("producers") as usize,
            receivers: get("consumers") as usize,
            pairs: get("pairs") as usize,
            writers: get("writers") as usize,
            workers: get("workers") as usize,
            stages: get("stages") as usize,
            cap: get("cap") as usize,
            prod_work: get("prod_work"),
            pause: get("pause"),
            work: get("work"),
            params: params.collect(),
        },
        items: get("items"),
        reps: get("reps") as usize,
        time: Duration::from_millis(get("time")),
        timeout: Some(get("timeout"))
            .filter(|s| *s > 0)
            .map(Duration::from_secs),
        seed: get("seed"),
        apart: get("placement") == 1,
        json: words.json,
        turns: words.turns,
    })
}
