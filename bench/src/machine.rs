//! What the figures were measured on.

use std::fs;

use serde::Serialize;

/// A machine, and what the program was compiled with. Parts that the system does not tell are empty.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    pub processor: String,
    pub processors: usize,
    pub kernel: String,
    /// Which memory the kernel maps in huge pages; the arenas do not ask for them.
    pub huge_pages: String,
    /// How busy the machine was before: an average of runnable tasks over one, five and fifteen minutes.
    pub load: String,
    pub rust_compiler: &'static str,
    pub cxx_compiler: &'static str,
}

impl Machine {
    /// This machine, now.
    pub fn read() -> Self {
        let line = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let load = line("/proc/loadavg");
        Self {
            processor: processor(&line("/proc/cpuinfo")),
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: line("/proc/sys/kernel/osrelease"),
            huge_pages: chosen(&line("/sys/kernel/mm/transparent_hugepage/enabled")),
            load: load.split(' ').take(3).collect::<Vec<_>>().join(" "),
            rust_compiler: env!("RUST_COMPILER"),
            cxx_compiler: env!("CXX_COMPILER"),
        }
    }
}

/// The name of the first processor that /proc/cpuinfo lists.
fn processor(cpuinfo: &str) -> String {
    let name = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
    name.unwrap_or_default().trim_start_matches(['\t', ' ', ':']).to_owned()
}

/// The word that stands in brackets.
fn chosen(words: &str) -> String {
    let word = words.split(' ').find_map(|word| word.strip_prefix('[')?.strip_suffix(']'));
    word.unwrap_or_default().to_owned()
}
