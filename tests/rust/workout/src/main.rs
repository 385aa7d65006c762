//! Documents, searches, maps of a million entries, and threads. What it prints depends on neither the allocator nor the order of threads.

use hashbrown::HashMap;
use rayon::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};

#[cfg(feature = "slabheap")]
#[global_allocator]
static HEAP: slabheap::GlobalHeap = slabheap::GlobalHeap::mapped(64 << 30);

const ENTRIES: u64 = 1_000_000;
const RECORDS: u64 = 60_000;

/// A random number that a number stands for (the finaliser of splitmix64).
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A sum over bytes that is the same on every machine (FNV-1a).
struct Sum(u64);

impl Hasher for Sum {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }
}

#[derive(Clone, Default)]
struct SumBuilder;

impl BuildHasher for SumBuilder {
    type Hasher = Sum;

    fn build_hasher(&self) -> Sum {
        Sum(0xCBF2_9CE4_8422_2325)
    }
}

fn sum_of(text: &str) -> u64 {
    let mut sum = SumBuilder.build_hasher();
    sum.write(text.as_bytes());
    sum.finish()
}

fn record(number: u64) -> Value {
    let words: Vec<String> =
        (0..mixed(number) % 12).map(|word| format!("{:x}", mixed(number * 31 + word) >> (word * 5))).collect();
    json!({
        "id": number,
        "name": format!("record {} of {}", number, words.join("-")),
        "tags": words,
        "place": { "x": mixed(number) as u32, "y": [number, number / 2, null, true] },
    })
}

/// A large document, written, read, changed and written again.
fn documents() -> u64 {
    let document = Value::Array((0..RECORDS).map(record).collect());
    let text = document.to_string();
    let mut read: Value = serde_json::from_str(&text).expect("what was written can be read");
    assert_eq!(read, document);
    drop(document);
    for record in read.as_array_mut().expect("it is an array").iter_mut().step_by(3) {
        record["tags"] = Value::Null;
        record["name"] = json!([record["name"].take(), record["id"]]);
    }
    sum_of(&serde_json::to_string_pretty(&read).expect("a value can be written"))
}

/// Many patterns, searched in one text.
fn searches() -> usize {
    let text: String = (0..200_000u64).map(|number| format!("{:x} ", mixed(number))).collect();
    let patterns = [r"\b[0-9]+\b", r"(?i)(dead|beef|f00d)", r"(\w)(\w)\d{3,5}[a-f]{2}", r"[^ ]*a+b+[^ ]*", r"(?:0[1-9a]){2}"];
    let found = patterns.par_iter().map(|pattern| {
        let pattern = regex::Regex::new(pattern).expect("it is a pattern");
        pattern.captures_iter(&text).map(|found| found[0].len()).sum::<usize>() + pattern.replace_all(&text, "<$0>").len()
    });
    found.sum()
}

/// A million entries in each kind of map; half are removed, in another order.
fn maps() -> u64 {
    let mut tree = BTreeMap::new();
    let mut table = HashMap::with_hasher(SumBuilder);
    for number in 0..ENTRIES {
        let key = mixed(number);
        tree.insert(key, format!("{number}"));
        table.insert(format!("{key:x}"), vec![number; (key % 9) as usize]);
    }
    for number in (0..ENTRIES).rev().step_by(2) {
        let key = mixed(number);
        assert_eq!(tree.remove(&key), Some(format!("{number}")));
        assert_eq!(table.remove(&format!("{key:x}")).map(|list| list.len() as u64), Some(key % 9));
    }
    let in_tree = tree.iter().fold(0u64, |sum, (key, text)| sum.rotate_left(1) ^ key ^ sum_of(text));
    let in_table = table.iter().fold(0u64, |sum, (key, list)| sum ^ sum_of(key).wrapping_mul(1 + list.iter().sum::<u64>()));
    in_tree ^ in_table ^ (tree.len() + table.len()) as u64
}

/// Blocks that one thread allocates and another frees, in every thread at once.
fn threads() -> usize {
    let (sender, receiver) = std::sync::mpsc::channel::<Vec<String>>();
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let sender = sender.clone();
            scope.spawn(move || {
                for round in 0..2_000 {
                    let list = (0..mixed(thread << 32 | round) % 40)
                        .map(|item| "x".repeat((mixed(item + round) % 700) as usize))
                        .collect();
                    sender.send(list).expect("somebody receives");
                }
            });
        }
        drop(sender);
        receiver.iter().map(|list| list.iter().map(String::len).sum::<usize>()).sum()
    })
}

fn main() {
    println!("documents {:016x}", documents());
    println!("searches {}", searches());
    println!("maps {:016x}", maps());
    println!("threads {}", threads());
    let sorted: Vec<u64> = {
        let mut numbers: Vec<u64> = (0..ENTRIES).into_par_iter().map(mixed).collect();
        numbers.par_sort_unstable();
        numbers
    };
    println!("sorted {:016x}", sorted.iter().step_by(1001).fold(0u64, |sum, number| sum.rotate_left(7) ^ number));
    #[cfg(feature = "slabheap")]
    {
        HEAP.check().expect("every invariant holds");
        let stats = HEAP.stats();
        assert_eq!(stats.rejected_frees, 0);
        eprintln!("on slabheap: {} allocations, at most {} bytes of pages at once", stats.allocations, stats.peak_page_bytes);
    }
}
