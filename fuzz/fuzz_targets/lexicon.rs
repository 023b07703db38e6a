//! Any text as a lexicon file: an error that names the file, or a lexicon that reads a title.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use touchstone_text::{Lexicon, TextIndex, analyse};
use touchstone_types::Listing;

fuzz_target!(|text: &str| {
    match Lexicon::parse(&[("any.toml", text)]) {
        Err(error) => assert!(error.to_string().contains("any.toml")),
        Ok(lexicon) => {
            let index = TextIndex::build(&Arc::new(lexicon), std::iter::empty(), std::iter::empty());
            let listing = br#"{"listing_id":"EX-1","title":"Kit 2 Lumora used, not for Veltrano","seller":{"seller_id":"S-1"}}"#;
            let listing = Listing::from_json(listing).expect("it has every field that must be there");
            analyse(&index, &listing);
        }
    }
});
