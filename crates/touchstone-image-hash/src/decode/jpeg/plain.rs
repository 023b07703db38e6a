//! The plain JPEG decoder: baseline, extended and progressive with Huffman codes, 8 bits a sample (ITU-T T.81).
//!
//! It is slower than `zune-jpeg` and serves where that cannot: its samples are libjpeg's to the last bit, and of a damaged file it
//! knows how far the picture was read.

use super::colour::{Plane, Space, pixels};
use super::huffman::{Bits, Damaged, Table};
use super::idct;
use super::{FORMAT, max_scans};
use crate::decode::DecodeLimits;
use crate::error::DecodeError;

/// What was read of a file.
pub(super) struct Decoded {
    pub(super) width: u32,
    pub(super) height: u32,
    /// One byte a pixel if `grey`, else three.
    pub(super) pixels: Vec<u8>,
    pub(super) grey: bool,
    /// The contents of the EXIF segment.
    pub(super) exif: Option<Vec<u8>>,
}

/// Of a damaged picture at least this many percent must have been read.
const MIN_PERCENT_READ: usize = 90;

/// Decodes what stands in the file. Where at most a tenth is missing at the lower end, the last row that was read is repeated.
pub(super) fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<Decoded, DecodeError> {
    let mut reader = Reader::new(bytes, limits);
    reader.read()?;
    let Some(frame) = reader.frame else { return Err(DecodeError::Truncated { format: FORMAT }) };
    let percent = frame.percent_read();
    if percent < MIN_PERCENT_READ {
        return Err(match reader.ended_early {
            true => DecodeError::Truncated { format: FORMAT },
            false => malformed(format!("the coded data is damaged behind {percent} % of the picture")),
        });
    }
    let space = frame.space(reader.jfif, reader.adobe)?;
    let (width, height) = (frame.width, frame.height);
    let planes: Vec<Plane> =
        frame.components.into_iter().map(|component| component.plane(width, height, frame.most)).collect();
    Ok(Decoded {
        width: width as u32,
        height: height as u32,
        pixels: pixels(&planes, space, width, height),
        grey: space == Space::Grey,
        exif: reader.exif,
    })
}

/// Whether the first scan of a progressive file is whole.
pub(super) fn has_means(bytes: &[u8], limits: &DecodeLimits) -> bool {
    let mut reader = Reader::new(bytes, limits);
    reader.first_scan_alone = true;
    reader.read().is_ok()
        && reader.frame.is_some_and(|frame| frame.components.iter().any(|c| c.read.0 == c.read.1))
}

fn malformed(reason: impl Into<String>) -> DecodeError {
    DecodeError::Malformed { format: FORMAT, reason: reason.into() }
}

/// A picture under way.
struct Frame {
    width: usize,
    height: usize,
    progressive: bool,
    components: Vec<Component>,
    /// The largest sampling factors, across and down.
    most: (usize, usize),
    /// Minimum coded units of a scan of several components, across and down.
    units: (usize, usize),
}

struct Component {
    id: u8,
    across: usize,
    down: usize,
    quantiser_slot: usize,
    /// The table that was valid when the component's first scan began.
    quantisers: Option<[u16; 64]>,
    /// Blocks that hold part of the picture, across and down.
    blocks: (usize, usize),
    /// Blocks stored in a row.
    stride: usize,
    coefficients: Vec<[i16; 64]>,
    prediction: i32,
    /// How many of its blocks, in the order of its first scan, and how many rows of blocks were read.
    read: (usize, usize),
    rows_read: usize,
}

/// Which part of the coefficients a scan holds.
#[derive(Clone, Copy)]
struct Scan {
    first: usize,
    last: usize,
    /// Whether it refines coefficients that are known from an earlier scan.
    refines: bool,
    shift: u32,
}

