//! A catalog grown to a number of products, to measure search at a size that no public catalog has.
//!
//! ```text
//! cargo run --release -p touchstone-eval --example grow_catalog -- CATALOG.jsonl 1000000 OUT.jsonl
//! ```
//!
//! Every record stays as it is. Then its products come again and again under ids of their own, each title with a letter and the number of
//! the copy behind it ("k22623"), without GTINs, part numbers or photos, until there are enough. The same input gives the same output.
#![expect(clippy::print_stderr, reason = "an example says what it did")]

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};

use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, n, out] = arguments.as_slice() else {
        return Err("usage: grow_catalog CATALOG.jsonl PRODUCTS OUT.jsonl".into());
    };
    let wanted: usize = n.parse()?;
    let mut out = BufWriter::new(File::create_new(out)?);
    let mut products: Vec<Value> = Vec::new();
    for line in fs::read_to_string(from)?.lines().filter(|line| !line.trim().is_empty()) {
        writeln!(out, "{line}")?;
        let record: Value = serde_json::from_str(line)?;
        if record["kind"] == "product" {
            products.push(record);
        }
    }
    if products.is_empty() {
        return Err(format!("{from} has no product to copy").into());
    }
    for copy in products.len()..wanted {
        let mut product = products[copy % products.len()].clone();
        let (title, id) = (
            product["title"].as_str().unwrap_or_default(),
            product["product_id"].as_str().unwrap_or_default(),
        );
        let letter = char::from(b'a' + (copy % 26) as u8);
        (product["title"], product["product_id"]) =
            (format!("{title} {letter}{copy}").into(), format!("{id}~{copy}").into());
        for key in ["gtins", "mpn", "images"] {
            product.as_object_mut().ok_or("a record is no object")?.remove(key);
        }
        writeln!(out, "{product}")?;
    }
    out.flush()?;
    eprintln!("{} products", wanted.max(products.len()));
    Ok(())
}
