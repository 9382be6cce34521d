//! Vectors: from the engine of a running box, kept in a file; for made passages made.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read as _, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use banyan_knowledge::{Embedder, Embedding};
use banyan_openai::{Client, EmbeddingRequest, Input};

use crate::Outcome;

/// What vectors are kept under.
const NAME: &str = "bench";

/// Texts that the engine is given at once.
const TOGETHER: usize = 32;

/// The engine itself, asked each time.
pub(crate) struct Engine(Client);

impl Engine {
    pub(crate) fn at(socket: &str) -> Self {
        Self(Client::new(socket))
    }

    async fn ask(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, String> {
        let request = EmbeddingRequest {
            model: String::new(),
            input: Input::Texts(texts.to_vec()),
            encoding_format: Some(banyan_openai::EncodingFormat::Base64),
            dimensions: None,
            user: None,
        };
        let answer = self.0.embeddings(&request).await.map_err(|error| error.to_string())?;
        let mut data = answer.data;
        data.sort_by_key(|one| one.index);
        data.into_iter().map(|one| one.embedding.into_floats().map_err(|error| error.to_string())).collect()
    }
}

impl Embedder for Engine {
    fn name(&self) -> String {
        NAME.into()
    }

    fn embed<'a>(&'a self, texts: &'a [String]) -> Embedding<'a> {
        Box::pin(self.ask(texts))
    }
}

/// The engine, asked only for what is not kept in the file yet.
pub(crate) struct Kept {
    engine: Engine,
    known: Mutex<Known>,
}

/// Vectors by the BLAKE3 of their text, and the file behind them.
type Known = (HashMap<[u8; 32], Vec<f32>>, File);

impl Kept {
    /// The file is a row of records: BLAKE3 of the text, how many numbers, the numbers. A record that was cut off by an
    /// interrupted run is overwritten.
    pub(crate) fn open(path: &str, socket: &str) -> Outcome<Self> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let (mut known, mut reader, mut whole) = (HashMap::new(), BufReader::new(&file), 0_u64);
        let (mut hash, mut length) = ([0; 32], [0; 4]);
        while reader.read_exact(&mut hash).is_ok() && reader.read_exact(&mut length).is_ok() {
            let mut bytes = vec![0; 4 * u32::from_le_bytes(length) as usize];
            if reader.read_exact(&mut bytes).is_err() {
                break;
            }
            whole += 36 + bytes.len() as u64;
            known.insert(hash, numbers(&bytes));
        }
        drop(reader);
        std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(whole))?;
        file.set_len(whole)?;
        Ok(Self { engine: Engine::at(socket), known: Mutex::new((known, file)) })
    }

    /// Made passages lie near to real ones: where meaning is looked for, they are in the way as real ones would be.
    pub(crate) fn made(&self) -> Made {
        let mut real: Vec<_> = self.lock().0.iter().map(|(hash, vector)| (*hash, vector.clone())).collect();
        real.sort_by_key(|(hash, _)| *hash);
        Made(real.into_iter().map(|(_, vector)| vector).collect())
    }

    pub(crate) async fn vectors(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, String> {
        let missing: Vec<String> = {
            let known = self.lock();
            texts.iter().filter(|text| !known.0.contains_key(&hash(text))).cloned().collect()
        };
        for some in missing.chunks(TOGETHER) {
            let vectors = self.engine.ask(some).await?;
            let mut known = self.lock();
            let mut records = Vec::new();
            for (text, vector) in some.iter().zip(vectors) {
                records.extend_from_slice(&hash(text));
                records.extend_from_slice(&(vector.len() as u32).to_le_bytes());
                records.extend(vector.iter().flat_map(|number| number.to_le_bytes()));
                known.0.insert(hash(text), vector);
            }
            known.1.write_all(&records).map_err(|error| error.to_string())?;
        }
        let known = self.lock();
        let found = texts.iter().map(|text| known.0.get(&hash(text)).cloned());
        found.collect::<Option<_>>().ok_or_else(|| "the engine gave fewer vectors than texts".into())
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Embedder for Kept {
    fn name(&self) -> String {
        NAME.into()
    }

    fn embed<'a>(&'a self, texts: &'a [String]) -> Embedding<'a> {
        Box::pin(self.vectors(texts))
    }
}

/// Vectors of real passages, moved a little: their cosine with where they came from is about 0.87.
pub(crate) struct Made(Vec<Vec<f32>>);

/// Each number is moved by at most this. A number of a unit vector in 384 dimensions is about 0.05.
const MOVED: f32 = 0.05;

impl Embedder for Made {
    fn name(&self) -> String {
        NAME.into()
    }

    fn embed<'a>(&'a self, texts: &'a [String]) -> Embedding<'a> {
        let move_one = |text: &String| {
            let seed = hash(text).iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte));
            let mut rng = fastrand::Rng::with_seed(seed);
            let near = rng.choice(&self.0).ok_or("there is no real passage to make others from")?;
            let moved: Vec<f32> =
                near.iter().map(|number| number + (rng.f32() * 2.0 - 1.0) * MOVED).collect();
            let length = moved.iter().map(|number| number * number).sum::<f32>().sqrt();
            Ok(moved.into_iter().map(|number| number / length).collect())
        };
        let all = texts.iter().map(move_one).collect();
        Box::pin(std::future::ready(all))
    }
}

/// Says the same vector whatever is asked: so a question is looked for by its meaning alone, beside words that occur
/// nowhere.
pub(crate) struct Given(pub(crate) Vec<f32>);

impl Embedder for Given {
    fn name(&self) -> String {
        NAME.into()
    }

    fn embed<'a>(&'a self, texts: &'a [String]) -> Embedding<'a> {
        Box::pin(std::future::ready(Ok(vec![self.0.clone(); texts.len()])))
    }
}

fn hash(text: &str) -> [u8; 32] {
    *blake3::hash(text.as_bytes()).as_bytes()
}

fn numbers(bytes: &[u8]) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks::<4>();
    numbers.iter().map(|number| f32::from_le_bytes(*number)).collect()
}
