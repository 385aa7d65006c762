//! Builds the C++ sources, which need neither a C++ runtime nor, without the feature `os`, an operating system; or links an installed
//! library, if the environment says so. The README has the variables.

use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-env-changed=SLABHEAP_SYSTEM");
    println!("cargo:rerun-if-env-changed=DOCS_RS");
    if std::env::var_os("DOCS_RS").is_some() {
        return; // documentation needs no library
    }
    if std::env::var_os("SLABHEAP_SYSTEM").is_some() {
        link_installed();
    } else {
        build_sources(&PathBuf::from(variable("CARGO_MANIFEST_DIR")));
    }
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|error| panic!("cargo sets {name}: {error}"))
}

/// Dependents' build scripts read DEP_SLABHEAP_INCLUDE.
fn tell_include(folder: &Path) {
    println!("cargo:include={}", folder.display());
}

fn link_installed() {
    let wanted = variable("CARGO_PKG_VERSION");
    let library = pkg_config::Config::new().atleast_version(&wanted).probe("slabheap");
    let library = library.unwrap_or_else(|error| panic!("SLABHEAP_SYSTEM is set, but there is no slabheap to link:\n{error}"));
    library.include_paths.iter().for_each(|folder| tell_include(folder));
}

fn build_sources(root: &Path) {
    for folder in ["core/include", "core/src", "capi/include", "capi/src"] {
        println!("cargo:rerun-if-changed={}", root.join(folder).display());
    }
    cc::Build::new()
        .cpp(true)
        .cpp_link_stdlib(None)
        .std("c++20")
        .define("SLABHEAP_VERSION", format!("\"{}\"", variable("CARGO_PKG_VERSION")).as_str())
        .include(root.join("core/include"))
        .include(root.join("capi/include"))
        .flags(["-ffreestanding", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics", "-fvisibility=hidden"])
        .files(sources(&root.join("core/src")))
        .files(sources(&root.join("capi/src")).into_iter().filter(|file| is_wanted(file)))
        .compile("slabheap");
    tell_include(&root.join("capi/include"));
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
