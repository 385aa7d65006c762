//! What people read.

use comfy_table::{CellAlignment, Table, presets};

use crate::peer::Memory;
use crate::space::SpaceReport;
use crate::speed::{SpeedReport, WorkloadSpeed};
use crate::{peers, workloads};

/// The medians, and in a second table the quartiles around them.
pub fn speed(report: &SpeedReport) -> String {
    let medians = speed_table(report, "mean", |cell| figure(cell.quartiles.median));
    let spread = speed_table(report, "mean", |cell| {
        format!(
            "{}-{}",
            figure(cell.quartiles.lower),
            figure(cell.quartiles.upper)
        )
    });
    format!(
        "Nanoseconds an operation, the median of {} rounds, and the geometric mean of the medians. Lower is better.\n\
         {medians}\n\n\
         The lower and the upper quartile.\n\
         {spread}",
        report.rounds
    )
}

fn speed_table(report: &SpeedReport, last: &str, cell: impl Fn(&WorkloadSpeed) -> String) -> Table {
    let columns = report.peers.first().map_or(&[][..], |row| &row.workloads);
    let mut table = new_table(columns.iter().map(|column| column.workload).chain([last]));
    for row in &report.peers {
        let cells = row.workloads.iter().map(&cell);
        table.add_row(
            head(row.peer, &row.version)
                .into_iter()
                .chain(cells)
                .chain([figure(row.geometric_mean)]),
        );
    }
    align(&mut table);
    table
}

/// How full the arenas were.
pub fn space(report: &SpaceReport) -> String {
    let columns = report.peers.first().map_or(&[][..], |row| &row.tests);
    let mut table = new_table(columns.iter().map(|column| column.test));
    for row in &report.peers {
        let cells = row
            .tests
            .iter()
            .map(|test| format!("{:.1} %", 100.0 * test.mean));
        table.add_row(head(row.peer, &row.version).into_iter().chain(cells));
    }
    align(&mut table);
    format!(
        "Live requested bytes over the bytes of the arena when the first request fails, the mean of {} seeds. \
         Higher is better.\n{table}",
        report.seeds
    )
}

/// What there is to choose from.
pub fn list() -> String {
    let mut peer_table = new_table(["memory"]);
    for peer in peers::ALL {
        let memory = match (peer.memory)() {
            Memory::Arena => "an arena",
            Memory::Own => "its own",
            Memory::None => "no allocator: what the measuring costs",
        };
        peer_table.add_row(
            head((peer.name)(), &(peer.version)())
                .into_iter()
                .chain([memory.to_owned()]),
        );
    }
    let mut workload_table = Table::new();
    workload_table
        .load_style(presets::NOTHING)
        .set_header(["workload", "operations"]);
    for workload in workloads::ALL {
        workload_table.add_row([workload.name.to_owned(), workload.to_string()]);
    }
    format!("{peer_table}\n\n{workload_table}")
}

fn new_table<'a>(columns: impl IntoIterator<Item = &'a str>) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::ASCII_MARKDOWN)
        .set_header(["peer", "version"].into_iter().chain(columns));
    table
}

fn head(peer: &str, version: &str) -> [String; 2] {
    [peer.to_owned(), version.to_owned()]
}

/// Figures stand at the right, behind two columns of words.
fn align(table: &mut Table) {
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

/// Three digits, or as many as the whole number has: more would be noise.
fn figure(nanoseconds: f64) -> String {
    let decimals = if nanoseconds < 9.995 {
        2
    } else if nanoseconds < 99.95 {
        1
    } else {
        0
    };
    format!("{nanoseconds:.decimals$}")
}
