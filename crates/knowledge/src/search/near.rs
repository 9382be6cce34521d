//! The nearest passages by meaning. A code of one bit for each dimension (on which side of the mean it lies) is held for
//! each passage; a scan over all codes finds those that may be near, and of these the kept vectors decide.
//!
//! Why a scan and no graph or clusters: it is exact about filters (a document that may not be looked at costs nothing and
//! is not met on the way), a withdrawal is done when its place is dropped, nothing has to be built at start, and a
//! million passages are 48 MB and some ten milliseconds. The figures are in `docs/architecture.md`.

mod scan;
#[cfg(test)]
mod tests;

use banyan_store::rusqlite::{self, Connection, OptionalExtension as _, params};

use super::memory::{Eligible, Memory};
use super::vector;

/// Up to so many vectors are compared one by one: codes would save nothing.
const FLAT: usize = 2_000;

/// Bytes of whole vectors that are held beside their codes, so that the last comparison reads no rows. Beyond, the rows
/// are read: some 2 ms a search.
const HELD: usize = 128 << 20;

/// Vectors from which the mean is taken.
const SAMPLE: i64 = 2_000;

/// For each passage that is wanted, so many by their codes are compared by their vectors: with those that are held, and
/// where rows have to be read.
const OVERSAMPLE: usize = 5;
const OVERSAMPLE_OF_ROWS: usize = 2;

/// The vectors of one model.
#[derive(Debug)]
pub(super) struct Near {
    name: String,
    /// Its row; none before its first vector.
    embedder: Option<i64>,
    /// 0 before the first vector.
    dimensions: usize,
    /// Words of 64 bits in a code.
    width: usize,
    /// Which places have a vector.
    has: Vec<bool>,
    count: usize,
    /// Empty while there are so few that all are compared.
    codes: Vec<u64>,
    mean: Vec<f32>,
    /// How many there were when the mean was taken.
    mean_of: usize,
    /// Whole vectors, while they are few enough to be held.
    held: Option<Held>,
}

#[derive(Debug, Default)]
struct Held {
    scales: Vec<f32>,
    dimensions: Vec<i8>,
}

impl Near {
    /// Reads the vectors of a model for the passages with these numbers.
    pub(super) fn load(connection: &Connection, name: &str, ids: &[i64]) -> rusqlite::Result<Self> {
        let mut near = Self {
            name: name.to_owned(),
            embedder: embedder(connection, name)?,
            dimensions: 0,
            width: 0,
            has: vec![false; ids.len()],
            count: 0,
            codes: Vec::new(),
            mean: Vec::new(),
            mean_of: 0,
            held: Some(Held::default()),
        };
        let Some(embedder) = near.embedder else { return Ok(near) };
        near.prepare(connection, ids.len())?;
        let mut statement = connection.prepare_cached(
            "SELECT passage, vector FROM search_vectors WHERE embedder = ?1 ORDER BY passage",
        )?;
        let mut rows = statement.query([embedder])?;
        let mut from = 0;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            from += ids.get(from..).unwrap_or_default().partition_point(|other| *other < id);
            if ids.get(from) == Some(&id) {
                near.put(from, row.get_ref(1)?.as_blob().unwrap_or_default());
            }
        }
        if near.mean_of > 0 {
            near.mean_of = near.count.max(1);
        }
        near.renew_codes(connection, ids)?;
        Ok(near)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Makes room for places that came.
    pub(super) fn grow(&mut self, places: usize) {
        self.has.resize(places, false);
        if self.mean_of > 0 {
            self.codes.resize(places * self.width, 0);
        }
        if places * self.dimensions > HELD {
            self.held = None;
        }
        if let Some(held) = &mut self.held {
            held.scales.resize(places, 0.0);
            held.dimensions.resize(places * self.dimensions, 0);
        }
    }

    /// The passage at this place has no vector any more.
    pub(super) fn forget(&mut self, place: usize) {
        if let Some(has) = self.has.get_mut(place).filter(|has| **has) {
            *has = false;
            self.count -= 1;
        }
    }

