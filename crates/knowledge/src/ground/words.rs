//! Words that two texts can be compared by: folded, without endings, without those that every sentence has.
//!
//! Not the folding of the search index: that one may never lose a hit, while this one may be coarse, as what it decides
//! is a shade of a mark. It takes English, Spanish and Swahili endings off, splits scripts without spaces into pairs of
//! characters, and knows the function words of the box's languages.

use std::collections::HashSet;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Words that carry no matter of their own: articles, pronouns, prepositions, question words, greetings, and what a
/// question to an assistant is dressed in.
const FUNCTION_WORDS: &str = "
a about after again all also am an and any are as at be because been before being but by can cannot could did do does
doing done dont down each for from get give go had has have having he hello help her here hers hey hi him his how i if
in into is it its just know let like many may me more most much must my need no nor not now of off ok okay on once one
only or other our out over own please say she should show so some such sure tell than thank thanks that the their them
then there these they thing this those through to too under up us use very want was way we were what when where which
while who whom why will with would yes you your morning evening good explain describe mean answer question passage passages text library says said
al algo ante antes como con cual cuando cuanto cuantos de del desde donde durante e el ella ellas ellos en entre era es
esa ese eso esta estan estar este esto estos fue ha hacer hacia hasta hay he hola la las le les lo los mas me mi mis
muy nada ni no nos nosotros o para pero por porque puede puedo que quien quiero se sea ser si sin sobre son su sus
tambien te tengo tener tiene todo todos tu tus un una uno unos usted y ya gracias favor dime buenos buenas dias
au hii hilo hiyo hizi huo huu ile ili ilikuwa je kama katika kuhusu kutoka kuwa kwa kwamba kwenye la lakini lini mimi
na nani ndani ndio ndiyo ni nini ninaweza pia sana si sisi tu vipi wa wake wangu wao wapi watu wewe wote ya yake yangu
yao yeye yote za habari asante tafadhali jinsi gani nifanye naomba
في من على الى عن مع هذا هذه ذلك تلك هو هي هم نحن انا انت ما ماذا كيف متى اين لماذا هل لا نعم او ان كان كانت التي الذي
قد كل بعد قبل بين عند لم لن ثم حتى مرحبا شكرا
au aux avec ce ces comme dans des du elle en est et eux il ils je le leur lui ma mais mes moi ne notre nous ou par pas
pour qu qui sa ses sont sur ta tes toi ton une votre vous quoi quel quelle comment quand pourquoi bonjour merci
";

/// Words by which a sentence says that something is not so. Swahili's "si" is missing: it is "if" in Spanish.
const NEGATIONS: &str = "not no never none cannot dont doesnt didnt isnt arent wont shouldnt without nobody nothing
nunca jamas sin nadie tampoco ningun ninguna sio siyo hapana usi bila kamwe لا لم لن ليس غير بدون pas jamais sans";

/// Numbers that are mostly written as words.
const NUMBER_WORDS: &[(&str, &str)] = &[
    ("two", "2"),
    ("three", "3"),
    ("four", "4"),
    ("five", "5"),
    ("six", "6"),
    ("seven", "7"),
    ("eight", "8"),
    ("nine", "9"),
    ("ten", "10"),
    ("dos", "2"),
    ("tres", "3"),
    ("cuatro", "4"),
    ("cinco", "5"),
    ("seis", "6"),
    ("siete", "7"),
    ("ocho", "8"),
    ("nueve", "9"),
    ("diez", "10"),
    ("mbili", "2"),
    ("tatu", "3"),
    ("nne", "4"),
    ("tano", "5"),
    ("sita", "6"),
    ("saba", "7"),
    ("nane", "8"),
    ("tisa", "9"),
    ("kumi", "10"),
];

fn set(words: &'static str) -> HashSet<&'static str> {
    words.split_whitespace().collect()
}

/// "One" and its like: a number in "one minute" and none in "this one". They answer to a 1, but ask for none.
const ONES: [&str; 5] = ["one", "moja", "un", "una", "uno"];

static FUNCTION: LazyLock<HashSet<&'static str>> = LazyLock::new(|| set(FUNCTION_WORDS));
static NEGATION: LazyLock<HashSet<&'static str>> = LazyLock::new(|| set(NEGATIONS));

/// The shortest stem that an ending is taken off to.
const SHORTEST_STEM: usize = 3;

/// What a text is about, word by word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Weighty {
    /// Stems, each as often as it stands there.
    pub(super) stems: Vec<String>,
    /// Numbers, in one writing; not among the stems.
    pub(super) numbers: Vec<String>,
    /// Whether there is a word that may be the number 1.
    pub(super) maybe_one: bool,
    /// Whether it says that something is not so.
    pub(super) negated: bool,
}

impl Weighty {
    /// Reads a text.
    pub(super) fn of(text: &str) -> Self {
        let mut weighty = Self::default();
        for word in split(text) {
            weighty.negated ^= NEGATION.contains(word.as_str());
            weighty.maybe_one |= ONES.contains(&word.as_str());
            if let Some(number) = number(&word) {
                weighty.numbers.push(number);
            } else if !FUNCTION.contains(word.as_str()) {
                weighty.stems.push(stem(&word));
            }
        }
        weighty
    }

    /// How many words there are to compare by.
    pub(super) fn len(&self) -> usize {
        self.stems.len() + self.numbers.len()
    }

    /// Each once.
    pub(super) fn stem_set(&self) -> HashSet<&str> {
        self.stems.iter().map(String::as_str).collect()
    }

    /// Each number once.
    pub(super) fn number_set(&self) -> HashSet<&str> {
        self.numbers.iter().map(String::as_str).collect()
    }

