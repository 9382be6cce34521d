//! What minijinja's own limits do not stop, refused before a template is parsed.
//!
//! Two gaps were found by the tests of this crate (minijinja 3.1.0):
//! - its parser, its compiler and the release of its syntax tree recurse without a limit along chains of operators
//!   (`- - - 1`, `1 + 1 + 1`, `a.b.c`) and of `elif`, and overflow the stack;
//! - adding two *lists* costs no fuel, and a list that is added to itself in a loop doubles until memory is gone.
//!
//! Chat templates have no use for either: they add texts, and their longest chains are short. The guard reads the
//! tokens of minijinja's own tokenizer, so that both see the same template.

use super::TemplateError;
use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;

/// Operators in one tag. The longest chains of published templates have about thirty.
const MAX_OPERATORS: usize = 200;
/// `elif` in a template. Published templates have at most about twenty.
const MAX_ELIF: usize = 128;
/// Additions that might be of lists, each of which can double one: allowed outside loops and macros only.
const MAX_LIST_ADDITIONS: usize = 8;

/// Refuses a template that minijinja could not parse or run in bounded memory.
pub(super) fn check(source: &str, syntax: &SyntaxConfig) -> Result<(), TemplateError> {
    let mut tokens = Vec::new();
    for token in tokenize(source, false, syntax.clone()) {
        tokens.push(token.map_err(|e| TemplateError::Syntax(e.to_string()))?.0);
    }
    let rebinds = |name: &str| {
        tokens.windows(2).any(|pair| {
            let target =
                matches!(pair[0], Token::Ident("set" | "for" | "with") | Token::Comma | Token::ParenOpen);
            target && matches!(pair[1], Token::Ident(ident) if ident == name)
        })
    };
    // Our own texts, unless the template gives their names to something else.
    let texts: Vec<&str> = ["bos_token", "eos_token"].into_iter().filter(|name| !rebinds(name)).collect();
    let (mut nesting, mut elifs, mut additions) = (0usize, 0, 0);
    for tag in tokens.split(|token| matches!(token, Token::BlockEnd | Token::VariableEnd)) {
        let start = tag.iter().position(|token| matches!(token, Token::BlockStart | Token::VariableStart));
        let tag = start.map_or(&[][..], |start| &tag[start..]);
        match tag {
            [Token::BlockStart, Token::Ident("for" | "macro" | "call"), ..] => nesting += 1,
            [Token::BlockStart, Token::Ident("endfor" | "endmacro" | "endcall"), ..] => {
                nesting = nesting.saturating_sub(1);
            }
            [Token::BlockStart, Token::Ident("elif"), ..] => elifs += 1,
            [
                Token::BlockStart,
                Token::Ident(name @ ("include" | "import" | "from" | "extends" | "block")),
                ..,
            ] => {
                return Err(TemplateError::Syntax(format!("`{name}` has no place in a chat template")));
            }
            _ => {}
        }
        if tag.iter().filter(|token| is_operator(token)).count() > MAX_OPERATORS {
            return Err(TemplateError::Bomb("has a tag of more than 200 operators"));
        }
        let suspect = list_additions(tag, &texts);
        if suspect > 0 && nesting > 0 {
            return Err(TemplateError::Bomb("may add lists to each other in a loop"));
        }
        additions += suspect;
    }
    if additions > MAX_LIST_ADDITIONS {
        return Err(TemplateError::Bomb("may add lists to each other again and again"));
    }
    if elifs > MAX_ELIF {
        return Err(TemplateError::Bomb("has more than 128 `elif`"));
    }
    Ok(())
}

fn is_operator(token: &Token<'_>) -> bool {
    use Token::*;
    matches!(
        token,
        Plus | Minus
            | Mul
            | Div
            | FloorDiv
            | Pow
            | Mod
            | Dot
            | Tilde
            | Pipe
            | Eq
            | Ne
            | Gt
            | Gte
            | Lt
            | Lte
            | BracketOpen
            | ParenOpen
            | BraceOpen
            | Ident("not" | "and" | "or" | "in" | "is" | "if" | "else")
    )
}

