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

#[test]
fn traces_are_replayed_by_every_peer_and_tell_what_arenas_were_touched() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (trace, file) = (folder.join("short.jsonl"), folder.join("traces.json"));
    let sizes = [5_000, 100, 1, 70_000, 0, 33];
    let begin = sizes.iter().enumerate().map(|(block, size)| {
        let call = if block % 2 == 0 { "allocate" } else { "zeroed" };
        format!("[\"{call}\",{block},{size},{}]\n", 8 << block)
    });
    let change = sizes.iter().enumerate().map(|(block, size)| format!("[\"reallocate\",{block},{},1]\n", 80_000 - size));
    let end = (1..sizes.len()).map(|block| format!("[\"free\",{block},0,1]\n"));
    std::fs::write(&trace, begin.chain(change).chain(end).collect::<String>()).expect("there is room for a trace");
    let arguments = ["traces", trace.to_str().unwrap(), "--rounds", "2", "--json", file.to_str().unwrap()];
    let table = text(&bench(&arguments));
    assert!(table.contains("short, Mops/s") && table.contains("| slabheap-compact "), "{table}");

    let report = json(&file);
    let rows = report["rows"].as_array().expect("there are rows");
    assert_eq!(rows.len(), 14);
    for row in rows {
        assert_eq!((&row["operations"], row["samples"].as_array().map(Vec::len)), (&18.into(), Some(2)), "{row}");
        let is_arena =
            !["none", "mimalloc", "mimalloc-heap", "snmalloc", "jemalloc", "glibc"].contains(&row["peer"].as_str().unwrap());
        assert_eq!(row["touched_bytes"].as_u64().is_some_and(|bytes| (80_000..2 << 20).contains(&bytes)), is_arena, "{row}");
    }
}

#[test]
fn a_trace_that_makes_no_sense_is_refused_by_its_line() {
    let trace = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wrong.jsonl");
    std::fs::write(&trace, "[\"free\",0,0,1]\n").expect("there is room for a trace");
    let output = bench(&["traces", trace.to_str().unwrap()]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("wrong, line 1: there is no such block"), "{output:?}");
}
