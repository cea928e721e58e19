// Which compiler this is: the version of its own channels.
use std::process::Command;

fn main() {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_string());
    let said = Command::new(rustc).arg("--version").output();
    let version = said.map(|out| String::from_utf8_lossy(&out.stdout).into_owned());
    let words = version.unwrap_or_default();
    let short: Vec<&str> = words.split_whitespace().take(2).collect();

    println!("cargo:rustc-env=PEER_RUSTC={}", short.join(" "));
    println!("cargo:rerun-if-changed=build.rs");
}
