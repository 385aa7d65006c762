//! Builds the C++ sources, which need neither a C++ runtime nor, without the feature `os`, an operating system.
//!
//! With the environment variable SLABHEAP_LIB_DIR set to a folder that holds an installed libslabheap.a, links that instead.

use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-env-changed=SLABHEAP_LIB_DIR");
    println!("cargo:rerun-if-env-changed=DOCS_RS");
    if let Ok(folder) = std::env::var("SLABHEAP_LIB_DIR") {
        println!("cargo:rustc-link-search=native={folder}");
        println!("cargo:rustc-link-lib=static=slabheap");
        return;
    }
    if std::env::var_os("DOCS_RS").is_some() {
        return; // documentation needs no library
    }
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    for folder in ["core/include", "core/src", "capi/include", "capi/src"] {
        println!("cargo:rerun-if-changed={}", root.join(folder).display());
    }
    let version = std::env::var("CARGO_PKG_VERSION").expect("cargo sets it");
    cc::Build::new()
        .cpp(true)
        .cpp_link_stdlib(None)
        .std("c++20")
        .define("SLABHEAP_VERSION", format!("\"{version}\"").as_str())
        .include(root.join("core/include"))
        .include(root.join("capi/include"))
        .flags(["-ffreestanding", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics", "-fvisibility=hidden"])
        .files(sources(&root.join("core/src")))
        .files(sources(&root.join("capi/src")).into_iter().filter(|file| is_wanted(file)))
        .compile("slabheap");
}

/// The C++ sources in a folder, in a fixed order.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a folder can be read on").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cpp"))
        .collect();
    files.sort();
    files
}

/// One of os_posix.cpp and os_none.cpp.
fn is_wanted(file: &Path) -> bool {
    let has_os = std::env::var_os("CARGO_FEATURE_OS").is_some();
    let unwanted = if has_os { "os_none.cpp" } else { "os_posix.cpp" };
    !file.ends_with(unwanted)
}
