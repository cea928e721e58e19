//! peer_rust: the channels of Rust under the kernels of weft.
//!
//!     peer_rust run PATTERN --chan=NAME [--KEY=VALUE ...] [--json]
//!     peer_rust list peers [--json]
//!
//! reads what `weft run` reads and prints what it prints.

mod cell;
mod chans;
mod drive;
mod kernels;
mod measure;
mod place;
mod report;
mod tally;
#[cfg(test)]
mod tests;
mod work;

use std::io::Write;
use std::process::exit;

const BAD_INPUT: i32 = 2;
const USAGE: &str = "usage: peer_rust run PATTERN --chan=NAME [--KEY=VALUE ...] [--reps=N] \
[--time=MS] [--timeout=S] [--seed=N] \
[--placement=free|apart] [--turns] [--json] | peer_rust list peers [--json]";

fn complain(why: &str) -> i32 {
    eprintln!("peer_rust: {why}");
    BAD_INPUT
}

/// Output that could not be written is not success.
fn say(what: &str, status: i32) -> i32 {
    let mut out = std::io::stdout();

    match writeln!(out, "{}", what.trim_end()).and_then(|()| out.flush()) {
        Ok(()) => status,
        Err(error) => complain(&format!("cannot write the standard output: {error}")),
    }
}

fn run(args: &[String]) -> i32 {
    let plan = match cell::parse(args) {
        Ok(plan) => plan,
        Err(why) => return complain(&why),
    };
    let out = measure::measure(&plan);
    let status = out.verdict.exit_status();

    if plan.json {
        say(&report::result_json(&plan, &out), status)
    } else {
        say(&report::result_text(&plan, &out), status)
    }
}

fn list(args: &[String]) -> i32 {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();

    match words[..] {
        ["peers"] => say(&report::peers_text(), 0),
        ["peers", "--json"] => say(&report::peers_json(), 0),
        _ => complain(&format!(
            "list {}: allowed peers, peers --json",
            words.join(" ")
        )),
    }
}

fn main() {
    let args: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    let status = match args.first().map(String::as_str) {
        Some("run") => run(&args[1..]),
        Some("list") => list(&args[1..]),
        Some("--help") => say(USAGE, 0),
        Some(word) => complain(&format!("'{word}': allowed run, list, --help")),
        None => complain(USAGE),
    };

    // Threads that hang are left behind.
    exit(status);
}
