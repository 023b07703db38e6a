//! Stub.
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

/// Why.
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct StoreError;

#[derive(Debug)]
pub(crate) struct StateStore {
    map: BTreeMap<Vec<u8>, Vec<u8>>,
}
impl StateStore {
    pub(crate) fn new(_folder: &Path, _max: usize) -> Self {
        Self { map: BTreeMap::new() }
    }
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Cow<'_, [u8]>>, StoreError> {
        Ok(self.map.get(key).map(|v| Cow::Borrowed(v.as_slice())))
    }
    pub(crate) fn apply(
        &mut self,
        changes: impl IntoIterator<Item = (Vec<u8>, Option<Vec<u8>>)>,
    ) -> Result<(), StoreError> {
        for (k, v) in changes {
            match v {
                Some(v) => {
                    self.map.insert(k, v);
                }
                None => {
                    self.map.remove(&k);
                }
            }
        }
        Ok(())
    }
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }
    pub(crate) fn memory_bytes(&self) -> usize {
        0
    }
    pub(crate) fn after(&self, key: Option<&[u8]>, n: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        use std::ops::Bound;
        let from = key.map_or(Bound::Unbounded, |k| Bound::Excluded(k.to_vec()));
        Ok(self.map.range((from, Bound::Unbounded)).take(n).map(|(k, v)| (k.clone(), v.clone())).collect())
    }
}
