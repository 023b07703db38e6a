//! The second look: how well a reference fits where it was laid over a photo.

use touchstone_types::HammingDistance;

use crate::align::{Pose, Target, Tone, channels_of};
use crate::closer::Closer;
use crate::detail::Detail;
use crate::layout::{CELLS, COLOUR_CELLS, Canvas, Cells, Layout, N_CELLS, correlation, fine_structure};

/// A cell agrees if its luma is so near to what the reference says.
pub(crate) const AGREES: f32 = 14.0;

/// A cell as far off as this has something else on it.
const COVERED: f32 = 30.0;

/// Where the luma agrees and the chroma is so far off, the picture shows another colour of the same thing.
const OTHER_COLOUR: f32 = 32.0;

/// So much of a change of tone, for each grey value of it, may be wrong.
const TONE_SLACK: f32 = 0.2;

/// Fine structure below this many grey values says nothing.
const STRUCTURE: f32 = 4.0;

/// Names of the measures, in the order of [`Measures`].
///
/// | name | meaning | range |
/// |---|---|---|
/// | `fine` | −ln(1 − correlation) of fine structure over the cells that agree | 0 to 7.6 |
/// | `fine_all` | the same over all cells inside the photo | 0 to 7.6 |
/// | `whole` | the same of the luma itself, over all cells | 0 to 7.6 |
/// | `agreeing` | share of cells whose luma agrees within 14 of 255 | 0 to 1 |
/// | `sharp` | of agreeing cells with structure, the share whose structure agrees | 0 to 1 |
/// | `exact` | the same with their luma within 5 | 0 to 1 |
/// | `tone` | by how much the photo is brighter or darker, in tens of grey values | 0 to 6 |
/// | `gain` | by how much its contrast is larger or smaller: absolute logarithm | 0 to 1.2 |
/// | `colour` | mean difference of chroma over agreeing cells, grey values | 0 to 10 |
/// | `colour_most` | largest difference of chroma, in tens of grey values | 0 to 6 |
/// | `grey` | 1 for a grey copy of a coloured reference: the differences of colour are then 0 | 0 or 1 |
/// | `stretch` | ten times the logarithm of the change of aspect ratio, absolute | 0 to 5 |
/// | `area` | share of the reference inside the photo | 0 to 1 |
/// | `texture` | ln of the strength of the reference's fine structure, grey values | −0.7 to 4.9 |
/// | `structured` | ln of one more than the number of agreeing cells with structure | 0 to 6.4 |
/// | `votes` | ln of one more than the number of windows that agree; 0 for small photos | 0 to 3.6 |
/// | `hash` | by how many bits, in sixteens, the whole-picture hashes are nearer than 64 | 0 to 4 |
/// | `small` | 1 for a photo too small for windows to be counted | 0 or 1 |
/// | `denied` | of the windows seen at their place in the photo, the share that look unlike; 0 where none is seen | 0 to 1 |
/// | `unlike` | mean number of bits, in sixteens, in which windows at their place differ; 1 where none is seen | 0 to 8 |
pub const MEASURES: [&str; N_MEASURES] = [
    "fine",
    "fine_all",
    "whole",
    "agreeing",
    "sharp",
    "exact",
    "tone",
    "gain",
    "colour",
    "colour_most",
    "grey",
    "stretch",
    "area",
    "texture",
    "structured",
    "votes",
    "hash",
    "small",
    "denied",
    "unlike",
];

pub(crate) const N_MEASURES: usize = 20;

/// Where `colour` stands among the [`Measures`].
pub(crate) const COLOUR: usize = 8;

/// What the second look measures of one reference laid over one photo; see [`MEASURES`].
pub type Measures = [f32; N_MEASURES];

/// A reference laid over a photo.
#[derive(Debug, Clone)]
pub(crate) struct Fit {
    pub(crate) measures: Measures,
    /// Share of the cells inside the photo that have something else on them.
    pub(crate) covered: f32,
    /// How many cells with structure fit exactly: of two places of one reference the better has more.
    pub(crate) n_exact: usize,
}

