//! What people read.

use comfy_table::{CellAlignment, Table, presets};

use crate::mapped::Bytes;
use crate::metadata::Metadata;
use crate::peer::Memory;
use crate::space::SpaceReport;
use crate::speed::SpeedReport;
use crate::states::State;
use crate::statistics::Quartiles;
use crate::traces::TracesReport;
use crate::worst::WorstReport;
use crate::{peers, workloads};

/// The medians, and in a second table the quartiles around them.
pub fn speed(report: &SpeedReport) -> String {
    let columns = report.peers.first().map_or(&[][..], |row| &row.workloads);
    let names = || columns.iter().map(|column| column.workload);
    let mut medians = peer_table(names().chain(["mean"]));
    let mut spreads = peer_table(names());
    for row in &report.peers {
        let quartiles = || row.workloads.iter().map(|cell| cell.quartiles);
        let figures = quartiles().map(|cell| or_dash(cell.map(|cell| figure(cell.median))));
        let head = || head(row.peer, &row.version);
        medians.add_row(head().chain(figures).chain([or_dash(row.geometric_mean.map(figure))]));
        spreads.add_row(head().chain(quartiles().map(|cell| or_dash(cell.map(spread)))));
    }
    align_figures(&mut medians, 2);
    align_figures(&mut spreads, 2);
    format!(
        "Nanoseconds an operation, the median of {} rounds, and the geometric mean of the medians. Lower is better.\n\
         {medians}\n\n\
         The lower and the upper quartile.\n\
         {spreads}",
        report.rounds
    )
}

/// How full the arenas were.
pub fn space(report: &SpaceReport) -> String {
    let columns = report.peers.first().map_or(&[][..], |row| &row.tests);
    let mut table = peer_table(columns.iter().map(|column| column.test));
    for row in &report.peers {
        let cells = row.tests.iter().map(|cell| percent(cell.mean));
        table.add_row(head(row.peer, &row.version).chain(cells));
    }
    align_figures(&mut table, 2);
    format!(
        "Live requested bytes over the bytes of the arena when the first request fails, the mean of {} seeds. \
         Higher is better.\n{table}",
        report.seeds
    )
}

/// The recorded traces: a row for each peer, two columns for each trace.
pub fn traces(report: &TracesReport) -> String {
    let mut names: Vec<&str> = report.rows.iter().map(|row| row.trace.as_str()).collect();
    names.dedup();
    let columns: Vec<String> = names.iter().flat_map(|name| [format!("{name}, Mops/s"), format!("{name}, MiB")]).collect();
    let mut table = peer_table(columns.iter().map(String::as_str));
    let first = names.first().copied().unwrap_or_default();
    for peer in report.rows.iter().filter(|row| row.trace == first) {
        let cells = report.rows.iter().filter(|row| row.peer == peer.peer).flat_map(|row| {
            let rate = row.quartiles.map(|quartiles| format!("{:.2}", 1e3 / quartiles.median));
            let touched = row.touched_bytes.map(|bytes| format!("{:.2}", bytes as f64 / (1 << 20) as f64));
            [rate, touched].map(or_dash)
        });
        table.add_row(head(peer.peer, &peer.version).chain(cells));
    }
    align_figures(&mut table, 2);
    format!(
        "Million operations a second behind a replay that is not timed, the median of {} rounds: more is better; and MiB of an arena \
         that one replay touches: less is better.\n{table}",
        report.rounds
    )
}

/// What heaps of slabheap need for themselves.
pub fn metadata(cells: &[Metadata]) -> String {
    let mut table = new_table(["heap", "bytes", "metadata"]);
    for cell in cells {
        table.add_row([cell.heap.name.to_owned(), Bytes(cell.bytes).to_string(), format!("{:.3} %", 100.0 * cell.share())]);
    }
    align_figures(&mut table, 1);
    format!("What slabheap needs for itself, of the heap. Lower is better.\n{table}")
}

/// The worst operations: of slabheap's heaps, of their first calls, and of everyone's.
pub fn worst(report: &WorstReport) -> String {
    format!(
        "Instructions of the worst single operation, of {} in each state. Lower is better. What fails while kept runs are given up is \
         told apart.\n{}\n\nInstructions of the first call of a fresh heap.\n{}\n\nThe worst of everyone, called alike.\n{}",
        report.operations,
        worst_shapes(report),
        first_calls(report),
        worst_peers(report)
    )
}