/// Additions in a tag of which neither side is known to be a text or a number. A sum with one such part is a text or
/// a number itself (anything else is an error), and so is what is added to it.
fn list_additions(tag: &[Token<'_>], texts: &[&str]) -> usize {
    let mut suspect = 0;
    // For each open bracket: whether the sum so far is known not to be a list.
    let mut known = vec![false];
    for (at, token) in tag.iter().enumerate() {
        match token {
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => known.push(false),
            Token::ParenClose | Token::BracketClose | Token::BraceClose => {
                known.pop();
                if known.is_empty() {
                    known.push(false);
                }
            }
            Token::Plus if is_unary(tag, at) => {}
            Token::Plus => {
                let sum = *known.last().unwrap_or(&false)
                    || (ends_plain(tag, at) && is_plain(&tag[at - 1], texts))
                    || (begins_plain(tag, at) && is_plain(&tag[at + 1], texts));
                suspect += usize::from(!sum);
                if let Some(known) = known.last_mut() {
                    *known = sum;
                }
            }
            // These bind no tighter than `+`: what follows is another sum.
            Token::Minus | Token::Tilde | Token::Comma | Token::Colon | Token::Assign => {
                end_of_sum(&mut known);
            }
            Token::Eq | Token::Ne | Token::Gt | Token::Gte | Token::Lt | Token::Lte => end_of_sum(&mut known),
            Token::Ident("not" | "and" | "or" | "in" | "is" | "if" | "else") => end_of_sum(&mut known),
            _ => {}
        }
    }
    suspect
}

fn end_of_sum(known: &mut [bool]) {
    if let Some(known) = known.last_mut() {
        *known = false;
    }
}

/// A text or a number whatever happens.
fn is_plain(token: &Token<'_>, texts: &[&str]) -> bool {
    match token {
        Token::Str(_) | Token::String(_) | Token::Int(_) | Token::Int128(_) | Token::Float(_) => true,
        Token::Ident(name) => texts.contains(name),
        _ => false,
    }
}

/// Whether the token before `+` is the whole last operand, and not the tail of `a.b`, `a|b`, `a is b` or `a * 2`.
fn ends_plain(tag: &[Token<'_>], at: usize) -> bool {
    let before = at.checked_sub(2).and_then(|at| tag.get(at));
    matches!(
        before,
        Some(
            Token::VariableStart
                | Token::ParenOpen
                | Token::BracketOpen
                | Token::Comma
                | Token::Colon
                | Token::Assign
                | Token::Plus
                | Token::Ident("if" | "else" | "and" | "or" | "not" | "in" | "elif")
        )
    )
}

/// Whether the token after `+` is the whole next operand, with nothing bound to it more tightly.
fn begins_plain(tag: &[Token<'_>], at: usize) -> bool {
    use Token::*;
    !matches!(tag.get(at + 2), Some(Dot | BracketOpen | ParenOpen | Pipe | Mul | Div | FloorDiv | Mod | Pow))
        && tag.get(at + 1).is_some()
}

fn is_unary(tag: &[Token<'_>], at: usize) -> bool {
    use Token::*;
    let before = at.checked_sub(1).and_then(|at| tag.get(at));
    !matches!(
        before,
        Some(
            Ident(_)
                | Str(_)
                | String(_)
                | Int(_)
                | Int128(_)
                | Float(_)
                | ParenClose
                | BracketClose
                | BraceClose
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(source: &str) -> Option<String> {
        check(source, &SyntaxConfig::default()).err().map(|e| e.to_string())
    }

    #[test]
    fn additions_of_texts_and_numbers_pass_in_loops() {
        for body in [
            "{{ 'a' + m.role + m['content'] + x }}",
            "{{ m.role + 'a' + m.content }}",
            "{{ m.content + eos_token }}",
            "{% set c = bos_token + c %}",
            "{% set ns.i = ns.i + 1 %}",
            "{{ f('a' + x, y + 'b') }}",
            "{{ x[i + 1] }}{% if loop.index0 + 1 == n %}{% endif %}",
            "{{ ('a' + (b | trim)) }}",
        ] {
            assert_eq!(verdict(&format!("{{% for m in messages %}}{body}{{% endfor %}}")), None, "{body}");
        }
    }

    #[test]
    fn additions_that_may_be_of_lists_are_refused_in_loops() {
        for body in [
            "{% set ns.x = ns.x + ns.x %}",
            "{% set ns.x = ns.x + x %}",
            "{% set ns.x = a.b + c * 2 %}",
            "{% set ns.x = 'a'.split('') + ns.x %}",
            "{% set ns.x = 2 * y + ns.x %}",
            "{% set ns.x = ns.x + 'a'|list %}",
            "{% set ns.x = x is y + 1 ~ z, a + b %}",
            "{{ 'a' + b, c + d }}",
            "{{ ['a' + b] + c }}",
            "{% set bos_token = [1] %}{% set ns.x = ns.x + bos_token %}",
        ] {
            let verdict = verdict(&format!("{{% for m in messages %}}{body}{{% endfor %}}"));
            assert!(verdict.is_some_and(|words| words.contains("in a loop")), "{body}");
        }
        assert!(
            verdict(&"{% set x = x + x %}".repeat(40)).is_some_and(|words| words.contains("again and again"))
        );
        assert_eq!(verdict("{% set messages = [{'role': 'system'}] + messages %}"), None);
    }
}
