//! robots.txt: what a site asks programs to leave alone.

/// The rules for everybody and for us.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Robots {
    /// Whether it is allowed, and the beginning of a path.
    rules: Vec<(bool, String)>,
}

impl Robots {
    /// Lines that are not understood are left out, as it is usual. A group that names us goes before the one for all.
    pub(super) fn parse(text: &str) -> Self {
        let (mut all, mut ours) = (Vec::new(), None);
        let (mut for_all, mut for_us, mut in_rules) = (false, false, false);
        for line in text.lines().take(10_000) {
            let line = line.split('#').next().unwrap_or_default();
            let Some((name, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "user-agent" => {
                    if in_rules {
                        (for_all, for_us, in_rules) = (false, false, false);
                    }
                    for_all |= value == "*";
                    for_us |= value.to_ascii_lowercase().contains("banyan");
                }
                rule @ ("allow" | "disallow") => {
                    in_rules = true;
                    let rules = match (for_us, for_all) {
                        (true, _) => ours.get_or_insert_with(Vec::new),
                        (false, true) => &mut all,
                        (false, false) => continue,
                    };
                    // Nothing disallowed is everything allowed.
                    if !value.is_empty() {
                        rules.push((rule == "allow", value.to_owned()));
                    }
                }
                _ => {}
            }
        }
        Self { rules: ours.unwrap_or(all) }
    }

    /// The longest rule that fits decides; of two that are as long, the one that allows.
    pub(super) fn allows(&self, path: &str) -> bool {
        let fitting = self.rules.iter().filter(|(_, rule)| fits(rule, path));
        fitting.max_by_key(|(allowed, rule)| (rule.len(), *allowed)).is_none_or(|(allowed, _)| *allowed)
    }
}

/// `*` is anything, `$` at the end is the end.
fn fits(rule: &str, path: &str) -> bool {
    let (rule, whole) = rule.strip_suffix('$').map_or((rule, false), |rule| (rule, true));
    let mut parts = rule.split('*');
    let Some(mut rest) = parts.next().and_then(|first| path.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    for (number, part) in parts.iter().enumerate() {
        let last = number + 1 == parts.len();
        let found = if last && whole {
            rest.strip_suffix(part).map(|_| rest.len())
        } else {
            rest.find(part).map(|at| at + part.len())
        };
        let Some(end) = found else { return false };
        rest = rest.get(end..).unwrap_or_default();
    }
    !whole || rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_rule_that_fits_decides() {
        let robots = Robots::parse(
            "User-agent: other\nDisallow: /\n\nUser-agent: *\nDisallow: /private # not for programs\n\
             Allow: /private/open\nDisallow: /*.pdf$\nDisallow:\n",
        );
        assert!(robots.allows("/") && robots.allows("/private/open/x") && robots.allows("/a.pdf.html"));
        assert!(!robots.allows("/private/x") && !robots.allows("/b/a.pdf"));
        assert!(Robots::parse("").allows("/x"));
        let ours = Robots::parse("User-agent: *\nDisallow: /\nUser-agent: Banyan\nDisallow: /closed\n");
        assert!(ours.allows("/open") && !ours.allows("/closed"));
    }
}
