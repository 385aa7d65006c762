//! The C header is, byte for byte, what cbindgen prints from the declarations.

use std::path::{Path, PathBuf};

/// Cargo says where the crate lies; so may whoever wants to have a copy of it compared.
fn crate_folder() -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"))
}

fn printed_from(declarations: &Path, config: &Path) -> String {
    let config = cbindgen::Config::from_file(config).expect("cbindgen.toml is well-formed");
    let bindings = cbindgen::Builder::new().with_src(declarations).with_config(config).generate();
    let mut text = Vec::new();
    bindings.expect("cbindgen understands the declarations").write(&mut text);
    String::from_utf8(text).expect("a header is text")
}

/// The first line in which two texts differ, for people.
fn first_difference(header: &str, printed: &str) -> String {
    let same = header.lines().zip(printed.lines()).take_while(|(old, new)| old == new).count();
    let line = |text: &str| text.lines().nth(same).unwrap_or("(the end)").to_owned();
    format!("line {}:\nthe header says {:?}\ncbindgen prints {:?}", same + 1, line(header), line(printed))
}

#[test]
fn the_header_is_what_cbindgen_prints_from_the_declarations() {
    let folder = crate_folder();
    let path = folder.join("capi/include/slabheap/slabheap.h");
    let printed = printed_from(&folder.join("src/lib.rs"), &folder.join("cbindgen.toml"));
    if std::env::var_os("SLABHEAP_BLESS").is_some() {
        std::fs::write(&path, &printed).expect("the header can be written");
    }
    let header = std::fs::read_to_string(&path).expect("the header can be read");
    assert!(header == printed, "{}\nSLABHEAP_BLESS=1 rewrites the header.", first_difference(&header, &printed));
}
