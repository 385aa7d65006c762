//! Every function twice in one crate, once as declared and once as bindgen reads it in the C header. The compiler compares the two
//! signatures, down to the fields of the structs that they name, and bindgen's assertions hold its own structs to clang's layout.
#![deny(clashing_extern_declarations)]

#[allow(unused_attributes, reason = "some are meant for a crate")]
#[path = "../../../../rust/slabheap-sys/src/lib.rs"]
pub mod declared;

#[allow(missing_docs, non_camel_case_types, non_upper_case_globals, dead_code)]
pub mod read {
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}

/// No function takes a run but through a callback, so these stand in for one.
#[allow(dead_code)]
mod runs {
    mod declared {
        unsafe extern "C" {
            pub safe fn heap_run(run: *const crate::declared::HeapRun);
        }
    }
    mod read {
        unsafe extern "C" {
            pub safe fn heap_run(run: *const crate::read::HeapRun);
        }
    }
}

#[allow(unused_imports)]
mod every_function {
    include!(concat!(env!("OUT_DIR"), "/functions.rs"));
}
