//! The program, as it is called.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bench")).args(arguments).output().expect("the program starts")
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).expect("the program prints text")
}

fn json(file: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(file).expect("the report was written")).expect("the report is JSON")
}

#[test]
fn speed_prints_a_table_and_writes_every_sample() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("speed.json");
    let peers = "none,slabheap-classic";
    let arguments = ["speed", "--peers", peers, "--workloads", "W1,W5", "--rounds", "2", "--json", file.to_str().unwrap()];
    let table = text(&bench(&arguments));
    assert!(table.contains("| slabheap-classic |"), "{table}");

    let report = json(&file);
    assert_eq!(report["rounds"], 2);
    assert_eq!(report["peers"][1]["peer"], "slabheap-classic");
    assert_eq!(report["peers"][1]["workloads"][1]["workload"], "W5");
    assert_eq!(report["peers"][1]["workloads"][1]["samples"].as_array().map(Vec::len), Some(2));
}

#[test]
fn speed_tells_what_a_peer_cannot_do_by_a_dash() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hurtful.json");
    let peers = "slabheap-classic,linked_list_allocator";
    let arguments = ["speed", "--peers", peers, "--workloads", "regions", "--rounds", "1", "--json", file.to_str().unwrap()];
    let table = text(&bench(&arguments));
    let row = table.lines().find(|line| line.contains("linked_list_allocator")).expect("it has a row");
    assert!(row.ends_with("|       - |    - |"), "{table}");
    let report = json(&file);
    assert!(report["peers"][0]["geometric_mean"].is_number() && report["peers"][1]["geometric_mean"].is_null(), "{report}");
}

#[test]
fn space_compares_the_peers_that_manage_an_arena() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("space.json");
    let arguments = ["space", "--peers", "slabheap-compact,rlsf,glibc", "--seeds", "2", "--json", file.to_str().unwrap()];
    let table = text(&bench(&arguments));
    assert!(!table.contains("glibc"), "{table}");

    assert!(table.contains("| compact | 64 GiB |"), "{table}");

    let report = json(&file);
    assert!(report["metadata"][0]["metadata_bytes"].as_u64() > Some(0), "{report}");
    for peer in report["peers"].as_array().expect("there are peers") {
        for test in peer["tests"].as_array().expect("there are tests") {
            let mean = test["mean"].as_f64().expect("a mean is a number");
            assert!((0.3..1.0).contains(&mean), "{test}");
        }
    }
}

#[test]
fn run_does_one_workload_with_one_peer() {
    let output = text(&bench(&["run", "--peer", "none", "--workload", "W1", "--repeat", "2"]));
    assert_eq!(output, "200000 operations, 2 times\n");
}

#[test]
fn list_names_peers_and_workloads() {
    let output = text(&bench(&["list"]));
    assert!(output.contains("slabheap-compact") && output.contains("W2-4096"), "{output}");
}