fn worst_shapes(report: &WorstReport) -> Table {
    let states = ["warm", "cold", "spread", "short"];
    let columns = states.iter().flat_map(|state| ["allocate", "deallocate", "free"].map(|call| format!("{state} {call}")));
    let last = ["fails", "emptying succeeds", "emptying fails"].map(str::to_owned);
    let header: Vec<String> = ["heap".to_owned()].into_iter().chain(columns).chain(last).collect();
    let mut table = new_table(header.iter().map(String::as_str));
    for row in &report.shapes {
        let figures = states.iter().flat_map(|name| {
            let state = row.state(name).expect("every heap was in this state");
            [state.allocate, state.deallocate, state.free].map(|figures| Some(figures.worst))
        });
        let fails = row.states.iter().filter(|state| state.name != "emptying").map(|state| state.fails.worst).max();
        let emptying = row.state("emptying");
        let last = [fails, emptying.map(|state| state.allocate.worst), emptying.map(|state| state.fails.worst)];
        let cells = figures.chain(last).map(|worst| or_dash(worst.map(|worst| worst.to_string())));
        table.add_row([row.shape.to_string()].into_iter().chain(cells));
    }
    align_figures(&mut table, 1);
    table
}

fn first_calls(report: &WorstReport) -> Table {
    let mut table = new_table(["heap", "bytes", "request", "instructions"]);
    for call in &report.first_calls {
        let numbers = [Bytes(call.bytes).to_string(), call.size.to_string(), call.instructions.to_string()];
        table.add_row([call.kind.name.to_owned()].into_iter().chain(numbers));
    }
    align_figures(&mut table, 1);
    table
}

fn worst_peers(report: &WorstReport) -> Table {
    let states = ["warm", "cold", "spread"];
    let columns: Vec<String> =
        states.iter().flat_map(|state| ["allocate", "deallocate"].map(|call| format!("{state} {call}"))).collect();
    let mut table = peer_table(["arena"].into_iter().chain(columns.iter().map(String::as_str)));
    for row in &report.peers {
        let worst = |state: &State| [state.allocate.worst, state.deallocate.worst.max(state.free.worst)];
        let figures = row.states.iter().flat_map(worst).map(|worst| worst.to_string());
        table.add_row(head(row.peer, &row.version).chain([Bytes(row.bytes).to_string()]).chain(figures));
    }
    align_figures(&mut table, 2);
    table
}

/// What there is to choose from.
pub fn list() -> String {
    let mut peer_table = peer_table(["blocks from"]);
    for peer in peers::ALL {
        let memory = match (peer.memory)() {
            Memory::Arena => "an arena",
            Memory::Own => "the operating system",
            Memory::None => "nowhere: what the measuring costs",
        };
        peer_table.add_row(head((peer.name)(), &(peer.version)()).chain([memory.to_owned()]));
    }
    let mut workload_table = new_table(["workload", "operations"]);
    for workload in workloads::all() {
        workload_table.add_row([workload.name.to_owned(), workload.to_string()]);
    }
    format!("{peer_table}\n\n{workload_table}")
}

fn peer_table<'a>(columns: impl IntoIterator<Item = &'a str>) -> Table {
    new_table(["peer", "version"].into_iter().chain(columns))
}

/// Markdown, so that a table can be pasted into a document.
fn new_table<'a>(columns: impl IntoIterator<Item = &'a str>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(columns);
    table
}

fn head(peer: &str, version: &str) -> impl Iterator<Item = String> {
    [peer.to_owned(), version.to_owned()].into_iter()
}

/// Figures stand at the right, behind some columns of words.
fn align_figures(table: &mut Table, words: usize) {
    for column in table.column_iter_mut().skip(words) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

/// What a peer cannot do.
fn or_dash(cell: Option<String>) -> String {
    cell.unwrap_or_else(|| "-".to_owned())
}

fn spread(quartiles: Quartiles) -> String {
    format!("{}-{}", figure(quartiles.lower), figure(quartiles.upper))
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// Two decimals below ten, one below a hundred, none above: more would be noise.
fn figure(nanoseconds: f64) -> String {
    let decimals = match nanoseconds {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{nanoseconds:.decimals$}")
}
