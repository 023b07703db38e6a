//! Where features are written: their values, or their names.

/// Takes features one after the other, always in the same order.
pub(crate) trait Sheet {
    /// The next feature.
    fn put(&mut self, block: &'static str, name: &'static str, value: f32);
}

/// Values in order; NaN is missing.
pub(crate) struct Values<'a> {
    pub values: &'a mut [f32],
    pub next: usize,
}

impl Sheet for Values<'_> {
    fn put(&mut self, _: &'static str, _: &'static str, value: f32) {
        self.values[self.next] = value;
        self.next += 1;
    }
}

/// Names in order: `block.name`, or `name` alone where the block is empty.
#[derive(Default)]
pub(crate) struct Names(pub Vec<String>);

impl Sheet for Names {
    fn put(&mut self, block: &'static str, name: &'static str, _: f32) {
        self.0.push(if block.is_empty() { name.to_owned() } else { format!("{block}.{name}") });
    }
}
