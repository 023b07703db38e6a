//! Units after numbers, brought to one base unit for each kind.

/// The kind of a unit (from 1) and what a number in it is multiplied by.
pub(crate) fn unit(text: &[u8]) -> Option<(u8, f32)> {
    let found = match text {
        b"kb" | b"ko" => (1, 0.001),
        b"mb" | b"mo" | b"megabyte" | b"megabytes" => (1, 1.0),
        b"gb" | b"go" | b"gig" | b"gigabyte" | b"gigabytes" => (1, 1_000.0),
        b"tb" | b"to" | b"terabyte" => (1, 1_000_000.0),
        b"mm" => (2, 1.0),
        b"cm" => (2, 10.0),
        b"m" | b"meter" | b"meters" | b"metre" => (2, 1_000.0),
        b"in" | b"inch" | b"inches" | b"zoll" | b"pulgadas" | b"pouces" | b"pollici" => (2, 25.4),
        b"ft" | b"feet" | b"foot" => (2, 304.8),
        b"ml" => (3, 1.0),
        b"cl" => (3, 10.0),
        b"l" | b"liter" | b"litre" => (3, 1_000.0),
        b"floz" => (3, 29.57),
        b"oz" | b"ounce" => (4, 28.35),
        b"g" | b"gr" => (4, 1.0),
        b"kg" => (4, 1_000.0),
        b"lb" | b"lbs" => (4, 453.6),
        b"hz" => (5, 1e-6),
        b"khz" => (5, 1e-3),
        b"mhz" => (5, 1.0),
        b"ghz" => (5, 1_000.0),
        b"w" | b"watt" | b"watts" => (6, 1.0),
        b"kw" => (6, 1_000.0),
        b"v" | b"volt" | b"volts" => (7, 1.0),
        b"mah" => (8, 1.0),
        b"ah" => (8, 1_000.0),
        b"mp" | b"megapixel" | b"megapixels" | b"mpix" => (9, 1.0),
        b"x" => (10, 1.0),
        b"pk" | b"pack" | b"packs" | b"pcs" | b"piece" | b"pieces" | b"pc" | b"count" | b"ct" | b"stk" => {
            (11, 1.0)
        }
        b"user" | b"users" | b"license" | b"licenses" | b"lic" | b"seat" | b"seats" => (12, 1.0),
        b"rpm" => (13, 1.0),
        b"p" => (14, 1.0),
        b"atm" => (15, 10.0),
        b"bit" | b"bits" => (16, 1.0),
        b"port" | b"ports" => (17, 1.0),
        b"ft2" | b"sheet" | b"sheets" | b"page" | b"pages" => (18, 1.0),
        b"k" => (19, 1_000.0),
        _ => return None,
    };
    Some(found)
}
