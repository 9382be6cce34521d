//! The passages for other programs.

use std::fs::File;
use std::io::{BufWriter, Write as _};

use banyan_knowledge::Library;
use banyan_store::StoreError;
use serde_json::{Value, json};

use crate::vectors::Kept;
use crate::{Outcome, Question, lines};

/// Rows that are read at once.
const PAGE: usize = 1000;

/// A passage as others see it.
struct Row {
    id: i64,
    document: String,
    title: String,
    heading: String,
    text: String,
}

impl Row {
    /// With what stands above it, as the library gives it to the embedding model.
    fn whole(&self) -> String {
        let title = if self.heading.starts_with(&self.title) { "" } else { &self.title };
        let parts = [title, &self.heading, &self.text];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
    }
}

pub(crate) async fn dump(
    library: &Library,
    kept: &str,
    socket: &str,
    texts: &str,
    vectors: Option<&str>,
) -> Outcome<Value> {
    let mut texts = BufWriter::new(File::create(texts)?);
    let mut vectors = match vectors {
        Some(path) => Some((BufWriter::new(File::create(path)?), Kept::open(kept, socket)?)),
        None => None,
    };
    let (mut after, mut passages) = (0, 0);
    loop {
        let rows = page(library, after)?;
        let Some(last) = rows.last() else { break };
        (after, passages) = (last.id, passages + rows.len());
        for row in &rows {
            writeln!(texts, "{}", json!({ "document": row.document, "text": row.whole() }))?;
        }
        if let Some((file, kept)) = &mut vectors {
            let wanted: Vec<String> = rows.iter().map(Row::whole).collect();
            write(file, &kept.vectors(&wanted).await?)?;
        }
    }
    texts.flush()?;
    if let Some((mut file, _)) = vectors {
        file.flush()?;
    }
    Ok(json!({ "passages": passages }))
}

pub(crate) async fn asked(kept: &str, socket: &str, questions: &str, vectors: &str) -> Outcome<Value> {
    let questions: Vec<Question> = lines(questions)?;
    let texts: Vec<String> = questions.into_iter().map(|one| one.question).collect();
    let kept = Kept::open(kept, socket)?;
    let mut file = BufWriter::new(File::create(vectors)?);
    write(&mut file, &kept.vectors(&texts).await?)?;
    file.flush()?;
    Ok(json!({ "questions": texts.len() }))
}

fn page(library: &Library, after: i64) -> Outcome<Vec<Row>> {
    let sql = format!(
        "SELECT p.id, d.source, d.title, p.heading, p.text FROM passages p JOIN documents d ON d.key = p.document \
         WHERE p.id > ?1 ORDER BY p.id LIMIT {PAGE}"
    );
    let rows = library.store().read_blocking(move |connection| {
        let mut statement = connection.prepare_cached(&sql)?;
        let rows = statement.query_map([after], |row| {
            Ok(Row {
                id: row.get(0)?,
                document: row.get(1)?,
                title: row.get(2)?,
                heading: row.get(3)?,
                text: row.get(4)?,
            })
        })?;
        Ok::<_, StoreError>(rows.collect::<Result<Vec<_>, _>>()?)
    })?;
    Ok(rows)
}

fn write(file: &mut BufWriter<File>, vectors: &[Vec<f32>]) -> Outcome<()> {
    for number in vectors.iter().flatten() {
        file.write_all(&number.to_le_bytes())?;
    }
    Ok(())
}