    /// Reads the vector of a place, if it has one that is not here yet.
    pub(super) fn take_in(&mut self, connection: &Connection, place: usize, id: i64) -> rusqlite::Result<()> {
        if self.has.get(place).copied().unwrap_or(true) {
            return Ok(());
        }
        if self.embedder.is_none() {
            self.embedder = embedder(connection, &self.name)?;
        }
        if let Some(bytes) = self.row(connection, id)? {
            self.put(place, &bytes);
        }
        Ok(())
    }

    /// Takes the mean anew, and all codes with it, when there are twice as many vectors as when it was taken.
    pub(super) fn renew_codes(&mut self, connection: &Connection, ids: &[i64]) -> rusqlite::Result<()> {
        if self.count <= FLAT || self.count < 2 * self.mean_of {
            return Ok(());
        }
        self.take_mean(connection)?;
        for (place, id) in ids.iter().enumerate() {
            if self.has.get(place) != Some(&true) {
                continue;
            }
            let vector = match self.held_at(place) {
                Some((scale, dimensions)) => Some((scale, dimensions.to_vec())),
                None => self
                    .row(connection, *id)?
                    .as_deref()
                    .and_then(vector::parts)
                    .map(|(s, d)| (s, d.collect())),
            };
            if let Some((scale, dimensions)) = vector {
                self.set_code(place, scale, &dimensions);
            }
        }
        Ok(())
    }

    /// The nearest passages that may be looked at, with their cosine, the nearest first.
    pub(super) fn nearest(
        &self,
        connection: &Connection,
        memory: &Memory,
        eligible: &Eligible,
        question: &[f32],
        most: usize,
    ) -> rusqlite::Result<Vec<(u32, f32)>> {
        let Some(question) = vector::unit(question).filter(|question| question.len() == self.dimensions)
        else {
            return Ok(Vec::new());
        };
        let looked_at = memory.each_may(eligible).zip(&self.has).map(|(may, has)| may && *has);
        let candidates: Vec<u32> = if self.mean_of == 0 {
            (0_u32..).zip(looked_at).filter(|(_, may)| *may).map(|(place, _)| place).collect()
        } else {
            let more = if self.held.is_some() { OVERSAMPLE } else { OVERSAMPLE_OF_ROWS };
            scan::nearest(&self.codes, &self.code(&question), looked_at, most * more)
        };
        let mut near = Vec::with_capacity(candidates.len());
        for place in candidates {
            if let Some(cosine) = self.cosine(connection, memory, place, &question)? {
                near.push((place, cosine));
            }
        }
        near.sort_unstable_by(|(a, one), (b, two)| two.total_cmp(one).then(a.cmp(b)));
        near.truncate(most);
        Ok(near)
    }

    /// The cosine of a question and the passage at a place, if it has a vector.
    pub(super) fn nearness(
        &self,
        connection: &Connection,
        memory: &Memory,
        place: u32,
        question: &[f32],
    ) -> rusqlite::Result<Option<f32>> {
        match vector::unit(question).filter(|question| question.len() == self.dimensions) {
            Some(question) => self.cosine(connection, memory, place, &question),
            None => Ok(None),
        }
    }

    fn cosine(
        &self,
        connection: &Connection,
        memory: &Memory,
        place: u32,
        question: &[f32],
    ) -> rusqlite::Result<Option<f32>> {
        if self.has.get(place as usize) != Some(&true) {
            return Ok(None);
        }
        if let Some((scale, dimensions)) = self.held_at(place as usize) {
            return Ok(Some(scale * vector::product(question, dimensions)));
        }
        let Some(id) = memory.id(place) else { return Ok(None) };
        let bytes = self.row(connection, id)?;
        Ok(bytes
            .as_deref()
            .and_then(vector::parts)
            .map(|(scale, dimensions)| scale * vector::product(question, &dimensions.collect::<Vec<i8>>())))
    }
}

/// What is kept of a vector.
impl Near {
    fn row(&self, connection: &Connection, id: i64) -> rusqlite::Result<Option<Vec<u8>>> {
        connection
            .prepare_cached("SELECT vector FROM search_vectors WHERE passage = ?1 AND embedder = ?2")?
            .query_row(params![id, self.embedder], |row| row.get(0))
            .optional()
    }