/// The measures that [`Fit::with`] fills in.
const CLOSER: std::ops::Range<usize> = N_MEASURES - 2..N_MEASURES;

/// What is known of the two pictures beside what lies under the cells.
pub(crate) struct Setting<'a> {
    /// What is kept of the reference.
    pub(crate) detail: &'a Detail,
    /// Windows that agree on the place.
    pub(crate) votes: usize,
    /// How far apart the hashes of the whole pictures are.
    pub(crate) distance: HammingDistance,
    /// Whether the photo is too small for windows to be found.
    pub(crate) is_small: bool,
}

impl Fit {
    /// Looks at the reference at its place, but not closer. `None` if too little of it lies in the photo, or there is too little in
    /// common to tell.
    pub(crate) fn of(
        target: &Target<'_>,
        canvas: &Canvas,
        pose: &Pose,
        setting: &Setting<'_>,
    ) -> Option<Self> {
        let luma = &target.luma;
        let (across, down) = pose.sides();
        let stretch = ln(across / down.max(1e-6) / setting.detail.aspect()).abs();
        if stretch.is_nan() || stretch >= 0.5 {
            return None;
        }
        let under = pose.under(canvas);
        let n_inside = under.n_inside();
        let area = n_inside as f32 / N_CELLS as f32;
        if area < 0.2 {
            return None;
        }
        let tone = Tone::found(luma, target, &under);
        let expected = tone.expected(luma, target);
        // Where the photo is much brighter or darker, what was cut off within a cell makes its mean less sure.
        let off = |k: usize| {
            let change = (expected[k] - luma[k]).abs();
            ((under.luma[k] - expected[k]).abs() - TONE_SLACK * change).max(0.0)
        };
        let inside = &*under.inside;
        let agrees: [bool; N_CELLS] = std::array::from_fn(|k| inside[k] && off(k) < AGREES);
        let agreeing: Vec<usize> = (0..N_CELLS).filter(|&k| agrees[k]).collect();
        let n_agreeing = agreeing.len() as f32;
        if n_agreeing < 0.5 * n_inside as f32 {
            return None;
        }
        let over_agreeing = |value: &dyn Fn(usize) -> f32| {
            agreeing.iter().map(|&k| value(k)).sum::<f32>() / n_agreeing.max(1.0)
        };
        let fine_of =
            |known: &[bool; N_CELLS]| (fine_structure(&expected, known), fine_structure(&under.luma, known));
        let correlated = |a: &Cells, b: &Cells, known: &[bool; N_CELLS]| {
            correlation((0..N_CELLS).filter(|&k| known[k]).map(|k| (a[k], b[k])))
        };
        let (reference, photo) = fine_of(&agrees);
        let fine = correlated(&reference, &photo, &agrees);
        let structured: Vec<usize> =
            agreeing.iter().copied().filter(|&k| reference[k].abs() >= STRUCTURE).collect();
        if fine < 0.85 || structured.len() < 8 {
            return None;
        }
        let colours = Colours::of(target, canvas, pose, tone, &agrees);
        if !colours.is_grey_copy && colours.most >= OTHER_COLOUR {
            return None;
        }
        let (reference_all, photo_all) = fine_of(inside);
        let is_sharp = |k: usize| (reference[k] - photo[k]).abs() < 0.25 * reference[k].abs() + 1.0;
        let share = |holds: &dyn Fn(usize) -> bool| {
            structured.iter().filter(|&&k| holds(k)).count() as f32 / structured.len().max(1) as f32
        };
        let texture = over_agreeing(&|k| reference[k] * reference[k]).sqrt();
        let not_closer = Closer::default();
        let measures = [
            surprise(fine),
            surprise(correlated(&reference_all, &photo_all, inside)),
            surprise(correlated(&expected, &under.luma, inside)),
            n_agreeing / n_inside as f32,
            share(&is_sharp),
            share(&|k| is_sharp(k) && off(k) < 5.0),
            over_agreeing(&|k| (expected[k] - luma[k]).abs()).min(60.0) / 10.0,
            ln(tone.gain.clamp(0.3, 3.0)).abs(),
            if colours.is_grey_copy { 0.0 } else { colours.mean.min(10.0) },
            if colours.is_grey_copy { 0.0 } else { colours.most.min(60.0) / 10.0 },
            f32::from(u8::from(colours.is_grey_copy)),
            (10.0 * stretch).min(5.0),
            area,
            ln(texture + 0.5),
            ln(structured.len() as f32 + 1.0),
            if setting.is_small { 0.0 } else { ln(setting.votes as f32 + 1.0) },
            (64.0 - f32::from(setting.distance.bits())).max(0.0) / 16.0,
            f32::from(u8::from(setting.is_small)),
            not_closer.denied(),
            not_closer.unlike(),
        ];
        let covered =
            (0..N_CELLS).filter(|&k| inside[k] && off(k) > COVERED).count() as f32 / n_inside as f32;
        let n_exact = structured.iter().filter(|&&k| is_sharp(k) && off(k) < 5.0).count();
        Some(Self { measures, covered, n_exact })
    }

