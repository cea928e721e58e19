//! A result as `weft run --json` prints it, and as a line for people; the list of
//! channels as `weft list peers --json` does.

use std::fmt::Write;

use crate::cell::{Param, Plan};
use crate::chans::{Info, CHANNELS};
use crate::drive;
use crate::measure::{fairness, Outcome, Sample, Verdict};

const SCHEMA: u64 = 1;

/// The pinned versions, as Cargo was told them.
const MANIFEST: &str = include_str!("../Cargo.toml");

/// What the library calls itself and its version: "kanal 0.1.1".
pub fn version(library: &str) -> String {
    if library == "std" {
        return concat!("std of ", env!("PEER_RUSTC")).to_string();
    }
    let line = MANIFEST.lines().find(|line| {
        line.split_once(" = ")
            .is_some_and(|(key, _)| key == library)
    });
    let number = line.and_then(|line| line.split('=').nth(2));
    format!("{library} {}", number.unwrap_or("").trim_matches('"'))
}

fn text(value: &str) -> String {
    let mut out = String::from("\"");

    for c in value.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if (c as u32) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn object(fields: &[(&str, String)]) -> String {
    let all: Vec<String> = fields
        .iter()
        .map(|(key, value)| format!("{}:{value}", text(key)))
        .collect();

    format!("{{{}}}", all.join(","))
}

fn array(all: impl Iterator<Item = String>) -> String {
    format!("[{}]", all.collect::<Vec<_>>().join(","))
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    match n {
        0 => None,
        n if n % 2 == 1 => Some(values[n / 2]),
        n => Some((values[n / 2 - 1] + values[n / 2]) / 2.0),
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or("null".to_string(), |x| format!("{x}"))
}

/// A median over the samples of a run that passed; else null.
fn middle(out: &Outcome, figure: impl Fn(&Sample) -> f64) -> String {
    if out.verdict != Verdict::Verified {
        return "null".to_string();
    }
    number(median(out.samples.iter().map(figure).collect()))
}

fn sample_json(sample: &Sample) -> String {
    let run = &sample.run;

    object(&[
        ("ns", run.ns.to_string()),
        ("messages", sample.messages.to_string()),
        ("start_skew_ns", run.skew_ns.to_string()),
        ("cpu_seconds", format!("{}", run.cpu_seconds)),
        ("voluntary_switches", run.voluntary.to_string()),
        ("involuntary_switches", run.involuntary.to_string()),
    ])
}

fn params_json(plan: &Plan, items: u64) -> String {
    let fields: Vec<(&str, String)> = plan
        .cell
        .params
        .iter()
        .map(|(name, value)| match value {
            _ if *name == "items" => (*name, items.to_string()),
            Param::Number(n) => (*name, n.to_string()),
            Param::Word(word) => (*name, text(word)),
        })
        .collect();

    object(&fields)
}

fn fairness_json(plan: &Plan, out: &Outcome) -> String {
    if out.verdict != Verdict::Verified || plan.cell.consumers() < 2 {
        return "null".to_string();
    }
    object(&[
        ("jain", middle(out, |s| fairness(s).0)),
        ("least_share", middle(out, |s| fairness(s).1)),
    ])
}

fn idle_p50(sample: &Sample) -> f64 {
    let parts = sample.run.parts.iter().map(|part| part.idle_p50);

    parts.max().unwrap_or(0) as f64
}

fn figures_json(plan: &Plan, out: &Outcome) -> String {
    if plan.cell.pause == 0 || out.verdict != Verdict::Verified {
        return "{}".to_string();
    }
    let figure = object(&[
        ("value", middle(out, idle_p50)),
        ("unit", text("ns")),
        (
            "help",
            text("from a send to the end of the receive that waited for it"),
        ),
    ]);
    object(&[("idle_p50", figure)])
}

fn rate(out: &Outcome) -> Option<f64> {
    let ns = median(out.samples.iter().map(Sample::ns_per_message).collect())?;

    (out.verdict == Verdict::Verified).then_some(1e9 / ns)
}

/// Which library the channel is of, and what was added to it.
fn peer_json(info: &Info) -> String {
    object(&[
        ("library", text(&version(info.library))),
        ("adapter", text(info.adapter)),
    ])
}

pub fn result_json(plan: &Plan, out: &Outcome) -> String {
    let cell = &plan.cell;

    object(&[
        ("schema", SCHEMA.to_string()),
        ("pattern", text(cell.pattern_name)),
        ("chan", text(cell.chan.name)),
        ("peer", peer_json(cell.chan)),
        ("params", params_json(plan, out.items)),
        ("items_searched", (plan.items == 0).to_string()),
        ("actual_cap", cell.cap.to_string()),
        ("tasks", cell.tasks().to_string()),
        ("cpus", out.cpus.to_string()),
        ("oversubscribed", (cell.tasks() > out.cpus).to_string()),
        ("verdict", text(out.verdict.name())),
        ("why", text(&out.why)),
        ("messages_per_second", number(rate(out))),
        ("ns_per_message", middle(out, Sample::ns_per_message)),
        ("samples", array(out.samples.iter().map(sample_json))),
        ("latency_ns", "null".to_string()),
        ("cpu_seconds", middle(out, |s| s.run.cpu_seconds)),
        (
            "voluntary_switches",
            middle(out, |s| s.run.voluntary as f64),
        ),
        (
            "involuntary_switches",
            middle(out, |s| s.run.involuntary as f64),
        ),
        ("peak_rss_bytes", drive::peak_rss().to_string()),
        ("fairness", fairness_json(plan, out)),
        ("figures", figures_json(plan, out)),
        ("seed", plan.seed.to_string()),
    ])
}

pub fn result_text(plan: &Plan, out: &Outcome) -> String {
    let cell = &plan.cell;
    let head = format!(
        "{} over {}: {}",
        cell.pattern_name,
        cell.chan.name,
        out.verdict.name()
    );

    match rate(out) {
        Some(rate) => format!(
            "{head}, {:.3} M messages/s (median of {})",
            rate / 1e6,
            out.samples.len()
        ),
        None => format!("{head}: {}", out.why),
    }
}

fn limit(n: u64) -> String {
    if n == 0 {
        "null".to_string()
    } else {
        n.to_string()
    }
}

fn channel_json(info: &Info) -> String {
    object(&[
        ("name", text(info.name)),
        ("summary", text(info.summary)),
        ("why_not", text("")),
        ("tasks", text("threads")),
        ("selects", info.selects.to_string()),
        ("max_senders", limit(info.max_senders)),
        ("max_receivers", limit(info.max_receivers)),
        ("min_cap", info.min_cap.to_string()),
        ("library", text(&version(info.library))),
        ("adapter", text(info.adapter)),
    ])
}

pub fn peers_json() -> String {
    array(CHANNELS.iter().map(channel_json))
}

pub fn peers_text() -> String {
    let mut out = String::new();

    for info in CHANNELS {
        let _ = writeln!(
            out,
            "  {:<12} {} ({})",
            info.name,
            info.summary,
            version(info.library)
        );
        if !info.adapter.is_empty() {
            let _ = writeln!(out, "  {:<12} added: {}", "", info.adapter);
        }
    }
    out
}
