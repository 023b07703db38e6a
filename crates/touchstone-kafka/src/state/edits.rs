//! What an edit changed of a listing, as far as the evidence before or after it speaks of it.

use touchstone_types::{Edit, Evidence, Field, Listing, Verdict};

/// How much of a text is kept.
const MAX_CHARS: usize = 200;

/// How many fields are named at most: attributes have no end.
const MAX_EDITS: usize = 16;

/// The fields that differ between two versions of a listing and of which evidence of one of the verdicts speaks, in the order
/// of the `listings` form.
pub(crate) fn edits(before: (&Listing, &Verdict), after: (&Listing, &Verdict)) -> Vec<Edit> {
    let (old, new) = (Fields(before.0), Fields(after.0));
    let evidence = || before.1.evidence.iter().chain(&after.1.evidence);
    let mut edits = Vec::new();
    for name in names(before.0, after.0) {
        let (was, is) = (old.get(&name), new.get(&name));
        if edits.len() < MAX_EDITS && was != is && evidence().any(|e| speaks_of(e, &name)) {
            edits.push(Edit { field: name, before: was.map(clipped), after: is.map(clipped) });
        }
    }
    edits
}

/// The fields that a verdict may stand on.
fn names(before: &Listing, after: &Listing) -> Vec<String> {
    const PLAIN: [&str; 13] = [
        "title",
        "description",
        "brand",
        "category",
        "gtin",
        "mpn",
        "condition",
        "pack_size",
        "price",
        "images",
        "seller.seller_id",
        "seller.name",
        "seller.country",
    ];
    let attributes: std::collections::BTreeSet<&String> =
        before.attributes.keys().chain(after.attributes.keys()).collect();
    let attributes = attributes.into_iter().map(|key| format!("attributes.{key}"));
    PLAIN.into_iter().map(str::to_owned).chain(attributes).chain(["complaints".to_owned()]).collect()
}

struct Fields<'a>(&'a Listing);

impl Fields<'_> {
    fn get(&self, name: &str) -> Option<String> {
        let Self(listing) = self;
        match name {
            "title" => Some(listing.title.clone()),
            "description" => listing.description.clone(),
            "brand" => listing.brand.clone(),
            "category" => listing.category.clone(),
            "gtin" => listing.gtin.clone(),
            "mpn" => listing.mpn.clone(),
            "condition" => listing.condition.map(|condition| condition.to_string()),
            "pack_size" => listing.pack_size.map(|n| n.to_string()),
            "price" => listing.price.map(|price| price.to_string()),
            "images" => images(listing),
            "seller.seller_id" => Some(listing.seller.seller_id.to_string()),
            "seller.name" => listing.seller.name.clone(),
            "seller.country" => listing.seller.country.clone(),
            "complaints" => some(listing.signals.complaints.join(" / ")),
            _ => name.strip_prefix("attributes.").and_then(|key| listing.attributes.get(key).cloned()),
        }
    }
}

/// The photos by their hash, or by their address where they were not seen.
fn images(listing: &Listing) -> Option<String> {
    let name = |image: &touchstone_types::ListingImage| image.sha256.clone().or_else(|| image.url.clone());
    let names: Vec<String> = listing.images.iter().filter_map(name).collect();
    some(names.join(" "))
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn clipped(text: String) -> String {
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Whether a finding was made in this field, or is computed from it.
fn speaks_of(evidence: &Evidence, name: &str) -> bool {
    let in_field = |field: &Field| match field {
        Field::Complaint(_) => name == "complaints",
        field => field.to_string() == name,
    };
    match evidence {
        Evidence::BrandClaim(e) => in_field(&e.field),
        Evidence::Term(e) => in_field(&e.field),
        Evidence::ProductMatch(e) => {
            let facts = e.agree.iter().chain(&e.differ);
            name == "title" || facts.into_iter().any(|fact| fact == name)
        }
        Evidence::PhotoMatch(_) => name == "images",
        Evidence::UnitPrice(_) => matches!(name, "price" | "pack_size" | "title"),
        Evidence::SellerAuthorisation(_) => name.starts_with("seller."),
        Evidence::Contradiction(e) => e.field == name || in_field(&e.against),
        Evidence::Edit(_) | Evidence::PhotoUnreachable(_) | Evidence::Contribution(_) => false,
    }
}
