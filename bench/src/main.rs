//! The program `bench`: see `bench --help`.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use clap::Parser;
use serde::Serialize;
use slabheap_bench::arena::Arena;
use slabheap_bench::cli::{Cli, Command, ListArgs, RunArgs, SpaceArgs, SpeedArgs, TracesArgs, WorstArgs};
use slabheap_bench::recording::Recording;
use slabheap_bench::replay::Passes;
use slabheap_bench::speed::{ARENA_BYTES, Comparison};
use slabheap_bench::workloads::SEED;
use slabheap_bench::worst::Task;
use slabheap_bench::{peers, space, stepping, tables, traces, workloads, worst};

fn main() -> io::Result<()> {
    match Cli::parse().command {
        Command::Speed(args) => speed(&args),
        Command::Space(args) => space(&args),
        Command::Traces(args) => traces(&args),
        Command::Worst(args) => worst(&args),
        Command::List(args) => list(&args),
        Command::Run(args) => run(&args),
    }
}

fn speed(args: &SpeedArgs) -> io::Result<()> {
    let comparison = Comparison { peers: args.peers.chosen(), workloads: args.chosen_workloads(), rounds: args.rounds as usize };
    let report = comparison.run(command_line(), |round| show_line(&format!("round {} of {}", round + 1, comparison.rounds)));
    println!("{}", tables::speed(&report));
    write_json(args.output.json.as_deref(), &report)
}

/// On a line that the next one writes over, and the table behind the last; not into a file.
fn show_line(text: &str) {
    if io::stderr().is_terminal() {
        eprint!("{text:60}\r");
    }
}

fn space(args: &SpaceArgs) -> io::Result<()> {
    let report = space::run(&args.peers.chosen(), args.seeds, command_line());
    println!("{}\n\n{}", tables::space(&report), tables::metadata(&report.metadata));
    write_json(args.output.json.as_deref(), &report)
}

fn traces(args: &TracesArgs) -> io::Result<()> {
    let recordings = args.files.iter().map(|file| Recording::read(file)).collect::<io::Result<Vec<_>>>()?;
    let rounds = args.rounds as usize;
    let show = |round| show_line(&format!("round {} of {rounds}", round + 1));
    let report = traces::run(&recordings, &args.peers.chosen(), rounds, command_line(), show)?;
    println!("{}", tables::traces(&report));
    write_json(args.output.json.as_deref(), &report)
}

fn worst(args: &WorstArgs) -> io::Result<()> {
    if !stepping::IS_AVAILABLE {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "counting single calls by the trap flag wants Linux on x86-64"));
    }
    let tasks = Task::chosen(&args.shapes);
    if tasks.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("nothing is described by {:?}", args.shapes)));
    }
    let report = worst::run(&tasks, args.operations, command_line(), |task| show_line(&task.to_string()));
    println!("{}", tables::worst(&report));
    write_json(args.output.json.as_deref(), &report)
}

fn list(args: &ListArgs) -> io::Result<()> {
    if args.json {
        let peers: Vec<&str> = peers::ALL.iter().map(|peer| (peer.name)()).collect();
        let workloads: Vec<&str> = workloads::STANDARD.iter().map(|workload| workload.name).collect();
        println!("{}", serde_json::json!({ "peers": peers, "workloads": workloads }));
    } else {
        println!("{}", tables::list());
    }
    Ok(())
}

fn run(args: &RunArgs) -> io::Result<()> {
    let list = args.workload.operations(args.workload.length, SEED);
    let mut arena = Arena::new(ARENA_BYTES);
    let passes = Passes { warm_up: args.warm_up, timed: args.repeat, patience: Duration::MAX };
    if args.peer.replay(&mut arena, args.workload, &list, passes).is_none() {
        return Err(io::Error::other(format!("{} cannot do {}", (args.peer.name)(), args.workload.name)));
    }
    println!("{} operations, {} times", list.operations().len(), args.repeat);
    Ok(())
}

/// As it was typed, but for the folder of the program.
fn command_line() -> String {
    let arguments = std::env::args().skip(1);
    std::iter::once("bench".to_owned()).chain(arguments).collect::<Vec<_>>().join(" ")
}

fn write_json(file: Option<&Path>, report: &impl Serialize) -> io::Result<()> {
    let Some(file) = file else { return Ok(()) };
    let mut writer = BufWriter::new(File::create(file)?);
    serde_json::to_writer_pretty(&mut writer, report)?;
    writeln!(writer)?;
    writer.flush() // a full disk would go unnoticed when it is dropped
}