struct Reader<'a> {
    bytes: &'a [u8],
    limits: &'a DecodeLimits,
    at: usize,
    frame: Option<Frame>,
    quantisers: [Option<[u16; 64]>; 4],
    /// For DC and for AC coefficients.
    tables: [[Option<Table>; 4]; 2],
    restart_interval: usize,
    n_scans: usize,
    first_scan_alone: bool,
    jfif: bool,
    adobe: Option<u8>,
    exif: Option<Vec<u8>>,
    ended_early: bool,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8], limits: &'a DecodeLimits) -> Self {
        Self {
            bytes,
            limits,
            at: 2,
            frame: None,
            quantisers: [None; 4],
            tables: Default::default(),
            restart_interval: 0,
            n_scans: 0,
            first_scan_alone: false,
            jfif: false,
            adobe: None,
            exif: None,
            ended_early: false,
        }
    }

    /// Reads segments up to the end of the picture, or of what can be made use of.
    fn read(&mut self) -> Result<(), DecodeError> {
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let (kind, length) = match *rest {
                [0xff, 0xd9, ..] => return Ok(()),
                [0xff, 0xff, ..] | [0xff, 0x00 | 0x01 | 0xd0..=0xd8, ..] => {
                    self.at += 1;
                    continue;
                }
                [0xff, kind, high, low, ..] => (kind, usize::from(u16::from_be_bytes([high, low]))),
                [_, _, ..] => {
                    self.at += 1;
                    continue;
                }
                _ => {
                    self.ended_early = true;
                    return Ok(());
                }
            };
            let Some(segment) = rest.get(4..2 + length.max(2)) else {
                self.ended_early = true;
                return Ok(());
            };
            self.at += 2 + length.max(2);
            match self.segment(kind, segment) {
                Ok(()) if self.first_scan_alone && self.n_scans > 0 => return Ok(()),
                Ok(()) => {}
                // What was read before may be enough.
                Err(Fault::Damaged) if self.frame.is_some() => return Ok(()),
                Err(Fault::Damaged) => return Err(malformed(format!("segment {kind:#04x} is broken"))),
                Err(Fault::Refused(error)) => return Err(error),
            }
        }
    }

    fn segment(&mut self, kind: u8, segment: &[u8]) -> Result<(), Fault> {
        match kind {
            0xc4 => self.huffman_tables(segment),
            0xdb => self.quantisers(segment),
            0xc0..=0xc2 => self.start_frame(segment, kind == 0xc2),
            0xc3 | 0xc5..=0xcf => {
                Err(Fault::Refused(malformed("lossless, hierarchical and arithmetic coding are not read")))
            }
            0xda => self.scan(segment),
            0xdd => {
                let &[high, low, ..] = segment else { return Err(Fault::Damaged) };
                self.restart_interval = u16::from_be_bytes([high, low]).into();
                Ok(())
            }
            0xe0 => {
                self.jfif |= segment.starts_with(b"JFIF\0");
                Ok(())
            }
            0xe1 => {
                if self.exif.is_none() {
                    self.exif = segment.strip_prefix(b"Exif\0\0").map(<[u8]>::to_vec);
                }
                Ok(())
            }
            0xee => {
                if let [b'A', b'd', b'o', b'b', b'e', _, _, _, _, _, _, transform, ..] = *segment {
                    self.adobe = Some(transform);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn huffman_tables(&mut self, mut rest: &[u8]) -> Result<(), Fault> {
        while let Some((&[slot, ref counts @ ..], symbols)) = rest.split_first_chunk::<17>() {
            let n_symbols = counts.iter().map(|&count| usize::from(count)).sum::<usize>();
            let symbols = symbols.get(..n_symbols).ok_or(Fault::Damaged)?;
            let tables = self.tables.get_mut(usize::from(slot >> 4)).ok_or(Fault::Damaged)?;
            let table = tables.get_mut(usize::from(slot & 15)).ok_or(Fault::Damaged)?;
            let counts = counts.first_chunk().ok_or(Fault::Damaged)?;
            *table = Some(Table::new(counts, symbols).ok_or(Fault::Damaged)?);
            rest = &rest[17 + n_symbols..];
        }
        Ok(())
    }

    fn quantisers(&mut self, mut rest: &[u8]) -> Result<(), Fault> {
        while let Some((&slot, values)) = rest.split_first() {
            let table = self.quantisers.get_mut(usize::from(slot & 15)).ok_or(Fault::Damaged)?;
            let bytes_each = if slot >> 4 == 0 { 1 } else { 2 };
            let values = values.get(..64 * bytes_each).ok_or(Fault::Damaged)?;
            let mut ordered = [0; 64];
            for (&place, value) in ZIGZAG.iter().zip(values.chunks_exact(bytes_each)) {
                ordered[usize::from(place)] = value.iter().fold(0, |all, &byte| all << 8 | u16::from(byte));
            }
            *table = Some(ordered);
            rest = &rest[1 + 64 * bytes_each..];
        }
        Ok(())
    }

    fn start_frame(&mut self, segment: &[u8], progressive: bool) -> Result<(), Fault> {
        let refuse = |reason: &str| Err(Fault::Refused(malformed(reason)));
        let Some((&[precision, h1, h0, w1, w0, n_components], components)) = segment.split_first_chunk()
        else {
            return Err(Fault::Damaged);
        };
        if self.frame.is_some() {
            return Err(Fault::Damaged);
        }
        if precision != 8 {
            return refuse("only 8 bits a sample are read");
        }
        let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
        self.limits.check_sides(width.into(), height.into()).map_err(Fault::Refused)?;
        let (width, height) = (usize::from(width), usize::from(height));
        if width == 0 || height == 0 {
            return refuse("it has no pixels");
        }
        let mut parsed = Vec::new();
        for &[id, sampling, slot] in components.as_chunks::<3>().0.iter().take(n_components.into()) {
            let (across, down) = (usize::from(sampling >> 4), usize::from(sampling & 15));
            if !(1..=4).contains(&across) || !(1..=4).contains(&down) || slot > 3 {
                return Err(Fault::Damaged);
            }
            parsed.push((id, across, down, usize::from(slot)));
        }
        if parsed.len() != usize::from(n_components) || !matches!(n_components, 1 | 3 | 4) {
            return refuse("it has other than 1, 3 or 4 components");
        }
        let most = parsed.iter().fold((1, 1), |(a, b), &(_, across, down, _)| (a.max(across), b.max(down)));
        let units = (width.div_ceil(8 * most.0), height.div_ceil(8 * most.1));
        let components = parsed.into_iter().map(|(id, across, down, quantiser_slot)| {
            let blocks = ((width * across).div_ceil(8 * most.0), (height * down).div_ceil(8 * most.1));
            let stride = units.0 * across;
            Component {
                id,
                across,
                down,
                quantiser_slot,
                quantisers: None,
                blocks,
                stride,
                coefficients: vec![[0; 64]; stride * units.1 * down],
                prediction: 0,
                read: (0, 1),
                rows_read: 0,
            }
        });
        let components = components.collect();
        self.frame = Some(Frame { width, height, progressive, components, most, units });
        Ok(())
    }

    fn scan(&mut self, header: &[u8]) -> Result<(), Fault> {
        let frame = self.frame.as_mut().ok_or(Fault::Damaged)?;
        self.n_scans += 1;
        let most = max_scans(self.limits, frame.width * frame.height);
        if self.n_scans > most {
            return Err(Fault::Refused(malformed(format!("more than {most} scans"))));
        }
        let (&n_components, header) = header.split_first().ok_or(Fault::Damaged)?;
        let (named, parameters) =
            header.split_at_checked(2 * usize::from(n_components)).ok_or(Fault::Damaged)?;
        let &[first, last, approximation, ..] = parameters else { return Err(Fault::Damaged) };
        let scan = match frame.progressive {
            false => Scan { first: 0, last: 63, refines: false, shift: 0 },
            true => Scan {
                first: first.into(),
                last: last.into(),
                refines: approximation >> 4 != 0,
                shift: (approximation & 15).into(),
            },
        };
        let mut parts = Vec::new();
        for &[id, slots] in named.as_chunks::<2>().0 {
            let index = frame.components.iter().position(|c| c.id == id).ok_or(Fault::Damaged)?;
            if parts.iter().any(|part: &Part| part.component == index) {
                return Err(Fault::Damaged);
            }
            let table =
                |class: usize, slot: u8| self.tables[class].get(usize::from(slot)).and_then(Option::as_ref);
            parts.push(Part { component: index, dc: table(0, slots >> 4), ac: table(1, slots & 15) });
        }
        let sound = match (scan.first, scan.last) {
            (0, 0) => !parts.is_empty(),
            (0, 63) => !frame.progressive && !parts.is_empty(),
            (first, last) => first > 0 && first <= last && last < 64 && parts.len() == 1,
        };
        if !sound || scan.shift > 13 {
            return Err(Fault::Damaged);
        }
        for part in &parts {
            let component = &mut frame.components[part.component];
            component.prediction = 0;
            if component.quantisers.is_none() {
                component.quantisers = self.quantisers[component.quantiser_slot];
            }
        }
        let mut bits = Bits::new(self.bytes, self.at);
        let read = frame.read_scan(scan, &parts, self.restart_interval, &mut bits);
        self.at = bits.next_marker();
        if read.is_err() && self.at >= self.bytes.len() {
            self.ended_early = true;
        }
        read.map_err(|Damaged| Fault::Damaged)
    }
}

enum Fault {
    /// The rest of the file is of no use.
    Damaged,
    Refused(DecodeError),
}

/// A component in a scan, with its tables.
struct Part<'t> {
    component: usize,
    dc: Option<&'t Table>,
    ac: Option<&'t Table>,
}

impl Frame {
    /// How many hundredths of the blocks were read, of the component that comes off worst.
    fn percent_read(&self) -> usize {
        self.components.iter().map(|c| c.read.0 * 100 / c.read.1).min().unwrap_or(0)
    }

    /// As libjpeg guesses it (`jdapimin.c`).
    fn space(&self, jfif: bool, adobe: Option<u8>) -> Result<Space, DecodeError> {
        let ids: Vec<u8> = self.components.iter().map(|c| c.id).collect();
        match (ids.len(), adobe) {
            (1, _) => Ok(Space::Grey),
            (3, _) if jfif => Ok(Space::YCbCr),
            (3, Some(0)) => Ok(Space::Rgb),
            (3, None) if ids == *b"RGB" => Ok(Space::Rgb),
            (3, _) => Ok(Space::YCbCr),
            (4, Some(2)) => Ok(Space::Ycck),
            (4, _) => Ok(Space::Cmyk),
            _ => Err(malformed("it has other than 1, 3 or 4 components")),
        }
    }

    fn read_scan(
        &mut self,
        scan: Scan,
        parts: &[Part<'_>],
        restart_interval: usize,
        bits: &mut Bits<'_>,
    ) -> Result<(), Damaged> {
        // A scan of one component has no units but its blocks, and those outside the picture are left out.
        let alone = parts.len() == 1;
        let units = if alone { self.components[parts[0].component].blocks } else { self.units };
        let n_units = units.0 * units.1;
        let mut run = 0;
        let mut result = Ok(());
        let mut n_read = 0;
        for unit in 0..n_units {
            if restart_interval > 0 && unit > 0 && unit.is_multiple_of(restart_interval) {
                result = bits.restart((unit / restart_interval - 1) as u8);
                run = 0;
                parts.iter().for_each(|part| self.components[part.component].prediction = 0);
            }
            if result.is_ok() {
                result = self.read_unit(scan, parts, alone, (unit % units.0, unit / units.0), &mut run, bits);
            }
            if result.is_err() || bits.overdrawn() {
                result = Err(Damaged);
                break;
            }
            n_read = unit + 1;
        }
        // What a component holds at least is known from the first scan that has its means.
        if scan.first == 0 && !scan.refines {
            for part in parts {
                let component = &mut self.components[part.component];
                if n_read * component.read.1 >= component.read.0 * n_units {
                    component.read = (n_read, n_units);
                    component.rows_read = n_read / units.0 * if alone { 1 } else { component.down };
                }
            }
        }
        result
    }

    fn read_unit(
        &mut self,
        scan: Scan,
        parts: &[Part<'_>],
        alone: bool,
        (x, y): (usize, usize),
        run: &mut u32,
        bits: &mut Bits<'_>,
    ) -> Result<(), Damaged> {
        for part in parts {
            let component = &mut self.components[part.component];
            let (across, down) = if alone { (1, 1) } else { (component.across, component.down) };
            for row in 0..down {
                for column in 0..across {
                    let at = (y * down + row) * component.stride + x * across + column;
                    let block = component.coefficients.get_mut(at).ok_or(Damaged)?;
                    scan.read_block(part, block, &mut component.prediction, run, bits)?;
                }
            }
        }
        Ok(())
    }
}

impl Scan {
    fn read_block(
        self,
        part: &Part<'_>,
        block: &mut [i16; 64],
        prediction: &mut i32,
        run: &mut u32,
        bits: &mut Bits<'_>,
    ) -> Result<(), Damaged> {
        if self.first == 0 {
            if self.refines {
                block[0] |= (bits.take(1) << self.shift) as i16;
            } else {
                let size = bits.symbol(part.dc.ok_or(Damaged)?)?;
                if size > 15 {
                    return Err(Damaged);
                }
                *prediction = prediction.wrapping_add(bits.signed(size.into()));
                block[0] = (*prediction << self.shift) as i16;
            }
        }
        match (self.last, self.refines) {
            (0, _) => Ok(()),
            (_, false) => self.read_new(part.ac.ok_or(Damaged)?, block, run, bits),
            (_, true) => self.refine(part.ac.ok_or(Damaged)?, block, run, bits),
        }
    }

    /// Coefficients seen for the first time (F.2.2.2, G.1.2.2).
    fn read_new(
        self,
        table: &Table,
        block: &mut [i16; 64],
        run: &mut u32,
        bits: &mut Bits<'_>,
    ) -> Result<(), Damaged> {
        if *run > 0 {
            *run -= 1;
            return Ok(());
        }
        let mut place = self.first.max(1);
        while place <= self.last {
            let symbol = bits.symbol(table)?;
            let (skipped, size) = (symbol >> 4, u32::from(symbol & 15));
            match (skipped, size) {
                (15, 0) => place += 16,
                (_, 0) => {
                    *run = (1 << skipped) - 1 + bits.take(skipped.into()) as u32;
                    return Ok(());
                }
                _ => {
                    place += usize::from(skipped);
                    let &to = ZIGZAG.get(place).ok_or(Damaged)?;
                    block[usize::from(to)] = (bits.signed(size) << self.shift) as i16;
                    place += 1;
                }
            }
        }
        Ok(())
    }

    /// One more bit of known coefficients, between which new ones of one bit may appear (G.1.2.3).
    fn refine(
        self,
        table: &Table,
        block: &mut [i16; 64],
        run: &mut u32,
        bits: &mut Bits<'_>,
    ) -> Result<(), Damaged> {
        let one = 1i16 << self.shift;
        let mut place = self.first;
        while *run == 0 && place <= self.last {
            let symbol = bits.symbol(table)?;
            let (skipped, size) = (symbol >> 4, symbol & 15);
            if size == 0 && skipped < 15 {
                *run = (1 << skipped) + bits.take(skipped.into()) as u32;
                break;
            }
            let new = match size {
                0 => 0,
                _ if bits.take(1) == 1 => one,
                _ => -one,
            };
            let mut to_skip = skipped;
            while place <= self.last {
                let coefficient = &mut block[usize::from(ZIGZAG[place])];
                if *coefficient != 0 {
                    add_bit(coefficient, one, bits);
                } else if to_skip == 0 {
                    *coefficient = new;
                    break;
                } else {
                    to_skip -= 1;
                }
                place += 1;
            }
            place += 1;
        }
        if *run > 0 {
            for &to in ZIGZAG.get(place..=self.last).unwrap_or_default() {
                let coefficient = &mut block[usize::from(to)];
                if *coefficient != 0 {
                    add_bit(coefficient, one, bits);
                }
            }
            *run -= 1;
        }
        Ok(())
    }
}

fn add_bit(coefficient: &mut i16, one: i16, bits: &mut Bits<'_>) {
    if bits.take(1) == 1 && *coefficient & one == 0 {
        *coefficient = coefficient.wrapping_add(if *coefficient >= 0 { one } else { -one });
    }
}

impl Component {
    /// The component's samples. Rows of blocks that were not read repeat the last row that was.
    fn plane(self, width: usize, height: usize, most: (usize, usize)) -> Plane {
        let stride = self.stride * 8;
        let quantisers = self.quantisers.unwrap_or([1; 64]);
        let mut samples = vec![0; self.coefficients.len() * 64];
        let rows = self.coefficients.chunks_exact(self.stride).zip(samples.chunks_exact_mut(stride * 8));
        for (blocks, out) in rows {
            for (x, block) in blocks.iter().enumerate() {
                for (row, values) in idct::samples(block, &quantisers).as_chunks::<8>().0.iter().enumerate() {
                    out[row * stride + x * 8..][..8].copy_from_slice(values);
                }
            }
        }
        if (1..self.blocks.1).contains(&self.rows_read) {
            let (known, missing) = samples.split_at_mut(self.rows_read * 8 * stride);
            let last = &known[known.len() - stride..];
            missing.chunks_exact_mut(stride).for_each(|row| row.copy_from_slice(last));
        }
        Plane {
            stride,
            width: (width * self.across).div_ceil(most.0),
            height: (height * self.down).div_ceil(most.1),
            samples,
            across: (self.across, most.0),
            down: (self.down, most.1),
        }
    }
}

/// Where the coefficients, in the order they are coded in, stand in a block of rows.
#[rustfmt::skip]
const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];