    /// The fit after a closer look.
    pub(crate) fn with(mut self, closer: &Closer) -> Self {
        self.measures[CLOSER].copy_from_slice(&[closer.denied(), closer.unlike()]);
        self
    }
}

/// −ln of what is missing to a perfect correlation.
fn surprise(correlation: f32) -> f32 {
    -ln(1.0005 - correlation.clamp(0.0, 1.0))
}

fn ln(x: f32) -> f32 {
    libm::log(f64::from(x)) as f32
}

/// How far the colours under a reference are from its own: of its colour cells that lie in the photo, the one that a quarter is further off
/// than, in grey values of both chromas together. Shades of one design differ in little else. Much cheaper than a second look.
pub(crate) fn off_colour(layout: &Layout, canvas: &Canvas, pose: &Pose) -> f32 {
    let middle = |cell: usize| (cell as f32 + 0.5) / COLOUR_CELLS as f32;
    let cells = (0..COLOUR_CELLS * COLOUR_CELLS).filter_map(|cell| {
        let (x, y) = pose.apply(middle(cell % COLOUR_CELLS), middle(cell / COLOUR_CELLS));
        let ((wanted_blue, wanted_red), (blue, red)) = (layout.colour(cell), canvas.colour(x, y));
        canvas.holds(x, y).then(|| (blue - wanted_blue).abs() + (red - wanted_red).abs())
    });
    let mut off: Vec<f32> = cells.collect();
    // Of a reference that lies mostly outside, a cell or two may agree by chance; it would be refused for its area.
    if off.len() * 5 < COLOUR_CELLS * COLOUR_CELLS {
        return f32::INFINITY;
    }
    off.sort_unstable_by(f32::total_cmp);
    // Not the middle one: half of a picture is often white ground, which all shades have in common.
    off.get(off.len() * 3 / 4).copied().unwrap_or(f32::INFINITY)
}

/// How the colours differ where the luma agrees.
struct Colours {
    mean: f32,
    most: f32,
    is_grey_copy: bool,
}

/// A cell of colour where the luma agrees: chromas from 0, luma 0 to 255.
struct ColourCell {
    /// The reference's own.
    wanted: (f32, f32),
    /// The reference's, toned like the photo.
    toned: (f32, f32),
    toned_luma: f32,
    /// The photo's.
    found: (f32, f32),
    /// How much of a difference the tone explains.
    change: f32,
}

impl ColourCell {
    /// White, grey, or nearly so, and bright enough to show a cast.
    fn is_neutral(&self) -> bool {
        self.wanted.0.abs() + self.wanted.1.abs() < 6.0 && self.toned_luma > 100.0
    }
}

