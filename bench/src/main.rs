//! The program `bench`: see `bench --help`.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;

use clap::Parser;
use serde::Serialize;
use slabheap_bench::arena::Arena;
use slabheap_bench::cli::{Cli, Command, RunArgs, SpaceArgs, SpeedArgs};
use slabheap_bench::replay::Passes;
use slabheap_bench::speed::{ARENA_BYTES, Comparison};
use slabheap_bench::workloads::{LIST_OPERATIONS, SEED};
use slabheap_bench::{space, tables};

fn main() -> io::Result<()> {
    match Cli::parse().command {
        Command::Speed(args) => speed(&args),
        Command::Space(args) => space(&args),
        Command::List => {
            println!("{}", tables::list());
            Ok(())
        }
        Command::Run(args) => {
            run(&args);
            Ok(())
        }
    }
}

fn speed(args: &SpeedArgs) -> io::Result<()> {
    let comparison = Comparison { peers: args.peers.chosen(), workloads: args.chosen_workloads(), rounds: args.rounds as usize };
    let report = comparison.run(command_line(), |round| show_progress(round, comparison.rounds));
    println!("{}", tables::speed(&report));
    write_json(args.output.json.as_deref(), &report)
}

/// On a line that the next round writes over, and the table behind the last; not into a file.
fn show_progress(round: usize, rounds: usize) {
    if io::stderr().is_terminal() {
        eprint!("round {} of {rounds}\r", round + 1);
    }
}

fn space(args: &SpaceArgs) -> io::Result<()> {
    let report = space::run(&args.peers.chosen(), args.seeds, command_line());
    println!("{}", tables::space(&report));
    write_json(args.output.json.as_deref(), &report)
}

fn run(args: &RunArgs) {
    let list = args.workload.operations(LIST_OPERATIONS, SEED);
    let mut arena = Arena::new(ARENA_BYTES);
    args.peer.replay(&mut arena, &list, Passes { warm_up: 0, timed: args.repeat });
    println!("{} operations, {} times", list.operations().len(), args.repeat);
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