    /// The same with what may be one, for a text in which a number is looked for.
    pub(super) fn numbers_to_find(&self) -> HashSet<&str> {
        self.number_set().into_iter().chain(self.maybe_one.then_some("1")).collect()
    }
}

/// The words of a text, folded; endings stay.
pub(super) fn split(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut word = String::new();
    let mut plain = text.nfkd().filter(|one| !is_combining_mark(*one) && *one != 'ـ').peekable();
    while let Some(one) = plain.next() {
        if is_unspaced(one) {
            end(&mut word, &mut out);
            // Pairs of characters, where no space tells words apart.
            match plain.peek().copied().filter(|next| is_unspaced(*next)) {
                Some(next) => out.push([one, next].iter().collect()),
                None if out.last().is_none_or(|last| !last.ends_with(one)) => out.push(one.to_string()),
                None => {}
            }
        } else if one.is_alphanumeric() {
            word.extend(one.to_lowercase());
        } else {
            let inside_number = matches!(one, '.' | ',')
                && word.ends_with(|last: char| last.is_ascii_digit())
                && plain.peek().is_some_and(char::is_ascii_digit);
            let apostrophe = matches!(one, '\'' | '’') && !word.is_empty();
            if inside_number {
                word.push('.');
            } else if !apostrophe {
                end(&mut word, &mut out);
            }
        }
    }
    end(&mut word, &mut out);
    out
}

fn end(word: &mut String, out: &mut Vec<String>) {
    if !word.is_empty() {
        out.push(std::mem::take(word));
    }
}

/// Scripts that put no spaces between words: Han, Kana, Thai, Lao, Khmer, Burmese.
fn is_unspaced(one: char) -> bool {
    matches!(one, '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{0E00}'..='\u{0EFF}' | '\u{1780}'..='\u{17FF}' | '\u{1000}'..='\u{109F}' | '\u{20000}'..='\u{3FFFF}')
}

/// A number in one writing: `1,000` and `1.000` are 1000, `3,5` is 3.5, "three" is 3.
fn number(word: &str) -> Option<String> {
    if let Some((_, digits)) = NUMBER_WORDS.iter().find(|(name, _)| *name == word) {
        return Some((*digits).to_owned());
    }
    if !word.chars().all(|one| one.is_ascii_digit() || one == '.')
        || !word.starts_with(|one: char| one.is_ascii_digit())
    {
        return None;
    }
    let mut groups = word.split('.');
    let first = groups.next().unwrap_or_default();
    let rest: Vec<&str> = groups.collect();
    let are_thousands =
        !rest.is_empty() && (1..=3).contains(&first.len()) && rest.iter().all(|group| group.len() == 3);
    Some(if are_thousands { word.replace('.', "") } else { word.to_owned() })
}

/// A word without its ending, so that "boils", "boiled" and "boiling" are one.
pub(super) fn stem(word: &str) -> String {
    if let Some(bare) = word.strip_prefix("ال").filter(|bare| bare.chars().count() >= SHORTEST_STEM) {
        return bare.to_owned();
    }
    if !word.is_ascii() {
        return word.to_owned();
    }
    let mut stem = word;
    for ending in ["ing", "ed", "es", "s"] {
        let Some(bare) = stem.strip_suffix(ending) else { continue };
        let is_part_of_the_word = ending == "s" && bare.ends_with(['s', 'u', 'i']);
        if bare.len() >= SHORTEST_STEM
            && !is_part_of_the_word
            && bare.bytes().any(|one| b"aeiouy".contains(&one))
        {
            stem = bare;
            break;
        }
    }
    let shortened = stem.len() < word.len();
    if stem.len() > SHORTEST_STEM
        && let Some(bare) = stem.strip_suffix('e')
    {
        stem = bare;
    }
    let bytes = stem.as_bytes();
    if shortened
        && let [.., before, last] = bytes
        && before == last
        && b"bdgmnprt".contains(last)
    {
        stem = &stem[..stem.len() - 1];
    }
    match stem.strip_suffix('i').filter(|bare| shortened && bare.len() >= 2) {
        Some(bare) => format!("{bare}y"),
        None => stem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_word_have_one_stem() {
        for forms in [
            &["boil", "boils", "boiled", "boiling"][..],
            &["minute", "minutes"],
            &["purify", "purifies", "purified", "purifying"],
            &["use", "uses"],
            &["run", "running"],
            &["pozo", "pozos"],
        ] {
            let stems: HashSet<String> = forms.iter().map(|form| stem(form)).collect();
            assert_eq!(stems.len(), 1, "{stems:?}");
        }
        assert_ne!(stem("water"), stem("wait"));
        assert_eq!(stem("glass"), "glass");
        assert_eq!(stem("الماء"), stem("ماء"));
    }

    #[test]
    fn numbers_have_one_writing() {
        let numbers = |text: &str| Weighty::of(text).numbers;
        assert_eq!(numbers("1,000 or 1.000 or 1000"), ["1000", "1000", "1000"]);
        assert_eq!(numbers("3,5 and 3.5 litres in three pots."), ["3.5", "3.5", "3"]);
        assert_eq!(numbers("Wait 5."), ["5"]);
    }

    #[test]
    fn marks_and_case_do_not_count_and_function_words_are_left_out() {
        assert_eq!(Weighty::of("¿Cómo está el AGUA?").stems, ["agua"]);
        assert_eq!(Weighty::of("Hello, how are you?").len(), 0);
        assert_eq!(Weighty::of("飲用水は").stems, ["飲用", "用水", "水は"]);
    }

    #[test]
    fn a_sentence_knows_that_it_says_not() {
        assert!(Weighty::of("Do not drink it").negated && Weighty::of("Don't drink it").negated);
        assert!(!Weighty::of("Drink it").negated);
    }
}
