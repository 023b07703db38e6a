//! What an edit changed of a listing, as far as the evidence before or after it speaks of it.

use touchstone_types::{Edit, Evidence, Field, Listing, Reason, Verdict};

/// How much of a text is kept.
const MAX_CHARS: usize = 200;

/// How many fields are named at most: attributes have no end.
const MAX_EDITS: usize = 16;

/// The fields that differ between two versions of a listing and of which evidence of one of the verdicts speaks, in the order
/// of the `listings` form.
pub(crate) fn edits(before: (&Listing, &Verdict), after: (&Listing, &Verdict)) -> Vec<Edit> {
    let by_hash =
        [before.0, after.0].iter().all(|listing| listing.images.iter().all(|image| image.sha256.is_some()));
    let (old, new) = (Fields { listing: before.0, by_hash }, Fields { listing: after.0, by_hash });
    let evidence = || before.1.evidence.iter().chain(&after.1.evidence);
    let reasons = || before.1.reasons.iter().chain(&after.1.reasons);
    let matters =
        |name: &str| evidence().any(|e| speaks_of(e, name)) || reasons().any(|r| stands_on(*r, name));
    let mut edits = Vec::new();
    for name in names(before.0, after.0) {
        let (was, is) = (old.get(&name), new.get(&name));
        if edits.len() < MAX_EDITS && was != is && matters(&name) {
            edits.push(Edit {
                field: clipped(&name),
                before: was.as_deref().map(clipped),
                after: is.as_deref().map(clipped),
            });
        }
    }
    edits
}

/// The fields that a verdict may stand on.
fn names(before: &Listing, after: &Listing) -> Vec<String> {
    const PLAIN: [&str; 19] = [
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
        "seller.created_at",
        "seller.prior_takedowns",
        "seller.rating_count",
        "seller.sales_count",
        "signals.rating_counts",
        "signals.fake_return_count",
    ];
    let attributes: std::collections::BTreeSet<&String> =
        before.attributes.keys().chain(after.attributes.keys()).collect();
    let attributes = attributes.into_iter().map(|key| format!("attributes.{key}"));
    PLAIN.into_iter().map(str::to_owned).chain(attributes).chain(["complaints".to_owned()]).collect()
}

struct Fields<'a> {
    listing: &'a Listing,
    /// The photos of both listings were seen, so that they are named by their hashes.
    by_hash: bool,
}

impl Fields<'_> {
    fn get(&self, name: &str) -> Option<String> {
        let Self { listing, by_hash } = self;
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
            "images" => images(listing, *by_hash),
            "seller.seller_id" => Some(listing.seller.seller_id.to_string()),
            "seller.name" => listing.seller.name.clone(),
            "seller.country" => listing.seller.country.clone(),
            "seller.created_at" => listing.seller.created_at.map(|time| time.to_string()),
            "seller.prior_takedowns" => listing.seller.prior_takedowns.map(|n| n.to_string()),
            "seller.rating_count" => listing.seller.rating_count.map(|n| n.to_string()),
            "seller.sales_count" => listing.seller.sales_count.map(|n| n.to_string()),
            "signals.rating_counts" => listing.signals.rating_counts.map(|counts| format!("{counts:?}")),
            "signals.fake_return_count" => listing.signals.fake_return_count.map(|n| n.to_string()),
            "complaints" => some(listing.signals.complaints.join(" / ")),
            _ => name.strip_prefix("attributes.").and_then(|key| listing.attributes.get(key).cloned()),
        }
    }
}

/// The photos by their hashes, or else by their addresses: those of one version may not have been seen.
fn images(listing: &Listing, by_hash: bool) -> Option<String> {
    let name = |image: &touchstone_types::ListingImage| match by_hash {
        true => image.sha256.clone(),
        false => image.url.clone(),
    };
    let names: Vec<String> = listing.images.iter().filter_map(name).collect();
    some(names.join(" "))
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// At most [`MAX_CHARS`], without control characters, which are six times as long in JSON.
fn clipped(text: &str) -> String {
    let mut chars = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut clipped: String = chars.by_ref().take(MAX_CHARS).collect();
    if chars.next().is_some() {
        clipped.push('…');
    }
    clipped
}

/// Whether a reason that has no evidence of its own is computed from this field.
fn stands_on(reason: Reason, name: &str) -> bool {
    match reason {
        Reason::GtinInvalid => name == "gtin",
        Reason::SellerIsNew => {
            matches!(name, "seller.created_at" | "seller.rating_count" | "seller.sales_count")
        }
        Reason::SellerHadTakedowns => name == "seller.prior_takedowns",
        Reason::RatingsBimodal => name == "signals.rating_counts",
        Reason::ReturnsSayFake => name == "signals.fake_return_count",
        _ => false,
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
