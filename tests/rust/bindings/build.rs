//! Reads the C header with clang.

use std::path::PathBuf;

fn main() {
    let header = "../../../capi/include/slabheap/slabheap.h";
    println!("cargo:rerun-if-changed={header}");
    let bindings = bindgen::Builder::default()
        .header(header)
        .allowlist_item("[hH][eE][aA][pP].*")
        // In C an enum and the integer that stands for it share a name, which Rust cannot have.
        .clang_args(["-x", "c++", "-std=c++20"])
        .use_core()
        // The compiler never finds two enums alike, nor the structs that two callbacks take.
        .blocklist_type("Heap|HeapPreset|HeapPageLayer|HeapInvalidFree|HeapFreedRuns|HeapHugePages|HeapRunVisitor")
        .raw_line("use super::declared::{Heap, HeapFreedRuns, HeapHugePages, HeapInvalidFree, HeapPageLayer, HeapPreset, HeapRunVisitor};")
        .newtype_enum("HeapStatus|HeapRunKind")
        .generate()
        .expect("clang understands the header");
    let text = bindings.to_string();
    let folder = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    std::fs::write(folder.join("functions.rs"), imports(&text)).expect("the list of functions can be written");
    std::fs::write(folder.join("bindings.rs"), text).expect("the bindings can be written");
}

/// Rust that compiles if every function of the header is declared.
fn imports(bindings: &str) -> String {
    let after = bindings.split("pub fn ").skip(1);
    let names: Vec<&str> = after.map(|text| text.split('(').next().expect("a function has a name")).collect();
    assert!(!names.is_empty(), "the header declares no function");
    format!("use super::declared::{{{}}};", names.join(", "))
}
