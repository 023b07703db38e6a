//! Photo matches in words.

use touchstone_types::{Alteration, Overlay, PhotoMatch, PhotoSearch, Transform};

/// Everything about a match that a reviewer needs to check it.
pub(crate) fn photo_match_line(found: &PhotoMatch) -> String {
    let PhotoMatch { image_idx, reference, bank, .. } = found;
    let mut line = format!("image {image_idx} shows {reference} ({bank})");
    line += &match found.score {
        Some(score) => format!(" with probability {:.3}", score.get()),
        None => " by hash alone".to_owned(),
    };
    line += &format!(": {}", alteration_words(&found.transform));
    if let Some(overlay) = &found.overlay {
        line += &format!("; it {}", shown_words(overlay));
        if found.transform.border || found.transform.collage {
            line += &format!(", {}", place_words(overlay));
        }
    }
    let (bits, quality) = (found.distance.bits(), found.quality.get());
    line += &format!("; {bits} of 256 bits differ, quality {quality}");
    if let Some(better) = &found.near_duplicate_of {
        line += &format!("; nearly the same picture as {better}, which it matches better");
    }
    line
}

/// What was done to a reference.
pub(crate) fn alteration_words(alteration: &Alteration) -> String {
    let turned = match alteration.turned {
        Transform::None => "",
        Transform::Mirror => "mirrored",
        Transform::Flip => "upside down in a mirror",
        Transform::Rotate90 => "turned left by 90°",
        Transform::Rotate180 => "turned by 180°",
        Transform::Rotate270 => "turned right by 90°",
        Transform::Transpose => "mirrored and turned left by 90°",
        Transform::Transverse => "mirrored and turned right by 90°",
    };
    let words = [
        (alteration.turned != Transform::None, turned),
        (alteration.tilt, "tilted"),
        (alteration.crop, "cropped"),
        (alteration.border, "with a border"),
        (alteration.overlay, "with something laid over it"),
        (alteration.collage, "beside other pictures"),
    ];
    let said: Vec<&str> = words.into_iter().filter(|(holds, _)| *holds).map(|(_, word)| word).collect();
    if said.is_empty() { "not altered".to_owned() } else { said.join(", ") }
}

/// The share of a reference that is shown, in percent of its area. Of a tilted one it is that of the box around what is shown.
pub(crate) fn shown_percent(overlay: &Overlay) -> f64 {
    let [left, top, right, bottom] = overlay.shown.map(f64::from);
    (right - left) * (bottom - top) / 10_000.0
}

fn shown_words(overlay: &Overlay) -> String {
    let [left, top, right, bottom] = overlay.shown.map(percent);
    if (left, top, right, bottom) == (0, 0, 100, 100) {
        return "shows the whole reference".to_owned();
    }
    let share = shown_percent(overlay);
    format!(
        "shows {share:.0} % of the reference, from {left} % to {right} % of its width and {top} % to {bottom} % of its height"
    )
}

/// Where in the listing's photo the reference lies.
fn place_words(overlay: &Overlay) -> String {
    let extent = |axis: usize| {
        let along = overlay.corners.map(|corner| corner[axis].clamp(0, 1000) as u16);
        let (first, last) = (along.into_iter().min(), along.into_iter().max());
        (percent(first.unwrap_or(0)), percent(last.unwrap_or(1000)))
    };
    let ((left, right), (top, bottom)) = (extent(0), extent(1));
    format!("at {left} % to {right} % of the photo's width and {top} % to {bottom} % of its height")
}

fn percent(thousandths: u16) -> u16 {
    (thousandths + 5) / 10
}

/// How widely photos were searched, and what that leaves out.
pub(crate) fn search_line(search: PhotoSearch) -> &'static str {
    match search {
        PhotoSearch::All => "every reference was looked for, altered copies included",
        PhotoSearch::Proposed => {
            "altered copies were looked for only of products that the text names and of photos near by hash: the catalog is too large for more"
        }
        PhotoSearch::Hash => {
            "some references of the catalog have nothing but their hash: cropped, bordered or collaged copies of them are not found"
        }
    }
}

#[cfg(test)]
mod tests {
    use touchstone_types::{Bank, HammingDistance, Probability, Quality, Reference};

    use super::*;

    fn check(found: &PhotoMatch, expected: &str) {
        assert_eq!(photo_match_line(found), expected);
    }

    #[test]
    fn a_match_says_what_was_done_and_where_the_reference_lies() {
        let mirrored = Alteration::turned(Transform::Mirror);
        let mut found = PhotoMatch {
            image_idx: 0,
            reference: Reference::parse("product/lumora/LM-20K#0").unwrap(),
            bank: Bank::Genuine,
            distance: HammingDistance::new(106).unwrap(),
            transform: Alteration { crop: true, ..mirrored },
            quality: Quality::new(100).unwrap(),
            score: Probability::new(0.9987),
            overlay: Some(Overlay {
                shown: [100, 100, 1000, 1000],
                corners: [[1000, -111], [-111, -111], [-111, 1000], [1000, 1000]],
            }),
            near_duplicate_of: Reference::parse("product/lumora/LM-20C#1"),
        };
        check(
            &found,
            "image 0 shows product/lumora/LM-20K#0 (genuine) with probability 0.999: mirrored, cropped; it shows 81 % of \
             the reference, from 10 % to 100 % of its width and 10 % to 100 % of its height; 106 of 256 bits differ, \
             quality 100; nearly the same picture as product/lumora/LM-20C#1, which it matches better",
        );
        found.near_duplicate_of = None;
        found.transform = Alteration { collage: true, ..Alteration::NONE };
        found.overlay =
            Some(Overlay { shown: [0, 2, 999, 1000], corners: [[0, 2], [500, 1], [501, 1000], [1, 1001]] });
        check(
            &found,
            "image 0 shows product/lumora/LM-20K#0 (genuine) with probability 0.999: beside other pictures; it shows the \
             whole reference, at 0 % to 50 % of the photo's width and 0 % to 100 % of its height; 106 of 256 bits differ, \
             quality 100",
        );
        found = PhotoMatch { score: None, overlay: None, transform: Alteration::NONE, ..found };
        check(
            &found,
            "image 0 shows product/lumora/LM-20K#0 (genuine) by hash alone: not altered; 106 of 256 bits differ, quality 100",
        );
    }
}