    fn code(&self, question: &[f32]) -> Vec<u64> {
        scan::code(question.iter().copied(), &self.mean, self.width)
    }

    fn held_at(&self, place: usize) -> Option<(f32, &[i8])> {
        let held = self.held.as_ref()?;
        let dimensions = held.dimensions.get(place * self.dimensions..(place + 1) * self.dimensions)?;
        Some((held.scales.get(place).copied()?, dimensions))
    }

    fn put(&mut self, place: usize, bytes: &[u8]) {
        let dimensions = vector::dimensions(bytes);
        if self.dimensions == 0 && dimensions > 0 {
            self.dimensions = dimensions;
            self.width = dimensions.div_ceil(64);
            self.grow(self.has.len());
        }
        let Some((scale, values)) = vector::parts(bytes).filter(|_| dimensions == self.dimensions) else {
            return;
        };
        let values: Vec<i8> = values.collect();
        if let Some(held) = &mut self.held {
            let range = place * dimensions..(place + 1) * dimensions;
            if let (Some(to), Some(its)) = (held.dimensions.get_mut(range), held.scales.get_mut(place)) {
                to.copy_from_slice(&values);
                *its = scale;
            }
        }
        if self.mean_of > 0 {
            self.set_code(place, scale, &values);
        }
        if let Some(has) = self.has.get_mut(place).filter(|has| !**has) {
            *has = true;
            self.count += 1;
        }
    }

    /// Before everything is read: whether whole vectors are held, and, where they are not, the mean, so that the rows are
    /// read once.
    fn prepare(&mut self, connection: &Connection, places: usize) -> rusqlite::Result<()> {
        let sql = "SELECT vector FROM search_vectors WHERE embedder = ?1 LIMIT 1";
        let first: Option<Vec<u8>> =
            connection.prepare_cached(sql)?.query_row([self.embedder], |row| row.get(0)).optional()?;
        self.dimensions = first.as_deref().map_or(0, vector::dimensions);
        self.width = self.dimensions.div_ceil(64);
        self.grow(places);
        if self.held.is_none() {
            self.take_mean(connection)?;
        }
        Ok(())
    }

    /// The mean of some vectors, from all over the library.
    fn take_mean(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let ends = "SELECT min(passage), max(passage) FROM search_vectors";
        let (first, last): (Option<i64>, Option<i64>) =
            connection.prepare_cached(ends)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (first, last) = (first.unwrap_or(0), last.unwrap_or(0));
        let step = usize::try_from((last - first) / SAMPLE).unwrap_or(1).max(1);
        let sql = "SELECT vector FROM search_vectors WHERE embedder = ?1 AND passage >= ?2 ORDER BY passage LIMIT 1";
        let mut statement = connection.prepare_cached(sql)?;
        let mut sums = vec![0.0_f32; self.dimensions];
        let mut count = 0.0_f32;
        for from in (first..=last).step_by(step) {
            let row: Option<Vec<u8>> =
                statement.query_row(params![self.embedder, from], |row| row.get(0)).optional()?;
            if let Some((scale, dimensions)) = row.as_deref().and_then(vector::parts) {
                sums.iter_mut().zip(dimensions).for_each(|(sum, value)| *sum += scale * f32::from(value));
                count += 1.0;
            }
        }
        self.mean = sums.into_iter().map(|sum| sum / count.max(1.0)).collect();
        self.mean_of = self.count.max(1);
        self.codes = vec![0; self.has.len() * self.width];
        Ok(())
    }

    fn set_code(&mut self, place: usize, scale: f32, dimensions: &[i8]) {
        let values = dimensions.iter().map(|value| scale * f32::from(*value));
        let code = scan::code(values, &self.mean, self.width);
        if let Some(to) = self.codes.get_mut(place * self.width..(place + 1) * self.width) {
            to.copy_from_slice(&code);
        }
    }
}

/// A model's row.
fn embedder(connection: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM search_embedders WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()
}
