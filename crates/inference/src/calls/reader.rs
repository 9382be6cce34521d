//! Takes calls out of an answer's text while it comes. The grammar has seen to their form, so reading them is a walk.

use super::CallForm;

/// What opens a call in the tagged form.
pub(super) const MARK: &str = "<tool_call>";

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Text for the member.
    Text(String),
    /// A call of this function begins.
    Call(String),
    /// More of its arguments' JSON.
    Arguments(String),
}

/// Where the reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Text,
    /// Before the end of a function's name.
    Head,
    /// In arguments, so many brackets deep, in a string or not, behind a backslash or not.
    Arguments {
        depth: usize,
        string: bool,
        escaped: bool,
    },
    /// Behind arguments.
    Tail,
}

/// Reads one answer.
#[derive(Debug, Clone)]
pub struct CallReader {
    form: CallForm,
    place: Place,
    /// What has come and is not yet told.
    held: String,
    /// Whether anything but calls has been told, and whether there was a call.
    spoke: bool,
    called: bool,
}

impl CallReader {
    /// For an answer of a model of this form.
    pub fn new(form: CallForm) -> CallReader {
        CallReader { form, place: Place::Text, held: String::new(), spoke: false, called: false }
    }

    /// Whether the answer has called anything so far.
    pub fn called(&self) -> bool {
        self.called
    }

    /// Takes more of the answer in.
    pub fn push(&mut self, text: &str) -> Vec<Part> {
        self.held.push_str(text);
        let mut parts = Vec::new();
        while self.step(&mut parts) {}
        parts
    }

    /// What was held back, at the answer's end.
    pub fn finish(&mut self) -> Vec<Part> {
        let mut rest = std::mem::take(&mut self.held);
        match self.place {
            Place::Text if self.called => {
                rest.truncate(rest.trim_end().len());
                text(rest).into_iter().collect()
            }
            Place::Text => text(rest).into_iter().collect(),
            // Cut before anyone could say what was called.
            Place::Head | Place::Arguments { .. } | Place::Tail => Vec::new(),
        }
    }

    /// One step forward; false when more text is needed.
    fn step(&mut self, parts: &mut Vec<Part>) -> bool {
        match self.place {
            Place::Text => self.read_text(parts),
            Place::Head => self.read_head(parts),
            Place::Arguments { .. } => self.read_arguments(parts),
            Place::Tail => self.read_tail(),
        }
    }

    fn read_text(&mut self, parts: &mut Vec<Part>) -> bool {
        let found = match self.form {
            CallForm::Tagged => self.held.find(MARK),
            CallForm::Bare => (!self.spoke && self.held.starts_with('{')).then_some(0),
        };
        if let Some(at) = found {
            let before: String = self.held.drain(..at).collect();
            parts.extend(text(before.trim_end().to_owned()));
            self.place = Place::Head;
            return true;
        }
        // White space may turn out to stand before a call, and the end to be the beginning of a mark.
        let open = match self.form {
            CallForm::Tagged => (1..MARK.len()).rev().find(|n| self.held.ends_with(&MARK[..*n])).unwrap_or(0),
            CallForm::Bare => 0,
        };
        let sure = self.held[..self.held.len() - open].trim_end().len();
        let told: String = self.held.drain(..sure).collect();
        self.spoke |= !told.is_empty();
        parts.extend(text(told));
        false
    }

    fn read_head(&mut self, parts: &mut Vec<Part>) -> bool {
        let (head, middle) = (self.form.head(), self.form.middle());
        let Some(end) = self.held.find(middle) else { return false };
        let name = self.held.get(head.len()..end).unwrap_or_default().to_owned();
        self.held.drain(..end + middle.len());
        self.called = true;
        parts.push(Part::Call(name));
        self.place = Place::Arguments { depth: 0, string: false, escaped: false };
        true
    }

    fn read_arguments(&mut self, parts: &mut Vec<Part>) -> bool {
        let Place::Arguments { mut depth, mut string, mut escaped } = self.place else { return false };
        let mut whole = None;
        for (at, byte) in self.held.bytes().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if string => escaped = true,
                b'"' => string = !string,
                b'{' | b'[' if !string => depth += 1,
                b'}' | b']' if !string => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && !string {
                whole = Some(at + 1);
                break;
            }
        }
        let told: String = self.held.drain(..whole.unwrap_or(self.held.len())).collect();
        if !told.is_empty() {
            parts.push(Part::Arguments(told));
        }
        self.place = if whole.is_some() { Place::Tail } else { Place::Arguments { depth, string, escaped } };
        whole.is_some()
    }

    fn read_tail(&mut self) -> bool {
        let tail = self.form.tail();
        if self.held.len() < tail.len() {
            return false;
        }
        self.held.drain(..tail.len());
        self.spoke = true;
        self.place = Place::Text;
        true
    }
}

fn text(text: String) -> Option<Part> {
    (!text.is_empty()).then_some(Part::Text(text))
}