impl Colours {
    fn of(target: &Target<'_>, canvas: &Canvas, pose: &Pose, tone: Tone, agrees: &[bool; N_CELLS]) -> Self {
        let cells = colour_cells(target, canvas, pose, tone, agrees);
        let cast = cast(&cells);
        let (mut sum, mut most) = (0.0_f32, 0.0_f32);
        let (mut of_reference, mut of_photo) = (0.0_f32, 0.0_f32);
        for cell in &cells {
            let blue = cell.found.0 - cast.0 * cell.toned_luma;
            let red = cell.found.1 - cast.1 * cell.toned_luma;
            let difference = (blue - cell.toned.0).abs() + (red - cell.toned.1).abs();
            let difference = (difference - cell.change).max(0.0);
            sum += difference;
            most = most.max(difference);
            of_reference += cell.wanted.0.abs() + cell.wanted.1.abs();
            of_photo += blue.abs() + red.abs();
        }
        let n = (cells.len() as f32).max(1.0);
        // A grey file decodes to grey values; JPEG leaves a trace of colour, and a tint leaves what its cast does not explain.
        let trace = if cast == (0.0, 0.0) { 0.8 } else { 3.0 };
        let is_grey_copy = of_photo / n < trace && of_reference / n > 1.0;
        Self { mean: sum / n, most, is_grey_copy }
    }
}

/// The cells of colour that lie wholly where the luma agrees.
fn colour_cells(
    target: &Target<'_>,
    canvas: &Canvas,
    pose: &Pose,
    tone: Tone,
    agrees: &[bool; N_CELLS],
) -> Vec<ColourCell> {
    /// Cells of luma along a cell of colour.
    const STEP: usize = CELLS / COLOUR_CELLS;
    let chroma = |value: f32| value - 128.0;
    let cell = |cell: usize| {
        let (column, row) = (cell % COLOUR_CELLS * STEP, cell / COLOUR_CELLS * STEP);
        let (mut blue, mut red, mut luma) = (0.0, 0.0, 0.0);
        for y in row..row + STEP {
            for x in column..column + STEP {
                if !agrees[y * CELLS + x] {
                    return None;
                }
                let middle = |cell: usize| (cell as f32 + 0.5) / CELLS as f32;
                let (u, v) = pose.apply(middle(x), middle(y));
                let (b, r) = canvas.colour(u, v);
                (blue, red) = (blue + b, red + r);
                luma += target.luma[y * CELLS + x];
            }
        }
        let per_sample = 1.0 / (STEP * STEP) as f32;
        let (wanted_blue, wanted_red) = target.layout.colour(cell);
        let [r, g, b] = tone.channels(luma * per_sample, channels_of(wanted_blue, wanted_red));
        let toned_luma = 0.299 * r + 0.587 * g + 0.114 * b;
        let (toned_blue, toned_red) = (0.564 * (b - toned_luma), 0.713 * (r - toned_luma));
        let change = (toned_blue - chroma(wanted_blue)).abs() + (toned_red - chroma(wanted_red)).abs();
        Some(ColourCell {
            wanted: (chroma(wanted_blue), chroma(wanted_red)),
            toned: (toned_blue, toned_red),
            toned_luma,
            found: (chroma(blue * per_sample), chroma(red * per_sample)),
            change: change + 0.2 * (toned_luma - luma * per_sample).abs(),
        })
    };
    (0..COLOUR_CELLS * COLOUR_CELLS).filter_map(cell).collect()
}

/// The colour cast of the photo: what its chromas have for each unit of luma where the reference is white or grey, as after a filter or
/// under a warm lamp. No cast is told from few such cells, and none that is slight: colours differ a little anyway. Where the whole
/// picture has one colour, a cast cannot be told from another shade of the same thing, and is not taken for one.
fn cast(cells: &[ColourCell]) -> (f32, f32) {
    const MIN_CELLS: usize = 8;
    /// In grey values of both chromas on white.
    const MIN_CAST: f32 = 16.0;
    let neutral = || cells.iter().filter(|cell| cell.is_neutral());
    let middle = |part: fn(&ColourCell) -> f32| {
        let mut shares: Vec<f32> = neutral().map(|cell| part(cell) / cell.toned_luma).collect();
        shares.sort_unstable_by(f32::total_cmp);
        shares.get(shares.len() / 2).copied().unwrap_or(0.0)
    };
    let found = (middle(|cell| cell.found.0), middle(|cell| cell.found.1));
    let is_cast = neutral().count() >= MIN_CELLS && (found.0.abs() + found.1.abs()) * 255.0 >= MIN_CAST;
    if is_cast { found } else { (0.0, 0.0) }
}
