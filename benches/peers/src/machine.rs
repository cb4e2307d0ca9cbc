//! The machine and the versions that the figures depend on.

use std::{fs, process::Command};

const NAMED: [&str; 9] = [
    "actix-web",
    "axum",
    "cloudevents-sdk",
    "hyper",
    "serde_json",
    "sha2",
    "slack-morphism",
    "tencent-desk-webhook",
    "tokio",
];

pub(crate) fn print() {
    let rustc = Command::new("rustc").arg("--version").output();
    let rustc =
        rustc.map_or("rustc ?".into(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cpu = cpu.map_or("processor ?", |(_, model)| model);
    println!("{rustc} · {} · {cpu}", NAMED.map(version).join(" · "));
}

/// The version in the lock file.
fn version(name: &str) -> String {
    let lock = include_str!("../Cargo.lock");
    let package = lock.split_once(&format!("name = \"{name}\"\nversion = \"")).map(|(_, rest)| rest);
    let version = package.and_then(|rest| rest.split('"').next()).unwrap_or("?");
    format!("{name} {version}")
}
