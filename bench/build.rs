//! Tells the program what it was built from, so that no table states a version that was not measured: each crate of
//! Cargo.lock as CRATE_<name>_<compatible version>, for example CRATE_talc_4 and CRATE_rlsf_0_2, and both compilers.

use std::{env, fs, process::Command};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=Cargo.lock");
    println!("cargo:rerun-if-env-changed=CXX");
    let lock = fs::read_to_string("Cargo.lock").expect("cargo writes Cargo.lock before it builds");
    for (name, version) in values(&lock, "name = \"").zip(values(&lock, "version = \"")) {
        // The metadata behind a plus sign names the library that a crate wraps, which is asked itself.
        let version = version.split('+').next().unwrap_or(version);
        let key = format!("{}_{}", name.replace('-', "_"), compatible(version));
        println!("cargo:rustc-env=CRATE_{key}={version}");
    }
    let rustc = env::var("RUSTC").expect("cargo sets RUSTC");
    // What the `cc` crate calls unless told otherwise; the C peers are compiled by its sibling for C.
    let cxx = env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    println!("cargo:rustc-env=RUST_COMPILER={}", version_of(&rustc));
    println!("cargo:rustc-env=CXX_COMPILER={}", version_of(&cxx));
}

/// The quoted values of all lines of Cargo.lock that begin with `key`, in order. Every package has one name and one version.
fn values<'lock>(lock: &'lock str, key: &'static str) -> impl Iterator<Item = &'lock str> {
    lock.lines().filter_map(move |line| line.strip_prefix(key)?.strip_suffix('"'))
}

/// The numbers that semantic versioning holds fixed, joined by underscores: "4" of 4.4.3, "0_2" of 0.2.3.
fn compatible(version: &str) -> String {
    let numbers: Vec<&str> = version.split('.').collect();
    let fixed = if numbers[0] == "0" { 2 } else { 1 };
    numbers[..fixed].join("_")
}

/// The first line of what a compiler says about its version.
fn version_of(compiler: &str) -> String {
    let output = Command::new(compiler).arg("--version").output();
    let text = output.map_or(String::new(), |output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.lines().next().unwrap_or("unknown").to_owned()
}
